import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { performance } from 'node:perf_hooks';
import { Client, escapeIdentifier } from 'pg';
import type { Tenancy } from '../../src/tenancy.js';
import { withDatabase } from '../rig/postgres.js';
import { type Figure, median } from './figure.js';
import { isSmall } from './small.js';

const ROUNDS = isSmall ? 12 : 100;
/** So many rounds until their databases are dropped, so that no more of them are on the disk; as many are made ahead. */
const BATCH = 10;

/** `createTenancy().provision()` in one process against a bare CREATE DATABASE … TEMPLATE of the same template, taking turns. */
export async function benchProvision(_root: string, serverUrl: string): Promise<readonly Figure[]> {
  const few = await measure(serverUrl, 20, false);
  const many = await measure(serverUrl, 200, false);
  const pooled = await measure(serverUrl, 200, true);
  const bare = 'bare CREATE DATABASE … TEMPLATE';
  return [
    figure(`a database with 20 migrations ÷ ${bare}`, few, 1.5),
    figure(`a database with 200 migrations ÷ ${bare}`, many, 1.5),
    figure(`a database with 200 migrations from the warm pool ÷ ${bare}`, pooled, 0.5),
  ];
}

interface Times {
  readonly ours: readonly number[];
  readonly bare: readonly number[];
}

async function measure(serverUrl: string, migrations: number, isPooled: boolean): Promise<Times> {
  const name = `provision_${migrations}${isPooled ? '_pool' : ''}`;
  const admin = new Client({ connectionString: serverUrl });
  await admin.connect();
  await admin.query(`CREATE DATABASE ${name}`);
  const directory = await mkdtemp(path.join(os.tmpdir(), 'tenancy-bench-'));
  await writeMigrations(path.join(directory, 'migrations'), migrations);
  const tenancy = await open(directory, withDatabase(serverUrl, name), name, isPooled);
  const made: string[] = [];
  const provision = async (id: string): Promise<number> => {
    const startedMs = performance.now();
    const { failed } = await tenancy.provision(id);
    const ms = performance.now() - startedMs;
    if (failed.length > 0) throw new Error(JSON.stringify(failed));
    made.push(`${name}_${id}`);
    return ms;
  };
  const ours: number[] = [];
  const bare: number[] = [];
  try {
    // The first ones load the code and make the template.
    for (const id of ['first', 'second', 'third']) await provision(id);
    const template = await findTemplate(admin);
    for (let round = 0; round < ROUNDS; round += 1) {
      if (round % BATCH === 0) await startAfresh(admin, made.splice(0));
      if (isPooled && round % BATCH === 0) await tenancy.fillPool();
      ours.push(await provision(`t${round}`));
      const startedMs = performance.now();
      await admin.query(`CREATE DATABASE bare_${round} TEMPLATE ${escapeIdentifier(template)}`);
      bare.push(performance.now() - startedMs);
      made.push(`bare_${round}`);
    }
    return { ours, bare };
  } finally {
    await tenancy.close();
    await cleanUp(admin);
    await admin.end();
    await rm(directory, { recursive: true });
  }
}

async function writeMigrations(directory: string, count: number): Promise<void> {
  await mkdir(directory);
  for (let index = 1; index <= count; index += 1) {
    const table = `items_${index}`;
    const sql = `CREATE TABLE ${table} (id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, name text NOT NULL, at timestamptz NOT NULL DEFAULT now());
CREATE INDEX ${table}_name ON ${table} (name);
`;
    await writeFile(path.join(directory, `${String(index).padStart(4, '0')}_${table}.sql`), sql);
  }
}

/** The package as it is built, as a program imports it. */
async function open(root: string, url: string, name: string, isPooled: boolean): Promise<Tenancy> {
  const self = 'tenancy-cli';
  const { createTenancy } = (await import(self)) as typeof import('../../src/index.js');
  const pool = { driver: 'postgres-database', size: BATCH } as const;
  return createTenancy(
    {
      registry: { url },
      clusters: { main: { url, ...(isPooled ? { pool } : {}) } },
      placement: ({ id }) => ({ cluster: 'main', driver: 'postgres-database', name: `${name}_${id}` }),
      migrations: { directory: './migrations' },
    },
    { root },
  );
}

async function findTemplate(admin: Client): Promise<string> {
  const { rows } = await admin.query<{ datname: string }>(
    `SELECT datname FROM pg_database WHERE starts_with(datname, 'tenancy_tpl_') ORDER BY oid DESC LIMIT 1`,
  );
  const [template] = rows;
  if (template === undefined) throw new Error('no template was made');
  return template.datname;
}

/** Not between any two that are timed: DROP DATABASE has the server write a checkpoint, for which whatever follows would pay. */
async function startAfresh(admin: Client, databases: readonly string[]): Promise<void> {
  for (const database of databases) await admin.query(`DROP DATABASE ${escapeIdentifier(database)} WITH (FORCE)`);
  await admin.query('CHECKPOINT');
}

/** The server is gone after this; its disk is the machine's until then. */
async function cleanUp(admin: Client): Promise<void> {
  const { rows } = await admin.query<{ datname: string; datistemplate: boolean }>(
    `SELECT datname, datistemplate FROM pg_database WHERE datname ~ '^(tenancy_|provision_|bare_)'`,
  );
  for (const { datname, datistemplate } of rows) {
    if (datistemplate) await admin.query(`ALTER DATABASE ${escapeIdentifier(datname)} IS_TEMPLATE false`);
    await admin.query(`DROP DATABASE ${escapeIdentifier(datname)} WITH (FORCE)`);
  }
}

function figure(what: string, { ours, bare }: Times, goal: number): Figure {
  const [a, b] = [median(ours), median(bare)];
  return {
    what,
    ratio: a / b,
    goal: { type: 'at-most', ratio: goal },
    detail: `median of ${ROUNDS}: ${a.toFixed(1)} ms against ${b.toFixed(1)} ms`,
  };
}
