import { createServer } from 'node:net';
import { afterEach, describe, expect, it } from 'vitest';
import type { ClusterEngine } from '../../src/drivers/driver.js';
import { openClusterEngine } from '../../src/drivers/index.js';
import { canaryPassword, createTestDatabase, postgresUrl, query, type TestDatabase, withDatabase } from '../rig/postgres.js';
import { markerOf, sessionOptions } from './driver-suite.js';

const opened: ClusterEngine[] = [];
afterEach(async () => {
  await Promise.all(opened.splice(0).map((engine) => engine.close()));
});

async function open(url: string, maxConnections = 2): Promise<ClusterEngine> {
  const engine = await openClusterEngine({
    cluster: 'main',
    url,
    maxConnections,
    extensionsSchema: 'extensions',
    applicationName: 'contract-cluster',
  });
  opened.push(engine);
  return engine;
}

async function failure(work: Promise<unknown>): Promise<unknown> {
  try {
    await work;
  } catch (error) {
    return error;
  }
  throw new Error('it did not fail');
}

describe('a PostgreSQL cluster', () => {
  it('tells one server and database from every other', async () => {
    const [a, b, other] = await Promise.all([createTestDatabase('18'), createTestDatabase('18'), postgresUrl('15')]);
    try {
      const identities = await Promise.all([a.url, b.url, a.url, other].map(async (url) => (await open(url)).readIdentity()));
      expect(identities[0]).toBe(identities[2]);
      expect(new Set(identities).size).toBe(3);
      expect(identities[0]).toMatch(new RegExp(`^\\d+/${a.name}$`));
      await Promise.all(opened.splice(0).map((engine) => engine.close()));
    } finally {
      await a.drop();
      await b.drop();
    }
  });

  it('says what its login may and may not do', async () => {
    const database = await createTestDatabase('15');
    try {
      const login = `${database.name}_plain`;
      await database.query(`CREATE ROLE ${login} LOGIN PASSWORD 'plain-secret'`);
      const url = new URL(database.url);
      url.username = login;
      url.password = 'plain-secret';
      const engine = await open(url.href);
      const facts = await engine.readFacts();
      const [server] = await database.query<{ version: string; most: number }>(
        `SELECT current_setting('server_version') AS version, current_setting('max_connections')::int - 3 AS most`,
      );
      expect(facts).toMatchObject({ version: server?.version, maxConnections: server?.most });
      expect(facts.connectionsInUse).toBeGreaterThan(0);
      expect(facts.privileges.filter(({ isGranted }) => !isGranted).map(({ hint }) => hint)).toEqual([
        `GRANT CREATE ON DATABASE "${database.name}" TO "${login}"`,
        `ALTER ROLE "${login}" CREATEDB`,
        `GRANT pg_signal_backend TO "${login}"`,
      ]);
      const { privileges } = await (await open(database.url)).readFacts();
      expect(privileges.filter(({ isGranted }) => !isGranted)).toEqual([]);
      await Promise.all(opened.splice(0).map((each) => each.close()));
    } finally {
      await database.drop();
    }
  });

  it.each([
    ['postgres-schema', 'schema', (login: string, database: string) => `GRANT CREATE ON DATABASE "${database}" TO "${login}"`],
    ['postgres-database', 'database', (login: string) => `ALTER ROLE "${login}" CREATEDB`],
  ] as const)('names the right that its login lacks to create a %s tenant', async (driver, kind, grant) => {
    const database = await createTestDatabase('18');
    try {
      const login = `${database.name}_plain`;
      await database.query(`CREATE ROLE ${login} LOGIN PASSWORD '${canaryPassword}'`);
      const url = new URL(database.url);
      url.username = login;
      url.password = canaryPassword;
      const engine = await open(url.href);
      const target = { name: `${database.name}_home`, marker: markerOf('acme') };
      const error = await failure(engine.driver(driver).create(target, new AbortController().signal));
      expect(error).toMatchObject({
        code: 'TENANCY_CREATE_FORBIDDEN',
        exitCode: 2,
        message: expect.stringContaining(`the ${kind} ${target.name} can't be created: the login ${login} lacks CREATE`),
        hint: expect.stringContaining(grant(login, database.name)),
      });
      await Promise.all(opened.splice(0).map((each) => each.close()));
    } finally {
      await database.drop();
    }
  });

  describe('that can not be reached', () => {
    const explain = async (url: string): Promise<string> => {
      const engine = await open(url);
      const error = await failure(engine.readIdentity());
      const described = engine.describeUnreachable(error);
      expect(described).toMatchObject({ code: 'TENANCY_CLUSTER_UNREACHABLE', exitCode: 6, cause: error });
      return `${engine.classify(error)}: ${described?.message}`;
    };

    it('says that nobody listens', async () => {
      expect(await explain('postgres://u:hush@127.0.0.1:1/db')).toBe(
        "connection: cluster main at postgres://u@127.0.0.1:1/db can't be reached: connect ECONNREFUSED 127.0.0.1:1",
      );
    });

    it('says that the name leads nowhere', async () => {
      expect(await explain('postgres://u:hush@nowhere.invalid/db')).toMatch(/^connection: .*nowhere\.invalid/);
    });

    it('says that the database is not there', async () => {
      expect(await explain(withDatabase(await postgresUrl('18'), 'no_such_db'))).toMatch(
        /^fatal: .*there is no such database .*"no_such_db"/,
      );
    });

    it('says that the password is wrong, and not what it was', async () => {
      const database = await createTestDatabase('18');
      try {
        await database.query(`CREATE ROLE ${database.name}_pw LOGIN PASSWORD 'right'`);
        const url = new URL(database.url);
        url.username = `${database.name}_pw`;
        const text = await explain(url.href);
        expect(text).toMatch(/^fatal: .*the password was not accepted/);
        expect(text).not.toContain(canaryPassword);
      } finally {
        await database.drop();
      }
    });

    it('says that the server has no TLS', async () => {
      expect(await explain(`${withDatabase(await postgresUrl('18'), 'postgres')}?sslmode=require`)).toMatch(
        /can't be reached: its sslmode asks for TLS, and the server has none; sslmode=disable in the URL does without$/,
      );
    });

    it('says that the socket is not there', async () => {
      expect(await explain('postgres://u@/db?host=/nowhere/at/all')).toMatch(/^connection: .*ENOENT/);
    });

    it('has nothing to say of any other error', async () => {
      const engine = await open(await postgresUrl('18'));
      expect(engine.describeUnreachable(new Error('a bug'))).toBeNull();
    });
  });

  it.each(['', 'db.example.com', 'http://x/y', 'postgres:/half', 'redis://u:p@h/d'])('refuses the URL %j', async (url) => {
    await expect(open(url)).rejects.toMatchObject({ code: 'TENANCY_CLUSTER_URL_REJECTED', exitCode: 2 });
  });
});

describe('a connection', () => {
  let database: TestDatabase;
  const use = async (test: () => Promise<void>): Promise<void> => {
    database = await createTestDatabase('18');
    try {
      await test();
      await Promise.all(opened.splice(0).map((engine) => engine.close()));
    } finally {
      await database.drop();
    }
  };

  it('that the server ended is not lent again', () =>
    use(async () => {
      const engine = await open(database.url, 1);
      await engine.readIdentity();
      await database.query(
        `SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'contract-cluster' AND datname = current_database()`,
      );
      await expect
        .poll(() =>
          engine.readIdentity().then(
            () => 'fine',
            () => 'broken',
          ),
        )
        .toBe('fine');
      expect(await engine.readIdentity()).toContain(database.name);
    }));

  it('that is ended in mid-statement fails as a connection, and gives its place back', () =>
    use(async () => {
      const engine = await open(database.url, 1);
      const driver = engine.driver('postgres-schema');
      const home = { name: 'ended', marker: markerOf('ended') };
      await driver.create(home, new AbortController().signal);
      const work = failure(driver.withSession(home, sessionOptions(), ({ db }) => db.query('SELECT pg_sleep(33)')));
      await expect
        .poll(() =>
          database.query(
            `SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE query LIKE '%pg_sleep(33)%' AND pid <> pg_backend_pid()`,
          ),
        )
        .not.toEqual([]);
      expect(engine.classify(await work)).toBe('connection');
      expect(await driver.probe(home)).toEqual({ status: 'ours', isEmpty: true });
    }));

  it('is closed with everything that waits for it', () =>
    use(async () => {
      const engine = await open(database.url, 1);
      const driver = engine.driver('postgres-schema');
      const home = { name: 'closing', marker: markerOf('closing') };
      await driver.create(home, new AbortController().signal);
      let isRunning: () => void = () => {};
      const running = new Promise<void>((resolve) => {
        isRunning = resolve;
      });
      const first = failure(
        driver.withSession(home, sessionOptions(), async ({ db }) => {
          isRunning();
          await db.query('SELECT pg_sleep(30)');
        }),
      );
      await running;
      const second = failure(driver.probe(home));
      await engine.close();
      await expect(first).resolves.toBeInstanceOf(Error);
      await expect(second).resolves.toBeInstanceOf(Error);
      await expect(failure(driver.probe(home))).resolves.toBeInstanceOf(Error);
      expect(
        await query(
          database.url,
          `SELECT FROM pg_stat_activity WHERE application_name = 'contract-cluster' AND datname = current_database()`,
        ),
      ).toEqual([]);
    }));

  it('to a server that says nothing ends with the abort, and does not keep the cluster from closing', async () => {
    const silent = createServer();
    const met = new Promise<void>((resolve) => silent.once('connection', () => resolve()));
    await new Promise<void>((resolve) => silent.listen(0, '127.0.0.1', resolve));
    const address = silent.address();
    if (address === null || typeof address === 'string') throw new Error('no port');
    const engine = await open(`postgres://u@127.0.0.1:${address.port}/db`, 1);
    const abort = new AbortController();
    const work = failure(engine.driver('postgres-schema').create({ name: 'silent', marker: markerOf('silent') }, abort.signal));
    await met;
    abort.abort(new Error('too long'));
    expect(await work).toMatchObject({ message: 'too long' });
    const started = performance.now();
    await engine.close();
    expect(performance.now() - started).toBeLessThan(2_000);
    silent.close();
  });
});
