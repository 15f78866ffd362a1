import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { TenancyConfig } from '../../src/config/types.js';
import { createTenancy } from '../../src/create-tenancy.js';
import { openClusterEngine } from '../../src/drivers/index.js';
import { chooseStrategy } from '../../src/drivers/postgres/database-template.js';
import type { StampedRunEvent } from '../../src/events.js';
import { openRegistry } from '../../src/registry/index.js';
import type { Tenancy } from '../../src/tenancy.js';
import { until } from '../rig/gate.js';
import { createTestDatabase, query, type TestDatabase, withDatabase } from '../rig/postgres.js';
import { dropPreparedHomes, listPreparedDatabases } from '../rig/prepared-homes.js';

/** Files that do nothing but define, by their names. */
function definitions(count: number): Record<string, string> {
  const file = (index: number): string => `CREATE TABLE t${index} (id bigint PRIMARY KEY, at timestamptz NOT NULL DEFAULT now());\n`;
  return Object.fromEntries(Array.from({ length: count }, (_, index) => [`${String(index + 1).padStart(4, '0')}_t.sql`, file(index + 1)]));
}

describe.each(['15', '18'] as const)('templates on PostgreSQL %s', { timeout: 60_000 }, (version) => {
  let database: TestDatabase;
  let directory: string;
  let events: StampedRunEvent[];
  const opened: Tenancy[] = [];

  beforeEach(async () => {
    [database, directory] = await Promise.all([createTestDatabase(version), mkdtemp(path.join(tmpdir(), 'tenancy-'))]);
    events = [];
  });
  afterEach(async () => {
    await Promise.all(opened.splice(0).map((tenancy) => tenancy.close()));
    await dropPreparedHomes(database.url);
    await Promise.all([database.drop(), rm(directory, { recursive: true })]);
  });

  async function open(migrations: Readonly<Record<string, string>>, config: Partial<TenancyConfig> = {}): Promise<Tenancy> {
    const { url, name } = database;
    await rm(path.join(directory, 'migrations'), { recursive: true, force: true });
    await mkdir(path.join(directory, 'migrations'));
    for (const [file, text] of Object.entries(migrations)) await writeFile(path.join(directory, 'migrations', file), text);
    const tenancy = await createTenancy(
      {
        registry: { url },
        clusters: { main: { url, concurrency: 2 } },
        placement: ({ id }) => ({ cluster: 'main', driver: 'postgres-database', name: `${name}_${id}` }),
        migrations: { directory: './migrations' },
        ...config,
      },
      { root: directory, onEvent: (event) => void events.push(event) },
    );
    opened.push(tenancy);
    return tenancy;
  }

  const openEngine = (): ReturnType<typeof openClusterEngine> =>
    openClusterEngine({ cluster: 'main', url: database.url, maxConnections: 1, extensionsSchema: 'e', applicationName: 't' });
  const inside = <Row extends object>(id: string, sql: string): Promise<Row[]> =>
    query(withDatabase(database.url, `${database.name}_${id}`), sql) as Promise<Row[]>;
  const howMade = (): Record<string, string | undefined> =>
    Object.fromEntries(
      events.flatMap((event) => (event.type === 'step.finished' && event.step === 'create' ? [[event.tenant, event.detail]] : [])),
    );
  const warnings = (): string[] => events.flatMap((event) => (event.type === 'run.warned' ? [event.message] : []));
  const provision = async (tenancy: Tenancy, ...ids: string[]): Promise<void> =>
    expect(await tenancy.provision(ids)).toMatchObject({ exitCode: 0, failed: [] });

  it('are made once, and what is copied from them is a tenant like any other', async () => {
    const tenancy = await open(definitions(12));
    await provision(tenancy, 'a', 'b', 'c');
    expect(howMade()).toEqual({ a: 'copied', b: 'copied', c: 'copied' });
    const [template, ...others] = await listPreparedDatabases(database.url);
    expect(others).toEqual([]);
    const [state] = await query(database.url, 'SELECT datallowconn, datistemplate FROM pg_database WHERE datname = $1', [template]);
    expect(state).toEqual({ datallowconn: false, datistemplate: true });

    const [row] = await inside<{ applied: number; fences: number }>(
      'b',
      `SELECT (SELECT count(*)::int FROM _tenancy._tenancy_migrations) AS applied,
              (SELECT count(*)::int FROM _tenancy._tenancy_state WHERE type = 'fence') AS fences`,
    );
    expect(row).toEqual({ applied: 12, fences: 1 });
    const b = await tenancy.find('b');
    expect(b).toMatchObject({ status: 'active', schemaVersion: '0012_t' });
    const [comment] = await query<{ comment: string }>(
      database.url,
      `SELECT shobj_description(oid, 'pg_database') AS comment FROM pg_database WHERE datname = $1`,
      [b.name],
    );
    expect(comment?.comment).toContain(`"tenant":"b"`);
    expect(comment?.comment).toContain(b.homeOperationId);
    expect(await tenancy.migrate({ all: true }, { forceVerify: true })).toMatchObject({ exitCode: 0, counts: { 'up-to-date': 3 } });

    const newer = await open({ ...definitions(12), '0013_more.sql': 'CREATE TABLE more (id int);' });
    expect(await newer.migrate({ all: true })).toMatchObject({ exitCode: 0, counts: { applied: 3 } });
    expect(await inside('c', 'SELECT * FROM more')).toEqual([]);
    expect(await newer.suspend('a')).toMatchObject({ exitCode: 0 });
    expect(await newer.deprovision('a', { confirm: 'a', skipBackup: true })).toMatchObject({ exitCode: 0 });
    expect((await newer.find('a')).status).toBe('deprovisioned');
  });

  it('have the rights, the owner and the limits of a database that was made in the ordinary way', async () => {
    await provision(await open(definitions(10)), 'fast');
    await provision(await open(definitions(10), { templates: false }), 'slow');
    expect(howMade()).toEqual({ fast: 'copied', slow: 'created' });
    const states = await query(
      database.url,
      `SELECT datdba, datacl, datconnlimit, datallowconn, datistemplate, encoding, datcollate, datctype FROM pg_database
        WHERE starts_with(datname, $1 || '_') ORDER BY datname`,
      [database.name],
    );
    expect(states).toHaveLength(2);
    expect(states[0]).toEqual(states[1]);
  });

  it('hold what only defines; rows and modules are made in each tenant, in their turn', async () => {
    const migrations = {
      ...definitions(10),
      '0011_rows.sql': 'CREATE TABLE secrets (id uuid DEFAULT gen_random_uuid()); INSERT INTO secrets DEFAULT VALUES;',
      '0012_module.mjs': `export const up = (db, { tenant }) => db.query('CREATE TABLE whose AS SELECT $1::text AS tenant', [tenant]);`,
      '0013_after.sql': 'CREATE TABLE after_it (id int);',
    };
    const tenancy = await open(migrations);
    await provision(tenancy, 'a', 'b');
    expect(howMade()).toEqual({ a: 'copied', b: 'copied' });
    const ids = await Promise.all(['a', 'b'].map((id) => inside<{ id: string }>(id, 'SELECT id FROM secrets')));
    expect(ids[0]).not.toEqual(ids[1]);
    expect(await inside('b', 'SELECT tenant FROM whose')).toEqual([{ tenant: 'b' }]);
    expect(await tenancy.migrate({ all: true }, { forceVerify: true })).toMatchObject({ counts: { 'up-to-date': 2 } });
  });

  it('hold the rows too where the config says always', async () => {
    const rows = { '0001_rows.sql': 'CREATE TABLE secrets (id uuid DEFAULT gen_random_uuid()); INSERT INTO secrets DEFAULT VALUES;' };
    await provision(await open(rows, { templates: 'always' }), 'a', 'b');
    expect(howMade()).toEqual({ a: 'copied', b: 'copied' });
    const ids = await Promise.all(['a', 'b'].map((id) => inside<{ id: string }>(id, 'SELECT id FROM secrets')));
    expect(ids[0]).toEqual(ids[1]);
  });

  it('are not used for few migrations, nor where a hook prepares the tenant for them', async () => {
    await provision(await open(definitions(9)), 'few');
    await provision(await open(definitions(10), { hooks: { afterCreate: (ctx) => ctx.db.query('CREATE SCHEMA app') } }), 'hooked');
    const ran: string[] = [];
    const note = (name: string) => async (): Promise<void> => void ran.push(name);
    await provision(
      await open(definitions(10), { hooks: { beforeCreate: note('beforeCreate'), afterMigrate: note('afterMigrate') } }),
      'noted',
    );
    expect(howMade()).toEqual({ few: 'created', hooked: 'created', noted: 'copied' });
    expect(ran).toEqual(['beforeCreate', 'afterMigrate']);
  });

  it('that another process is just making are not waited for, and those of one that has gone are finished', async () => {
    const tenancy = await open(definitions(10));
    await provision(tenancy, 'a');
    const [name = ''] = await listPreparedDatabases(database.url);
    await query(database.url, `ALTER DATABASE "${name}" IS_TEMPLATE false`);
    await query(database.url, `DROP DATABASE "${name}"`);
    await query(
      database.url,
      `UPDATE tenancy.prepared_homes SET status = 'making', owner = 'x', alive_until = clock_timestamp() + interval '1 h'`,
    );
    const other = await open(definitions(10));
    await provision(other, 'b');
    await query(database.url, 'UPDATE tenancy.prepared_homes SET alive_until = clock_timestamp()');
    await provision(other, 'c');
    expect(howMade()).toEqual({ a: 'copied', b: 'created', c: 'copied' });
    expect(await listPreparedDatabases(database.url)).toEqual([name]);
    // The first process takes it for there, and finds out that it was not in between.
    await query(database.url, `ALTER DATABASE "${name}" IS_TEMPLATE false`);
    await provision(tenancy, 'd');
    expect(howMade()).toMatchObject({ d: 'created' });
  });

  it('are made by one of several processes that need it at once', async () => {
    const all = [await open(definitions(10)), await open(definitions(10)), await open(definitions(10)), await open(definitions(10))];
    await all[0]?.provision(['first']);
    await dropPreparedHomes(database.url);
    await query(database.url, 'DELETE FROM tenancy.prepared_homes');
    const reports = await Promise.all(all.slice(1).map((tenancy, index) => tenancy.provision([`x${index}`, `y${index}`])));
    expect(reports.map(({ exitCode }) => exitCode)).toEqual([0, 0, 0]);
    expect(await query(database.url, 'SELECT status FROM tenancy.prepared_homes')).toEqual([{ status: 'ready' }]);
    expect(await listPreparedDatabases(database.url)).toHaveLength(1);
  });

  it('of migrations that are no more are dropped but for the one before, and those of others stay', async () => {
    for (const [index, count] of [10, 11, 12, 13].entries()) await provision(await open(definitions(count)), `t${index}`);
    const kept = await query<{ schema_version: string }>(database.url, 'SELECT schema_version FROM tenancy.prepared_homes ORDER BY 1');
    expect(kept).toEqual([{ schema_version: '0012_t' }, { schema_version: '0013_t' }]);
    expect(await listPreparedDatabases(database.url)).toHaveLength(2);
  });

  it('are ours alone: what another made is neither copied nor dropped', async () => {
    const name = `${database.name}_tpl`;
    const engine = await openEngine();
    const registry = await openRegistry({ url: database.url, create: true, applicationName: 't' });
    const { templates } = engine.driver('postgres-database');
    const never = new AbortController().signal;
    await query(database.url, `CREATE DATABASE "${name}" TEMPLATE template0 ALLOW_CONNECTIONS false IS_TEMPLATE true`);
    const comment = JSON.stringify({ tenant: '*template', registry: 'another', operation: 'x' });
    for (const says of ['NULL', "'a note'", `'tenancy:${comment}'`]) {
      await query(database.url, `COMMENT ON DATABASE "${name}" IS ${says}`);
      expect(await templates?.find(name, registry.id)).toBeNull();
      expect(await templates?.drop(name, registry.id, never)).toBe('absent');
    }
    expect(await templates?.find(name, 'another')).toEqual({ name, registry: 'another', strategy: 'wal_log' });
    await Promise.all([engine.close(), registry.close()]);
    await query(database.url, `ALTER DATABASE "${name}" IS_TEMPLATE false`);
  });

  it('are copied block by block while they are small and as files when they are large; a server before 15 is not told how', async () => {
    const chosen = [
      [8, 150_000],
      [127, 180_000],
      [128, 150_000],
      [8, 140_011],
    ].map(([megabytes = 0, server = 0]) => chooseStrategy({ bytes: megabytes * 1024 * 1024, version: server }));
    expect(chosen).toEqual(['wal_log', 'wal_log', 'file_copy', null]);

    await provision(await open(definitions(10)), 'a');
    const engine = await openEngine();
    const registry = await openRegistry({ url: database.url, create: false, applicationName: 't' });
    const driver = engine.driver('postgres-database');
    const [name = ''] = await listPreparedDatabases(database.url);
    const template = await driver.templates?.find(name, registry.id);
    // A copy of files begins and ends with a checkpoint, which a copy of blocks does without.
    const countCheckpoints = async (): Promise<number> =>
      Number(
        (
          await query(
            database.url,
            version === '15' ? 'SELECT checkpoints_req AS n FROM pg_stat_bgwriter' : 'SELECT num_requested AS n FROM pg_stat_checkpointer',
          )
        )[0]?.['n'],
      );
    for (const [index, strategy] of (['wal_log', null, 'file_copy'] as const).entries()) {
      const before = await countCheckpoints();
      const target = {
        name: `${database.name}_s${index}`,
        marker: { tenant: `s${index}`, registry: registry.id, operation: `op-${index}` },
      };
      const how = await driver.create(target, new AbortController().signal, { template: template ? { ...template, strategy } : null });
      expect(how).toBe('copied');
      expect(await inside(`s${index}`, `SELECT count(*)::int AS n FROM pg_tables WHERE tablename ~ '^t[0-9]'`)).toEqual([{ n: 10 }]);
      if (strategy === 'file_copy') await until(async () => (await countCheckpoints()) > before, 'the checkpoints to be counted');
    }
    await Promise.all([engine.close(), registry.close()]);
  });

  it('that fail leave the failure to the tenant that it is about', async () => {
    const tenancy = await open({ ...definitions(10), '0011_wrong.sql': 'CREATE TABLE wrong (id nonsense);' });
    const report = await tenancy.provision(['a', 'b']);
    expect(report.failed.map(({ error }) => error?.code)).toEqual(['TENANCY_MIGRATION_FAILED', 'TENANCY_MIGRATION_FAILED']);
    expect(warnings()).toEqual([expect.stringContaining('no template could be made on cluster main')]);
  });
});
