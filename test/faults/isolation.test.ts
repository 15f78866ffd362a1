import { Client } from 'pg';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createTestDatabase, query, withDatabase } from '../rig/postgres.js';
import { postgresAttacks, postgresDatabaseAttacks } from './isolation-attacks.js';
import { attackOf, type Fleet, findUnrefused, openFleet, PAIRS, send } from './isolation-fleet.js';

const POSTGRES = `CREATE TABLE things (id serial PRIMARY KEY, value text DEFAULT 'a default that is told');
CREATE FUNCTION peek() RETURNS bigint LANGUAGE sql AS 'SELECT count(*) FROM things /* a source that is told */';
CREATE VIEW seen AS SELECT value FROM things WHERE value <> 'a definition that is told';
COMMENT ON TABLE things IS 'a comment that is told';
INSERT INTO things (value) VALUES ('precious');
`;

describe.sequential.each(['postgres-schema', 'postgres-database'] as const)('21 isolation: %s', { timeout: 120_000 }, (driver) => {
  let fleet: Fleet;
  let database: Awaited<ReturnType<typeof createTestDatabase>>;
  beforeAll(async () => {
    database = await createTestDatabase('18');
    await database.query(
      `CREATE TABLE public.shared (secret text); CREATE FUNCTION public.shared() RETURNS text LANGUAGE sql SECURITY DEFINER AS 'SELECT 1::text'`,
    );
    fleet = await openFleet(database.url, database.url, driver, driver === 'postgres-schema' ? 'tenant_' : `${database.name}_`, POSTGRES);
  }, 120_000);
  afterAll(async () => {
    await fleet?.close();
    await database?.drop();
  });

  const withClient = async <T>(url: string, use: (client: Client) => Promise<T>): Promise<T> => {
    const client = new Client({ connectionString: url });
    client.on('error', () => undefined);
    await client.connect();
    try {
      return await use(client);
    } finally {
      await client.end();
    }
  };

  it('nothing that one tenant tries on another succeeds', async ({ task }) => {
    const [{ admin } = { admin: '' }] = await query<{ admin: string }>(database.url, 'SELECT current_user AS admin');
    let tried = 0;
    for (const [attacker, victim] of PAIRS) {
      await withClient(fleet.urls.get(victim) ?? '', async (other) => {
        const { rows } = await other.query<{ pid: number }>('SELECT pg_backend_pid() AS pid');
        const attack = await attackOf(fleet, [attacker, victim], rows[0]?.pid ?? 0, admin);
        const statements = driver === 'postgres-schema' ? postgresAttacks(attack) : postgresDatabaseAttacks(attack);
        await withClient(fleet.urls.get(attacker) ?? '', async (client) => {
          const succeeded = await findUnrefused(send(statements, (sql) => client.query(sql)));
          expect([attacker, victim, succeeded]).toEqual([attacker, victim, []]);
          tried += statements.length;
          // And what is its own still works.
          await client.query(`RESET ROLE; INSERT INTO things (value) VALUES ('mine')`);
          expect((await client.query('SELECT peek() > 0 AS ok')).rows).toEqual([{ ok: true }]);
        });
        // The other one has noticed nothing.
        expect((await other.query(`SELECT count(*)::int AS n FROM things WHERE value = 'precious'`)).rows).toEqual([{ n: 1 }]);
      });
    }
    task.meta.points = { tried, converged: tried };
  });

  it('the databases of others let nobody in, and ours shows no row, and lets nobody in either once it is closed', async () => {
    const url = fleet.urls.get('a_b') ?? '';
    if (driver === 'postgres-database') {
      await expect(withClient(withDatabase(url, fleet.nameOf('aXb')), async () => undefined)).rejects.toMatchObject({ code: '42501' });
      // Ours, and any other on the server, let in whom PUBLIC does, as the docs say: to see names, and no rows.
      const ours = withDatabase(url, new URL(database.url).pathname.slice(1));
      await withClient(ours, async (client) => {
        await expect(client.query('SELECT * FROM tenancy.tenants')).rejects.toMatchObject({ code: '42501' });
        expect((await client.query(`SELECT FROM pg_class WHERE relname = 'tenants'`)).rowCount).toBe(1);
      });
      // Closed as they say, it lets nobody in, and the tool goes on.
      await database.query(`REVOKE CONNECT, TEMPORARY ON DATABASE ${database.name} FROM PUBLIC`);
      await expect(withClient(ours, async () => undefined)).rejects.toMatchObject({ code: '42501' });
      expect((await fleet.tenancy.verify({ ids: ['a_b'] })).exitCode).toBe(0);
    } else {
      for (const sql of [
        'SELECT * FROM tenancy.tenants',
        'SELECT * FROM public.shared',
        'SELECT public.shared()',
        'CREATE TABLE public.x (id int)',
      ]) {
        await expect(withClient(url, (client) => client.query(sql))).rejects.toMatchObject({ code: '42501' });
      }
    }
  });

  // A database has a catalogue of its own, and so nothing to tell.
  const ofSchemas = driver === 'postgres-schema' ? it : () => undefined;
  ofSchemas('names, sources, definitions, comments and counts are told, as the docs say, and no rows and statistics', async () => {
    const other = fleet.nameOf('aXb');
    await database.query(`ANALYZE ${other}.things`);
    await withClient(fleet.urls.get('a_b') ?? '', async (client) => {
      const ask = async (sql: string): Promise<unknown> => Object.values((await client.query(sql, [other])).rows[0] ?? {})[0];
      expect(await ask('SELECT nspname FROM pg_namespace WHERE nspname = $1')).toBe(other);
      expect(await ask(`SELECT relname FROM pg_class WHERE relnamespace::regnamespace::text = $1 AND relname = 'things'`)).toBe('things');
      expect(await ask(`SELECT prosrc FROM pg_proc p JOIN pg_namespace n ON n.oid = pronamespace WHERE nspname = $1`)).toContain(
        'a source that is told',
      );
      expect(
        await ask(
          `SELECT pg_get_viewdef(c.oid) FROM pg_class c JOIN pg_namespace n ON n.oid = relnamespace WHERE nspname = $1 AND relkind = 'v'`,
        ),
      ).toContain('a definition that is told');
      expect(
        await ask(
          `SELECT obj_description(c.oid, 'pg_class') FROM pg_class c JOIN pg_namespace n ON n.oid = relnamespace WHERE nspname = $1 AND relname = 'things'`,
        ),
      ).toBe('a comment that is told');
      expect(
        await ask(
          `SELECT pg_get_expr(adbin, adrelid) FROM pg_attrdef d JOIN pg_class c ON c.oid = adrelid JOIN pg_namespace n ON n.oid = relnamespace
            WHERE nspname = $1 AND pg_get_expr(adbin, adrelid) LIKE '%told%'`,
        ),
      ).toContain('a default that is told');
      expect(
        Number(
          await ask(
            `SELECT reltuples FROM pg_class c JOIN pg_namespace n ON n.oid = relnamespace WHERE nspname = $1 AND relname = 'things'`,
          ),
        ),
      ).toBeGreaterThan(0);
      expect(await ask(`SELECT rolname FROM pg_roles WHERE $1 <> '' AND rolname = '${await fleet.loginOf('aXb')}'`)).toBe(
        await fleet.loginOf('aXb'),
      );
      // Hidden.
      expect(await ask('SELECT count(*)::int FROM pg_stats WHERE schemaname = $1')).toBe(0);
      expect(await ask('SELECT count(*)::int FROM information_schema.tables WHERE table_schema = $1')).toBe(0);
    });
  });
});
