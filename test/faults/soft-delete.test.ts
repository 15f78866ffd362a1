import { performance } from 'node:perf_hooks';
import { Client } from 'pg';
import { describe, expect, test } from 'vitest';
import { createScene, type Scene } from '../cli/scene.js';
import { checkInvariants } from '../rig/check-invariants.js';
import { checksumContents } from '../rig/home-checksum.js';
import { withDatabase } from '../rig/postgres.js';

/** From when the command has ended: every statement that a session sends after that is answered with an error. */
const MOST_MS = 1_000;

/** As the application has it: the tenant's own login, or the one that all share. */
async function urlOf(scene: Scene, { driver, isolation }: Variant, id: string): Promise<string> {
  if (isolation === 'role') return (await scene.ok(['tenant', 'show', id, '--reveal-url'])).stdout.trim();
  if (driver === 'postgres-database') return withDatabase(scene.db.url, `${scene.db.name}_${id}`);
  return `${scene.db.url}?options=${encodeURIComponent(`-c search_path=tenant_${id}`)}`;
}

interface Variant {
  readonly driver: 'postgres-schema' | 'postgres-database';
  readonly isolation: 'none' | 'role';
}

const retain = ['tenant', 'deprovision', 'acme', '--retain', '30d', '--skip-backup', '--confirm', 'acme'];

interface OpenSession {
  /** Whether it is answered; the error's code where it isn't. */
  ask(): Promise<string>;
  close(): Promise<void>;
}

/** A session of the application, in the middle of whatever `begin` says. */
async function openSession(url: string, begin: readonly string[], statement: string): Promise<OpenSession> {
  const client = new Client({ connectionString: url, application_name: 'the application' });
  client.on('error', () => undefined);
  await client.connect();
  const named = { name: 'asked-before', text: statement };
  try {
    for (const sql of begin) await client.query(sql);
    await client.query(named);
  } catch (error) {
    await client.end();
    throw error;
  }
  return {
    ask: () =>
      client.query(named).then(
        () => 'answered',
        (error: { code?: string; message: string }) => error.code ?? error.message,
      ),
    close: () => client.end().catch(() => undefined),
  };
}

async function readGrants(scene: Scene, driver: string, home: string): Promise<unknown> {
  const sql =
    driver === 'postgres-schema'
      ? `SELECT nspacl::text AS acl, (SELECT array_agg(relname || ' ' || relacl::text ORDER BY relname) FROM pg_class WHERE relnamespace = n.oid AND relacl IS NOT NULL) AS tables
           FROM pg_namespace n WHERE nspname = $1`
      : `SELECT ARRAY(SELECT unnest(coalesce(datacl, acldefault('d', datdba)))::text ORDER BY 1) AS acl, datallowconn, datconnlimit FROM pg_database WHERE datname = $1`;
  return scene.db.query(sql, [home]);
}

describe('19 soft delete: what is open gets errors, and all comes back', { timeout: 120_000 }, () => {
  test.for([
    { driver: 'postgres-schema', isolation: 'none' },
    { driver: 'postgres-schema', isolation: 'role' },
    { driver: 'postgres-database', isolation: 'none' },
    { driver: 'postgres-database', isolation: 'role' },
  ] as const)('$driver, isolation $isolation', async (variant, scope) => {
    const { driver, isolation } = variant;
    const scene = await createScene(scope, { driver, configExtra: `isolation: '${isolation}', secrets: { directory: './secrets' },` });
    const home = driver === 'postgres-schema' ? 'tenant_acme' : `${scene.db.name}_acme`;
    await scene.ok(['tenant', 'provision', 'acme', 'bystander']);
    const url = await urlOf(scene, variant, 'acme');
    const sql = `SELECT count(*) FROM accounts`;
    const before = {
      contents: await checksumContents(scene.db.url, { driver, name: home }),
      grants: await readGrants(scene, driver, home),
    };
    const bystander = await openSession(await urlOf(scene, variant, 'bystander'), ['BEGIN'], sql);
    const sessions = await Promise.all([
      openSession(url, [], sql),
      openSession(url, ['BEGIN', 'SELECT count(*) FROM accounts'], sql),
      openSession(url, ['BEGIN ISOLATION LEVEL REPEATABLE READ', 'DECLARE c CURSOR FOR SELECT * FROM accounts'], sql),
    ]);
    try {
      expect((await scene.json(retain)).exitCode).toBe(0);
      const endedMs = performance.now();
      for (const session of sessions) expect(await session.ask()).not.toBe('answered');
      const late = await openSession(url, [], sql).then(
        () => 'answered',
        (error: { code?: string }) => error.code,
      );
      expect(late).not.toBe('answered');
      expect(performance.now() - endedMs).toBeLessThan(MOST_MS);
      expect(await bystander.ask()).toBe('answered');

      expect((await scene.json(['tenant', 'undelete', 'acme'])).exitCode).toBe(0);
      expect(await checksumContents(scene.db.url, { driver, name: home })).toBe(before.contents);
      expect(await readGrants(scene, driver, home)).toEqual(before.grants);
      const again = await openSession(url, [], sql);
      expect(await again.ask()).toBe('answered');
      await again.close();
    } finally {
      for (const session of [...sessions, bystander]) await session.close();
    }

    // For good, and then anew: what opened the old one doesn't open the new one.
    await scene.ok(retain);
    await scene.ok(['tenant', 'purge', 'acme', '--early', '--confirm', 'acme']);
    await scene.ok(['tenant', 'provision', 'acme']);
    if (isolation === 'role') {
      await expect(openSession(url, [], sql)).rejects.toMatchObject({ code: expect.stringMatching(/^28/) });
      const anew = await openSession(await urlOf(scene, variant, 'acme'), [], sql);
      await anew.close();
    }
    await checkInvariants({ adminUrl: scene.db.url, registryUrl: scene.db.url });
  });
});
