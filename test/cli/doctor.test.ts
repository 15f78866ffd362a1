import { afterAll, beforeAll, expect, test } from 'vitest';
import { checkNode } from '../../src/commands/doctor/check-node.js';
import type { DoctorDocument } from '../../src/reporters/documents/doctor-document.js';
import { assertDocument } from '../rig/events-schema.js';
import { canaryPassword, createTestDatabase, type TestDatabase, withDatabase } from '../rig/postgres.js';
import { createProject, type ProjectOptions } from '../rig/project.js';

let database: TestDatabase;
beforeAll(async () => {
  database = await createTestDatabase();
});
afterAll(() => database.drop());

interface Examined {
  readonly exitCode: number;
  readonly status: string;
  readonly checks: Readonly<Record<string, string>>;
  readonly hints: Readonly<Record<string, string | undefined>>;
}

/** Runs it in a new project; the answer has each check by its name. */
async function examine(options: ProjectOptions, before: readonly (readonly string[])[] = []): Promise<Examined> {
  const project = await createProject(options);
  try {
    for (const args of before) {
      const { exitCode, stderr } = await project.run(args);
      expect(exitCode, stderr).toBe(0);
    }
    const { exitCode, stdout } = await project.run(['doctor', '--json']);
    const document = assertDocument<DoctorDocument>('doctor', stdout.trim());
    return {
      exitCode,
      status: document.status,
      checks: Object.fromEntries(document.checks.map(({ name, status, detail }) => [name, `${status}: ${project.normalise(detail)}`])),
      hints: Object.fromEntries(document.checks.map(({ name, hint }) => [name, hint])),
    };
  } finally {
    await project.remove();
  }
}

test('a project before its first tenant is sound, and is told that there is no registry yet', async () => {
  const project = await createProject({ databaseUrl: database.url });
  const { exitCode, stdout, stderr } = await project.run(['doctor']);
  expect({ exitCode, stderr }).toEqual({ exitCode: 0, stderr: '' });
  expect(project.normalise(stdout).replaceAll(/v\d+\.\d+\.\d+|(?<=PostgreSQL )\S+|\d{15,}|\d+ of \d+/g, '<n>')).toMatchInlineSnapshot(`
    "✔ node                       Node.js <n>
    ✔ config                     tenancy.config.mjs
    ✔ migrations                 1, up to 0001_accounts
    ! registry                   none yet at 127.0.0.1:<port>/<database>: the first provision makes one
                                 → if there should be one, registry.url names the wrong server or database
    ✔ clusters.main              PostgreSQL <n> at postgres://postgres@127.0.0.1:<port>/<database>
    ✔ clusters.main.identity     <n>/<database>; no tenant lives there yet
    ✔ clusters.main.privileges   all that postgres-schema needs
    ✔ clusters.main.connections  <n> in use; a run takes up to 10 (concurrency 8 + 2)

    1 to look at
    "
  `);
  await project.remove();
});

test('what the registry knows is compared, and nothing is written', async () => {
  const known = await examine({ databaseUrl: database.url }, [['tenant', 'provision', 'doctored']]);
  expect(known).toMatchObject({ exitCode: 0, status: 'ok' });
  expect(known.checks.registry).toMatch(/^ok: 1 tenant at/);
  expect(known.checks['clusters.main.identity']).toMatch(/as its tenants know it$/);

  const written = 'SELECT (SELECT count(*) FROM tenancy.events) AS events, (SELECT json_agg(c) FROM tenancy.clusters c) AS clusters';
  const before = await database.query(written);
  const other = await createTestDatabase();
  const moved = await examine({ registryUrl: database.url, databaseUrl: other.url });
  expect(moved).toMatchObject({ exitCode: 4, status: 'failed' });
  expect(moved.checks['clusters.main.identity']).toMatch(/^failed: cluster main is another server/);
  expect(moved.hints['clusters.main.identity']).toMatch(/--accept-cluster main/);
  expect(await database.query(written)).toEqual(before);
  await other.drop();
});

test('a registry that lacks a table is damaged, and one on a server that takes no writes is sound', async () => {
  const own = await createTestDatabase();
  await examine({ databaseUrl: own.url }, [['tenant', 'provision', 'doctored']]);
  await own.query(`ALTER DATABASE "${own.name}" SET default_transaction_read_only = on`);
  expect(await examine({ databaseUrl: own.url })).toMatchObject({ exitCode: 0, status: 'ok' });
  await database.query(`ALTER DATABASE "${own.name}" RESET default_transaction_read_only`);
  await own.query('DROP TABLE tenancy.runs CASCADE');
  const { exitCode, checks } = await examine({ databaseUrl: own.url });
  expect(exitCode).toBe(2);
  expect(checks.registry).toMatch(/^failed: the registry at \S+ is damaged: tenancy\.runs is missing$/);
  await own.drop();
});

test('a cluster that has tenants and is no longer in the config is named', async () => {
  const config = `export default {
    registry: { url: ${JSON.stringify(database.url)} },
    clusters: { renamed: { url: ${JSON.stringify(database.url)} } },
    placement: { cluster: 'renamed', driver: 'postgres-schema', name: 'tenant_{id}' },
    migrations: { directory: './migrations' },
  };`;
  const { exitCode, checks } = await examine({ config });
  expect(exitCode).toBe(2);
  expect(checks['clusters.main']).toBe("failed: the registry has 1 tenant there, but the config doesn't name it");
});

test('a cluster that is down hides nothing about the others', async () => {
  const other = await createTestDatabase();
  const { exitCode, checks } = await examine({
    config: `export default {
      registry: { url: ${JSON.stringify(other.url)} },
      clusters: { down: { url: 'postgres://postgres@127.0.0.1:1/postgres' }, up: { url: ${JSON.stringify(database.url)} } },
      placement: ({ id }) => ({ cluster: 'up', driver: 'postgres-database', name: 'tenant_' + id }),
      migrations: { directory: './migrations' },
    };`,
  });
  expect(exitCode).toBe(6);
  expect(checks['clusters.down']).toMatch(/^failed: cluster down at postgres:\/\/postgres@127\.0\.0\.1:<port>\/postgres can't be reached/);
  expect(checks['clusters.up']).toMatch(/^ok: PostgreSQL \d/);
  expect(checks['clusters.up.privileges']).toBe('ok: all that postgres-database needs');
  await other.drop();
});

test('a config that is wrong leaves the rest not looked at, and trying again is not proposed', async () => {
  const { exitCode, checks } = await examine({ config: 'export default { clusters: {}, placement: 1 }' });
  expect(exitCode).toBe(2);
  expect(checks.config).toMatch(/^failed: <project>\/tenancy\.config\.mjs: /);
  expect(checks.registry).toBe('warning: not looked at: there is no config to look by');
});

test('a login without the rights is told which, and how to grant them', async () => {
  const empty = await createTestDatabase();
  const role = `${empty.name}_weak`;
  await empty.query(`CREATE ROLE ${role} LOGIN PASSWORD '${canaryPassword}'`);
  const url = new URL(empty.url);
  url.username = role;
  const { exitCode, checks, hints } = await examine({ databaseUrl: url.href, registryUrl: empty.url, driver: 'postgres-database' });
  expect(exitCode).toBe(2);
  expect(checks['clusters.main.privileges']).toBe(
    'failed: postgres-database lacks CREATEDB and membership in pg_signal_backend, to end sessions',
  );
  expect(hints['clusters.main.privileges']).toBe(`ALTER ROLE "${role}" CREATEDB; GRANT pg_signal_backend TO "${role}"`);
  await empty.drop();
});

test('a concurrency that the server has no connections for is refused', async () => {
  const { exitCode, checks, hints } = await examine({ databaseUrl: database.url, concurrency: 5000 });
  expect(exitCode).toBe(2);
  expect(checks['clusters.main.connections']).toMatch(/^failed: \d+ of \d+ in use; a run takes up to 5002 \(concurrency 5000 \+ 2\)$/);
  expect(hints['clusters.main.connections']).toMatch(/^lower clusters\.main\.concurrency to \d+, or raise max_connections$/);
});

test('those that a migrator opens itself are counted as a run counts them, and one whose lock is the whole database has one tenant at a time', async () => {
  const migrator = (rest: string): string =>
    `hooks: { migrate: { type: 'migrator', name: 'ours', run: async () => {}, target: async () => null, readVersion: async () => null, ${rest} } }`;
  const config = (rest: string): string => `export default {
    registry: { url: ${JSON.stringify(database.url)} },
    clusters: { main: { url: ${JSON.stringify(database.url)}, concurrency: 2000 } },
    placement: ({ id }) => ({ cluster: 'main', driver: 'postgres-schema', name: 'tenant_' + id }),
    ${migrator(rest)},
  };`;
  const { checks, hints } = await examine({ config: config('connections: 3') });
  expect(checks['clusters.main.connections']).toMatch(
    / a run takes up to 8002 \(concurrency 2000 × 4, with those of the migrator, \+ 2\)$/,
  );
  const most = Number(/ of (\d+) in use/.exec(checks['clusters.main.connections'] ?? '')?.[1]);
  expect(hints['clusters.main.connections']).toBe(
    `lower clusters.main.concurrency to ${Math.floor((most - 2) / 4)}, or raise max_connections`,
  );
  const alone = await examine({ config: config("lockScope: 'database'") });
  expect(alone.checks['clusters.main.connections']).toMatch(/^ok: .* a run takes up to 4 \(concurrency 1 × 2, /);
});

test("a server without TLS is told so, and node-pg's own warning about sslmode is not passed on", async () => {
  const project = await createProject({ databaseUrl: `${database.url}?sslmode=require` });
  const { exitCode, stdout, stderr } = await project.run(['doctor']);
  expect({ exitCode, stderr }).toEqual({ exitCode: 2, stderr: '' });
  expect(stdout).toMatch(/clusters\.main .*sslmode=disable in the URL does without/);
  await project.remove();
});

test.each([
  ['login', (role: string) => `ALTER ROLE ${role} CONNECTION LIMIT 5`, (role: string) => `ALTER ROLE "${role}" CONNECTION LIMIT -1`],
  [
    'database',
    (_: string, name: string) => `ALTER DATABASE ${name} CONNECTION LIMIT 5`,
    (_: string, name: string) => `ALTER DATABASE "${name}" CONNECTION LIMIT -1`,
  ],
] as const)('a limit on the connections of the %s is counted with', async (kind, limit, unlimit) => {
  const own = await createTestDatabase();
  const role = `${own.name}_few`;
  await own.query(`CREATE ROLE ${role} LOGIN PASSWORD '${canaryPassword}'`);
  await own.query(`GRANT CREATE ON DATABASE ${own.name} TO ${role}`);
  await own.query(limit(role, own.name));
  const url = new URL(own.url);
  url.username = role;
  const { exitCode, checks, hints } = await examine({ databaseUrl: url.href });
  expect(exitCode).toBe(2);
  expect(checks['clusters.main.connections']).toMatch(
    new RegExp(`^failed: \\d of 5 by the limit of the ${kind} \\S+ in use; a run takes up to 10`),
  );
  expect(hints['clusters.main.connections']).toBe(`lower clusters.main.concurrency to 3, or ${unlimit(role, own.name)}`);
  await own.drop();
});

test('a database that does not exist, and migrations that are not there, are each named', async () => {
  const { exitCode, checks } = await examine({ databaseUrl: withDatabase(database.url, `${database.name}_absent`), migrations: {} });
  expect(exitCode).toBe(2);
  expect(checks.migrations).toMatch(/^failed: .*migrations does not exist/);
  expect(checks.registry).toMatch(/^failed: there is no database/);
  expect(checks['clusters.main']).toMatch(/there is no such database/);
});

test.each([
  ['v20.18.3', 'failed'],
  ['v20.19.0', 'ok'],
  ['v21.7.3', 'failed'],
  ['v22.2.0', 'failed'],
  ['v22.3.0', 'ok'],
  ['v24.1.0', 'ok'],
])('Node.js %s is %s', (version, status) => {
  expect(checkNode(version).status).toBe(status);
});

test('an embedded server that does not come up is told once', async () => {
  const { exitCode, checks } = await examine({ databaseUrl: 'embedded:taken', files: { taken: 'a file\n' } });
  expect(exitCode).toBe(2);
  expect(checks.embedded).toMatch(/^failed: embedded:<project>\/taken can't be used/);
  expect(checks.registry).toBe('failed: its embedded server does not run');
  expect(checks['clusters.main']).toBe('failed: its embedded server does not run');
});
