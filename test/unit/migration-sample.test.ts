import { readFile } from 'node:fs/promises';
import { Client, escapeIdentifier } from 'pg';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { LocalMigration, MigrationScript, TenantDb } from '../../src/migrations/migration.js';
import { loadMigrations } from '../../src/migrations/source.js';
import { checkSqlScript } from '../../src/migrations/sql/check.js';
import { createTestDatabase, type PostgresVersion, type TestDatabase } from '../rig/postgres.js';

const root = new URL('../..', import.meta.url).pathname;
const local = await loadMigrations({ root, directory: 'migrations/tenant' }, { importModule: (path) => import(path) });
const numberOf = ({ name }: LocalMigration): number => Number(name.slice(0, 4));

test('the sample passes its own checks, in a schema and in a database', () => {
  expect(local.length).toBeGreaterThanOrEqual(8);
  for (const isSchemaTenant of [true, false]) {
    for (const script of local.flatMap(({ up, down }) => [up, down])) {
      if (script?.type === 'sql') checkSqlScript(script, { isSchemaTenant, publicTo: null });
    }
  }
});

/** Sends scripts as they are, one after the other: what is tested is the sample, and not how it is carried out. */
function createRunner(client: Client): (script: MigrationScript | null) => Promise<void> {
  const db: TenantDb = { query: (sql, params) => client.query(sql, params ? [...params] : undefined) as never };
  return async (script) => {
    if (script === null) throw new Error('no way back');
    if (!script.isTransactional && script.type === 'sql') return void (await client.query(script.sql));
    await client.query('BEGIN');
    if (script.type === 'sql') await client.query(script.sql);
    else await script.run(db, { tenant: 'acme', signal: new AbortController().signal, log: () => undefined });
    await client.query('COMMIT');
  };
}

const someData = `
  INSERT INTO accounts (name, billing_email, plan_code) VALUES ('Acme', 'Bills@acme.test', 'team');
  INSERT INTO members (account_id, email, full_name, role)
    VALUES (1, 'ada@acme.test', 'Adá Lovelace', 'owner'), (1, 'ada2@acme.test', 'Ada  Lovelace', 'viewer'), (1, 'li@acme.test', '李', 'viewer');
  INSERT INTO projects (account_id, title, created_by) VALUES (1, 'Engine', 1);
  INSERT INTO invoices (account_id, number, status) VALUES (1, '2026-1', 'open'), (1, '2026-2', 'draft');
  INSERT INTO invoice_lines (invoice_id, position, description, quantity, unit_price_cents) VALUES (1, 1, 'Hours', 2.5, 10000), (1, 2, 'Rebate', 1, -500);
`;

describe.each<[PostgresVersion, 'schema' | 'database']>([
  ['15', 'schema'],
  ['15', 'database'],
  ['18', 'schema'],
  ['18', 'database'],
])('on PostgreSQL %s, in a %s', (version, home) => {
  let database: TestDatabase;
  let client: Client;

  beforeAll(async () => {
    database = await createTestDatabase(version);
    client = new Client({ connectionString: database.url });
    await client.connect();
    if (home === 'schema') {
      await client.query('CREATE SCHEMA extensions; CREATE EXTENSION citext SCHEMA extensions; CREATE SCHEMA "tenant_a-b"');
      await client.query(`SET search_path = ${escapeIdentifier('tenant_a-b')}, extensions`);
    }
  });
  afterAll(async () => {
    await client.end();
    await database.drop();
  });

  test('goes up over data, back to where it can, up again, and reseeds nothing', async () => {
    const run = createRunner(client);
    const seed = await readFile(`${root}/migrations/seeds/plans.sql`, 'utf8');
    for (const migration of local.filter((one) => numberOf(one) <= 7)) await run(migration.up);
    await client.query(seed);
    await client.query(someData);
    const later = local.filter((one) => numberOf(one) > 7);
    for (const migration of later) await run(migration.up);
    for (const migration of [...later].reverse()) await run(migration.down);
    for (const migration of later) await run(migration.up);
    await client.query(seed);

    const { rows } = await client.query("SELECT string_agg(handle::text, ' ' ORDER BY id) AS handles FROM members");
    expect(rows).toEqual([{ handles: 'ada-lovelace ada-lovelace-2 member' }]);
    const totals = await client.query('SELECT total_cents::int AS total, issued_on IS NOT NULL AS dated FROM invoices ORDER BY id');
    expect(totals.rows).toEqual([
      { total: 24500, dated: true },
      { total: 0, dated: false },
    ]);
    const facts = await client.query(`SELECT
      (SELECT count(*)::int FROM plans) AS plans,
      (SELECT count(*)::int FROM accounts WHERE billing_email = 'BILLS@ACME.TEST') AS citext,
      (SELECT count(*)::int FROM audit_log WHERE relation = 'members' AND action = 'INSERT') AS audited,
      (SELECT count(*)::int FROM pg_index WHERE NOT indisvalid) AS invalid,
      (SELECT bool_and(convalidated) FROM pg_constraint WHERE conname = 'invoices_issued_have_dates') AS validated`);
    expect(facts.rows).toEqual([{ plans: 3, citext: 1, audited: 3, invalid: 0, validated: true }]);
  });

  test('audits also for a client with another search path', async () => {
    if (home === 'database') await client.query('CREATE SCHEMA elsewhere; SET search_path = elsewhere');
    else await client.query('SET search_path = public');
    const members = home === 'schema' ? '"tenant_a-b".members' : 'public.members';
    await client.query(`DELETE FROM ${members} WHERE id = 3`);
    const { rows } = await client.query(`SELECT action, new_row FROM ${members.replace('members', 'audit_log')} ORDER BY id DESC LIMIT 1`);
    expect(rows).toEqual([{ action: 'DELETE', new_row: null }]);
    await client.query(home === 'schema' ? 'SET search_path = "tenant_a-b", extensions' : 'SET search_path = public');
  });

  test('leaves no relation behind once its early migrations are gone', async () => {
    const run = createRunner(client);
    await client.query('DROP TABLE audit_log; DROP FUNCTION write_audit_log CASCADE');
    for (const migration of local.filter((one) => numberOf(one) < 7).reverse()) await run(migration.down);
    const { rows } = await client.query(`SELECT relname FROM pg_class WHERE relnamespace = current_schema::regnamespace`);
    expect(rows).toEqual([]);
  });
});
