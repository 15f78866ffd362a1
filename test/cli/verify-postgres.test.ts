import { Client } from 'pg';
import { describe, expect, test } from 'vitest';
import { createScene, type JsonRun, type Scene } from './scene.js';
import { listFindings } from './verify-findings.js';

const verify = (scene: Scene, ...args: string[]): Promise<JsonRun> => scene.json(['tenant', 'verify', '--exit-code', ...args]);
const messages = (run: JsonRun): string[] => run.of('tenant.finding').map(({ message }) => message);

/** A little of everything that a migration may make. */
const everything = {
  '0001_base.sql': `CREATE TYPE mood AS ENUM ('good', 'bad');
CREATE DOMAIN email AS text CHECK (VALUE LIKE '%@%');
CREATE TABLE accounts (id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, name text NOT NULL, email email, mood mood DEFAULT 'good', CONSTRAINT named CHECK (name <> ''));
CREATE TABLE invoices (id bigserial PRIMARY KEY, account bigint REFERENCES accounts (id), total bigint NOT NULL DEFAULT 0, twice bigint GENERATED ALWAYS AS (total * 2) STORED);
CREATE TABLE logs (at date NOT NULL, line text) PARTITION BY RANGE (at);
CREATE TABLE logs_2026 PARTITION OF logs FOR VALUES FROM ('2026-01-01') TO ('2027-01-01');
CREATE INDEX ON logs (line);
CREATE UNIQUE INDEX invoices_lower ON invoices (account, (total + 1)) WHERE total > 0;
CREATE VIEW rich AS SELECT a.name, sum(i.total) AS total FROM accounts a JOIN invoices i ON i.account = a.id GROUP BY a.name;
CREATE MATERIALIZED VIEW richer AS SELECT * FROM rich;
CREATE FUNCTION bump() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN NEW.total := NEW.total + 1; RETURN NEW; END $$;
CREATE TRIGGER bump BEFORE INSERT ON invoices FOR EACH ROW EXECUTE FUNCTION bump();
CREATE SEQUENCE numbers START 1000;
ALTER TABLE accounts ENABLE ROW LEVEL SECURITY;
CREATE POLICY own ON accounts USING (name = current_user);
COMMENT ON TABLE accounts IS 'left out';
INSERT INTO accounts (name) VALUES ('one');
`,
  '0002_alone.sql': `-- tenancy: no-transaction
CREATE INDEX CONCURRENTLY accounts_name ON accounts (name);
`,
};

describe.concurrent('what verify sees of PostgreSQL', () => {
  test('nothing in a healthy fleet of fifty, whatever its homes were made of', { timeout: 120_000 }, async (scope) => {
    const scene = await createScene(scope, { migrations: everything });
    const ids = Array.from({ length: 50 }, (_, n) => `t${n}`);
    await scene.ok(['tenant', 'provision', ...ids]);
    const run = await verify(scene, '--all');
    expect([run.exitCode, messages(run), run.finished.counts['up-to-date']]).toEqual([0, [], 50]);
    expect(await scene.db.query(`SELECT nspname FROM pg_namespace WHERE nspname LIKE 'tenancy\\_%'`)).toEqual([]);
    expect(await scene.db.query('SELECT * FROM tenancy.prepared_homes')).toEqual([]);
  });

  test('nothing where the config names one server twice', { timeout: 60_000 }, async (scope) => {
    const scene = await createScene(scope, (db) => ({
      driver: 'postgres-schema',
      config: `export default {
        registry: { url: '${db.url}' },
        clusters: {
          main: { url: '${db.url}', pool: { driver: 'postgres-database', size: 1 } },
          twin: { url: '${db.url}', pool: { driver: 'postgres-schema', size: 1 } },
        },
        placement: ({ id, labels }) => ({
          cluster: labels.on ?? 'main',
          driver: labels.as ?? 'postgres-schema',
          name: '${db.name}_' + id.toLowerCase(),
        }),
        migrations: { directory: './migrations' },
      };`,
    }));
    await scene.ok(['registry', 'init']);
    await scene.ok(['pool', 'fill']);
    await scene.ok(['tenant', 'provision', 'acme']);
    await scene.ok(['tenant', 'provision', 'globex', '--label', 'on=twin']);
    await scene.ok(['tenant', 'provision', 'initech', '--label', 'on=twin', '--label', 'as=postgres-database']);
    await scene.ok(['pool', 'fill']);
    expect(messages(await verify(scene, '--all', '--fix'))).toEqual([]);
    expect(await scene.db.query('SELECT cluster, status FROM tenancy.prepared_homes ORDER BY cluster')).toEqual([
      { cluster: 'main', status: 'ready' },
      { cluster: 'twin', status: 'ready' },
    ]);
  });

  test('nothing in databases that were copied from a template or came from the pool, or whose names are strange', {
    timeout: 120_000,
  }, async (scope) => {
    const scene = await createScene(scope, (db) => ({
      driver: 'postgres-database',
      migrations: Object.fromEntries(
        Array.from({ length: 12 }, (_, n) => [`${String(n + 1).padStart(4, '0')}_t.sql`, `CREATE TABLE t${n} (id int);\n`]),
      ),
      config: `export default {
        registry: { url: '${db.url}' },
        clusters: { main: { url: '${db.url}', pool: { driver: 'postgres-database', size: 1 } } },
        placement: ({ id }) => ({ cluster: 'main', driver: 'postgres-database', name: '${db.name}_ünü.-' + id.toLowerCase() }),
        migrations: { directory: './migrations' },
      };`,
    }));
    await scene.ok(['registry', 'init']);
    await scene.ok(['pool', 'fill']);
    await scene.ok(['tenant', 'provision', 'pooled', 'copied', 'again']);
    await scene.ok(['pool', 'fill']);
    await scene.ok(['tenant', 'suspend', 'again']);
    const run = await verify(scene, '--all');
    expect([run.exitCode, messages(run), run.finished.counts['up-to-date']]).toEqual([0, [], 3]);
  });

  test('what somebody altered in one tenant, by its name', { timeout: 60_000 }, async (scope) => {
    const scene = await createScene(scope, { migrations: everything });
    await scene.ok(['tenant', 'provision', 'acme', 'fine']);
    for (const sql of [
      'ALTER TABLE tenant_acme.invoices DROP COLUMN twice',
      'ALTER TABLE tenant_acme.invoices ALTER total SET DEFAULT 7',
      'ALTER TABLE tenant_acme.accounts DROP CONSTRAINT named, ALTER email TYPE text',
      'DROP INDEX tenant_acme.accounts_name',
      'CREATE INDEX by_hand ON tenant_acme.accounts (mood)',
      'CREATE TABLE tenant_acme."very strange"" name" (id int)',
      `ALTER TYPE tenant_acme.mood ADD VALUE 'worse'`,
      'ALTER TABLE tenant_acme.invoices DISABLE TRIGGER bump',
      'ALTER SEQUENCE tenant_acme.numbers INCREMENT 5',
      'CREATE OR REPLACE FUNCTION tenant_acme.bump() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RETURN NULL; END $$',
    ])
      await scene.db.query(sql);
    const run = await verify(scene, '--all');
    expect([run.exitCode, new Set(run.of('tenant.finding').map(({ tenant, code }) => `${tenant} ${code}`))]).toEqual([
      3,
      new Set(['acme structure-differs']),
    ]);
    expect(messages(run).sort()).toEqual([
      'acme: column email of table accounts is text, expected email',
      'acme: column total of table invoices is bigint NOT NULL DEFAULT 7, expected bigint NOT NULL DEFAULT 0',
      'acme: column twice of table invoices is missing',
      'acme: constraint named of table accounts is missing',
      `acme: enum mood is 'good', 'bad', 'worse', expected 'good', 'bad'`,
      'acme: function bump() has another definition than the migrations give it',
      'acme: index accounts_name of table accounts is missing',
      'acme: index by_hand of table accounts is not of the migrations',
      'acme: sequence numbers is bigint from 1000 by 5 between 1 and 9223372036854775807, expected bigint from 1000 by 1 between 1 and 9223372036854775807',
      'acme: table very strange" name is not of the migrations',
      'acme: trigger bump of table invoices is CREATE TRIGGER bump BEFORE INSERT ON tenant_acme.invoices FOR EACH ROW EXECUTE FUNCTION bump() (disabled), expected CREATE TRIGGER bump BEFORE INSERT ON tenant_acme.invoices FOR EACH ROW EXECUTE FUNCTION bump()',
    ]);
    expect(listFindings(await verify(scene, '--all', '--skip-structure'))).toEqual([]);
  });

  test('an index whose build was broken off, which --fix rebuilds as soon as it can be', async (scope) => {
    const scene = await createScene(scope, {
      migrations: { '0001_a.sql': 'CREATE TABLE a (n int);\nCREATE UNIQUE INDEX "a n" ON a (n);\n' },
    });
    await scene.ok(['tenant', 'provision', 'acme']);
    await scene.db.query('DROP INDEX tenant_acme."a n"');
    await scene.db.query('INSERT INTO tenant_acme.a VALUES (1), (1)');
    await expect(scene.db.query('CREATE UNIQUE INDEX CONCURRENTLY "a n" ON tenant_acme.a (n)')).rejects.toThrow(
      'could not create unique index',
    );
    expect(listFindings(await verify(scene, '--all', '--fix'))).toEqual(['index-invalid acme unfixed']);
    expect(await scene.db.query(`SELECT relname FROM pg_class WHERE relname LIKE 'a n%'`)).toEqual([{ relname: 'a n' }]);
    await scene.db.query('TRUNCATE tenant_acme.a');
    const fixed = await verify(scene, '--all', '--fix');
    expect([fixed.exitCode, listFindings(fixed), fixed.finished.counts.applied]).toEqual([0, ['index-invalid acme fixed'], 1]);
    expect(listFindings(await verify(scene, '--all'))).toEqual([]);
  });

  test('rights that no migration gave', async (scope) => {
    const scene = await createScene(scope, { migrations: { '0001_a.sql': 'CREATE TABLE a (n int);\n' } });
    await scene.ok(['tenant', 'provision', 'open', 'lent', 'fine']);
    const role = `${scene.db.name}_app`;
    await scene.db.query(`CREATE ROLE ${role}`);
    scope.onTestFinished(() =>
      scene.db.query(`DROP OWNED BY ${role}; DROP ROLE ${role}`).then(
        () => undefined,
        () => undefined,
      ),
    );
    await scene.db.query('GRANT USAGE, CREATE ON SCHEMA tenant_open TO PUBLIC');
    await scene.db.query(`GRANT USAGE ON SCHEMA tenant_lent TO ${role}`);
    const found = await verify(scene, '--all');
    expect([found.exitCode, listFindings(found)]).toEqual([
      3,
      ['rights-granted lent found', 'rights-public open found', 'rights-public open found'],
    ]);
    const fixed = await verify(scene, '--all', '--fix');
    expect([fixed.exitCode, listFindings(fixed)]).toEqual([
      0,
      ['rights-granted lent found', 'rights-public open fixed', 'rights-public open fixed'],
    ]);
    await scene.db.query(
      /REVOKE .*$/.exec(fixed.of('tenant.finding').find(({ code }) => code === 'rights-granted')?.repair ?? '')?.[0] ?? '',
    );
    expect(listFindings(await verify(scene, '--all'))).toEqual([]);
    await scene.db.query(`DROP ROLE ${role}`);
  });

  test('what was left under working names, and homes made ahead that are gone or nobody knows', { timeout: 60_000 }, async (scope) => {
    const scene = await createScene(scope, (db) => ({
      config: `export default {
        registry: { url: '${db.url}' },
        clusters: { main: { url: '${db.url}', pool: { driver: 'postgres-database', size: 2 } } },
        placement: ({ id }) => ({ cluster: 'main', driver: 'postgres-database', name: '${db.name}_' + id.toLowerCase() }),
        migrations: { directory: './migrations' },
      };`,
    }));
    const { db } = scene;
    await scene.ok(['tenant', 'provision', 'acme']);
    await scene.ok(['pool', 'fill']);
    const [acme] = await db.query<{ id: string }>(`SELECT home_operation_id AS id FROM tenancy.tenants`);
    const pool = await db.query<{ id: string; name: string }>(
      `SELECT id, name FROM tenancy.prepared_homes WHERE type = 'spare' ORDER BY sequence`,
    );
    await db.query(`CREATE DATABASE tenancy_op_${acme?.id}`);
    await db.query(`CREATE DATABASE tenancy_op_${acme?.id.split('').reverse().join('')}`);
    await db.query(`DROP DATABASE ${pool[0]?.name}`);
    await db.query(`DELETE FROM tenancy.prepared_homes WHERE id = '${pool[1]?.id}'`);
    await db.query(`CREATE DATABASE ${db.name}_looks`);
    await db.query(`CREATE DATABASE ${db.name}_orphan`);
    const [registry] = await db.query<{ id: string }>('SELECT id FROM tenancy.registry');
    await db.query(`COMMENT ON DATABASE ${db.name}_orphan IS 'tenancy:{"tenant":"zed","registry":"${registry?.id}","operation":"o"}'`);
    const expected = (status: string): string[] =>
      [
        `draft-left acme ${status}`,
        `home-lookalike ${db.name}_looks found`,
        `orphan-home ${db.name}_orphan ${status}`,
        `prepared-missing ${pool[0]?.name} ${status}`,
        `prepared-unknown ${pool[1]?.name} ${status}`,
      ].sort();
    expect(listFindings(await verify(scene, '--all'))).toEqual(expected('found'));
    expect(listFindings(await verify(scene, '--all', '--fix', '--dry-run'))).toEqual(expected('would-fix'));
    // Who asks for some tenants isn't told of what is nobody's.
    expect(listFindings(await verify(scene, 'acme'))).toEqual([]);
    const fixed = await verify(scene, '--all', '--fix');
    expect([fixed.exitCode, listFindings(fixed)]).toEqual([0, expected('fixed')]);
    expect(listFindings(await verify(scene, '--all'))).toEqual([`home-lookalike ${db.name}_looks found`]);
    // The draft of an operation that nobody knows was none of ours, and the tenant's own home stands.
    const left = await db.query<{ name: string }>(`SELECT datname AS name FROM pg_database WHERE datname = ANY ($1) ORDER BY 1`, [
      [`tenancy_op_${acme?.id.split('').reverse().join('')}`, `${db.name}_acme`],
    ]);
    expect(left).toHaveLength(2);
    await db.query(`DROP DATABASE tenancy_op_${acme?.id.split('').reverse().join('')}`);
  });

  test('a template that the registry does not know, with what drops it', async (scope) => {
    const scene = await createScene(scope, { driver: 'postgres-database' });
    const { db } = scene;
    await scene.ok(['tenant', 'provision', 'acme']);
    const [registry] = await db.query<{ id: string }>('SELECT id FROM tenancy.registry');
    const name = `${db.name}_template`;
    await db.query(`CREATE DATABASE ${name}`);
    await db.query(`COMMENT ON DATABASE ${name} IS 'tenancy:{"tenant":"*template","registry":"${registry?.id}","operation":"o"}'`);
    const [found] = (await verify(scene, '--all')).of('tenant.finding').filter(({ code }) => code === 'prepared-unknown');
    expect(found).toMatchObject({ name, repair: expect.stringContaining('`tenancy tenant verify --all --fix`') });
    await verify(scene, '--all', '--fix');
    expect(await db.query('SELECT FROM pg_database WHERE datname = $1', [name])).toEqual([]);
  });

  test('an orphan is never dropped that has something in it', async (scope) => {
    const scene = await createScene(scope);
    await scene.ok(['tenant', 'provision', 'acme']);
    await scene.db.query(`DELETE FROM tenancy.tenants WHERE id = 'acme'`);
    const run = await verify(scene, '--all', '--fix');
    expect([run.exitCode, listFindings(run), run.of('tenant.finding')[0]?.isFixable]).toEqual([
      3,
      ['orphan-home tenant_acme found'],
      false,
    ]);
    expect(await scene.db.query('SELECT count(*)::int AS n FROM tenant_acme.accounts')).toEqual([{ n: 0 }]);
  });

  test('what is retained, or on its way out, under a name of ours is found where the registry has forgotten it', async (scope) => {
    const scene = await createScene(scope);
    const { db } = scene;
    await scene.ok(['tenant', 'provision', 'acme']);
    const [registry] = await db.query<{ id: string }>('SELECT id FROM tenancy.registry');
    await scene.ok(['tenant', 'deprovision', 'acme', '--retain', '30d', '--skip-backup', '--confirm', 'acme']);
    expect(listFindings(await verify(scene, '--all'))).toEqual([]);
    const [kept] = await db.query<{ name: string }>(
      `SELECT nspname AS name FROM pg_namespace WHERE starts_with(nspname, 'tenancy_retained_')`,
    );
    await db.query(`DELETE FROM tenancy.tenants WHERE id = 'acme'`);
    const leaving = `tenancy_drop_${db.name}`;
    await db.query(`CREATE DATABASE ${leaving} ALLOW_CONNECTIONS false`);
    await db.query(`COMMENT ON DATABASE ${leaving} IS 'tenancy:{"tenant":"zed","registry":"${registry?.id}","operation":"o"}'`);
    try {
      const found = await verify(scene, '--all', '--fix');
      expect([found.exitCode, listFindings(found)]).toEqual([3, [`orphan-home ${leaving} found`, `orphan-home ${kept?.name} found`]]);
      expect(await db.query(`SELECT count(*)::int AS n FROM "${kept?.name}".accounts`)).toEqual([{ n: 0 }]);
      // A pattern that takes everything doesn't make tenants of them.
      const adopted = await scene.ok(['registry', 'adopt', '--cluster', 'main', '--pattern', '{id}', '--dry-run', '--json']);
      expect(adopted.stdout).not.toContain('tenancy_retained_');
    } finally {
      await db.query(`DROP DATABASE ${leaving}`);
    }
  });

  test.for(['postgres-schema', 'postgres-database'] as const)(
    'nothing of a killed verify over a %s but what the next one clears',
    { timeout: 60_000 },
    async (driver, scope) => {
      const scene = await createScene(scope, {
        driver,
        migrations: { '0001_wait.sql': 'SELECT pg_advisory_xact_lock(4711);\nCREATE TABLE a (n int);\n' },
      });
      await scene.ok(['tenant', 'provision', 'acme', 'beta']);
      const holder = new Client({ connectionString: scene.db.url });
      await holder.connect();
      const isWaiting = driver === 'postgres-schema' ? holder : null;
      if (isWaiting !== null) await holder.query('SELECT pg_advisory_lock(4711)');
      const started = await scene.start(['tenant', 'verify', '--all']);
      // It is there from the moment on that its reference is entered; where the migration waits, its home is made too.
      const look =
        isWaiting === null ? `SELECT FROM tenancy.prepared_homes` : `SELECT FROM pg_namespace WHERE nspname LIKE 'tenancy\\_new\\_%'`;
      while ((await scene.db.query(look)).length === 0) await new Promise((resolve) => setTimeout(resolve, 5));
      started.kill('SIGKILL');
      await started.result;
      await holder.end();
      await scene.db.query(`UPDATE tenancy.prepared_homes SET alive_until = now() - interval '1 second'`);
      await scene.db.query(`UPDATE tenancy.tenants SET lease_expires_at = now() - interval '1 second' WHERE lease_owner IS NOT NULL`);
      const next = await verify(scene, '--all');
      expect([next.exitCode, listFindings(next).filter((line) => !line.startsWith('lease-left'))]).toEqual([0, []]);
      expect(await scene.db.query('SELECT * FROM tenancy.prepared_homes')).toEqual([]);
      expect(await scene.db.query(`SELECT nspname FROM pg_namespace WHERE nspname LIKE 'tenancy\\_%'`)).toEqual([]);
      expect(await scene.db.query('SELECT id FROM tenancy.tenants WHERE lease_owner IS NOT NULL')).toEqual([]);
    },
  );

  test('logins of tenants: theirs are expected, others’ are not, and what they lack is given once more', {
    timeout: 60_000,
  }, async (scope) => {
    const scene = await createScene(scope, { configExtra: `isolation: 'role', secrets: { directory: './secrets' },` });
    await scene.ok(['tenant', 'provision', 'acme', 'beta', 'idle']);
    await scene.ok(['tenant', 'suspend', 'idle']);
    expect(messages(await verify(scene, '--all'))).toEqual([]);
    const rows = await scene.db.query<{ id: string; name: string }>(
      `SELECT id, login ->> 'current' AS name FROM tenancy.tenants ORDER BY id`,
    );
    const login = (id: string): string => rows.find((row) => row.id === id)?.name ?? '';
    const group = (id: string): string => login(id).replace(/_[ab]$/, '');
    await scene.db.query(`GRANT USAGE ON SCHEMA tenant_acme TO ${group('beta')}`);
    await scene.db.query(`REVOKE SELECT ON tenant_beta.accounts FROM ${group('beta')}`);
    await scene.db.query(`ALTER ROLE ${login('idle')} LOGIN`);
    expect(listFindings(await verify(scene, '--all'))).toEqual([
      'login-open idle found',
      'login-rights beta found',
      'rights-stranger acme found',
    ]);
    const fixed = await verify(scene, '--all', '--fix');
    expect([fixed.exitCode, listFindings(fixed)]).toEqual([
      0,
      ['login-open idle fixed', 'login-rights beta fixed', 'rights-stranger acme fixed'],
    ]);
    expect(messages(await verify(scene, '--all'))).toEqual([]);
    for (const id of ['acme', 'beta', 'idle']) await scene.ok(['tenant', 'deprovision', id, '--skip-backup', '--confirm', id]);
  });
});
