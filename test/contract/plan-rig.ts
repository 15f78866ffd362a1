import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import type { TenancyConfig } from '../../src/config/types.js';
import { createTenancy } from '../../src/create-tenancy.js';
import type { RunEvent, StampedRunEvent } from '../../src/events.js';
import type { RunReport } from '../../src/runs/report.js';
import type { Tenancy, TenancyOptions } from '../../src/tenancy.js';
import { createTestDatabase, type TestDatabase } from '../rig/postgres.js';

export type EventOf<Type extends RunEvent['type']> = Extract<StampedRunEvent, { type: Type }>;

/** A database and a folder of migrations, over which a program opens tenancy. */
export interface PlanScene {
  readonly database: TestDatabase;
  readonly directory: string;
  readonly planFile: string;
  open(config?: Partial<TenancyConfig>, options?: TenancyOptions): Promise<Tenancy>;
  write(file: string, text: string): Promise<void>;
  /** What was told by the last tenancy that was opened, since the last time this was asked. */
  told(): readonly StampedRunEvent[];
  /** Every row of the registry and of every tenant, each with the transaction that wrote it, and the last that locked it. */
  dump(options?: { readonly withLocks: boolean }): Promise<unknown>;
}

export async function createPlanScene({ onTestFinished }: { onTestFinished(cleanUp: () => Promise<void>): void }): Promise<PlanScene> {
  const [database, directory] = await Promise.all([createTestDatabase(), mkdtemp(path.join(tmpdir(), 'tenancy-'))]);
  const opened: Tenancy[] = [];
  let events: StampedRunEvent[] = [];
  onTestFinished(async () => {
    await Promise.all(opened.map((tenancy) => tenancy.close()));
    await Promise.all([database.drop(), rm(directory, { recursive: true })]);
  });
  const write = (file: string, text: string): Promise<void> => writeFile(path.join(directory, file), text);
  await Promise.all([
    write('0001_a.sql', 'CREATE TABLE a (id int);\n'),
    write('0001_a.down.sql', 'DROP TABLE a;\n'),
    write('0002_b.sql', 'CREATE TABLE b (id int);\n'),
    write('0002_b.down.sql', 'DROP TABLE b;\n'),
  ]);
  return {
    database,
    directory,
    planFile: path.join(directory, 'plan.json'),
    write,
    open: async (config = {}, options = {}) => {
      const { url } = database;
      const tenancy = await createTenancy(
        {
          registry: { url },
          clusters: { main: { url, concurrency: 2 } },
          placement: ({ id }) => ({ cluster: 'main', driver: 'postgres-schema', name: `tenant_${id}` }),
          migrations: { directory: '.' },
          ...config,
        },
        { root: directory, onEvent: (event) => void events.push(event), ...options },
      );
      opened.push(tenancy);
      return tenancy;
    },
    told: () => {
      const told = events;
      events = [];
      return told;
    },
    dump: ({ withLocks } = { withLocks: true }) => dump(database, withLocks),
  };
}

/** The plan as a whole, of a dry run that has just ended. */
export function readPlan(events: readonly StampedRunEvent[]): EventOf<'run.planned'> {
  const found = events.find((event): event is EventOf<'run.planned'> => event.type === 'run.planned');
  if (found === undefined) throw new Error(`no plan in ${events.map(({ type }) => type).join(', ')}`);
  return found;
}

/** The code and the message of a refusal. */
export async function refusal(run: Promise<RunReport>): Promise<string> {
  const error = await run.then(
    (report) => new Error(`it ended with ${report.exitCode}: ${JSON.stringify(report.failed)}`),
    (thrown: unknown) => thrown as Error & { code?: string; exitCode?: number },
  );
  return 'code' in error ? `${error.code} ${error.exitCode}: ${error.message}` : error.message;
}

async function dump({ query }: TestDatabase, withLocks: boolean): Promise<unknown> {
  const tables = await query<{ name: string }>(
    `SELECT format('%I.%I', nspname, relname) AS name FROM pg_class c JOIN pg_namespace n ON n.oid = relnamespace
      WHERE relkind = 'r' AND nspname !~ '^(pg_|information_schema)' ORDER BY 1`,
  );
  const rows = await Promise.all(
    tables.map(({ name }) =>
      query(`SELECT xmin::text${withLocks ? ', xmax::text' : ''}, ctid::text, to_jsonb(t) AS row FROM ${name} t ORDER BY ctid`),
    ),
  );
  const sequences = await query('SELECT schemaname, sequencename, last_value FROM pg_sequences ORDER BY 1, 2');
  return { tables, rows, sequences };
}

/** Two tenants at the first migration, and the second to come. */
export async function createBehind(scope: { onTestFinished(cleanUp: () => Promise<void>): void }): Promise<PlanScene> {
  const scene = await createPlanScene(scope);
  const tenancy = await scene.open();
  await tenancy.provision(['acme', 'globex']);
  await tenancy.rollback({ all: true }, { to: '1' });
  return scene;
}
