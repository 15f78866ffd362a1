import { describe, expect, test } from 'vitest';
import { canaryPassword, createTestDatabase, query, withDatabase } from '../rig/postgres.js';
import { startPrivateServer } from '../rig/private-server.js';
import { createScene } from './scene.js';

const cleanUps: (() => Promise<void>)[] = [];
const numbered = (prefix: string): readonly string[] => Array.from({ length: 9 }, (_, index) => `${prefix}${index}`);

describe('the connections that a run would take', { timeout: 60_000 }, () => {
  test.each([
    ['login', (role: string) => `ALTER ROLE ${role} CONNECTION LIMIT 7`],
    ['database', (_: string, name: string) => `ALTER DATABASE ${name} CONNECTION LIMIT 7`],
  ] as const)('are refused where the limit of the %s leaves too few, with what fits', async (_, limit) => {
    const own = await createTestDatabase();
    const role = `${own.name}_few`;
    await own.query(`CREATE ROLE ${role} LOGIN PASSWORD '${canaryPassword}'`);
    await own.query(`GRANT CREATE ON DATABASE ${own.name} TO ${role}`);
    const url = new URL(own.url);
    url.username = role;
    const scene = await createScene({ onTestFinished: (cleanUp) => void cleanUps.push(cleanUp) }, (db) => ({
      registryUrl: db.url,
      databaseUrl: url.href,
      concurrency: 8,
    }));
    const tenants = Array.from({ length: 9 }, (__, index) => `t${index}`);
    await scene.ok(['tenant', 'provision', ...tenants]);
    await scene.write('migrations/0002_projects.sql', 'CREATE TABLE projects (id int);\n');
    await own.query(limit(role, own.name));
    const before = await scene.snapshot();
    const refused = await scene.json(['tenant', 'migrate', '--all']);
    expect(refused.finished).toMatchObject({ exitCode: 4, error: { code: 'TENANCY_CONNECTIONS_SHORT' } });
    const { message, hint } = refused.finished.error ?? {};
    expect(message).toMatch(
      /^cluster main can't bear 8 tenants at once: that takes 8 connections, and of its 7 by the limit of the .* others have \d; nothing was started$/,
    );
    const fits = Number(/--concurrency (\d)/.exec(hint ?? '')?.[1]);
    expect(fits).toBeGreaterThanOrEqual(5);
    expect(await scene.snapshot()).toEqual(before);
    expect((await scene.json(['tenant', 'migrate', '--all', '--dry-run'])).of('run.warned')).toMatchObject([
      { code: 'TENANCY_CONNECTIONS_SHORT' },
    ]);
    const done = await scene.json(['tenant', 'migrate', '--all', '--concurrency', String(fits)]);
    expect(done.finished.counts).toMatchObject({ applied: 9, failed: 0 });
    for (const cleanUp of cleanUps.splice(0).reverse()) await cleanUp();
    await own.drop();
  });

  test('are refused where a server has too few, and counted together where two clusters are one server', async (scope) => {
    const server = await startPrivateServer('18', { settings: { max_connections: '14', superuser_reserved_connections: '0' } });
    scope.onTestFinished(() => server.stop());
    for (const name of ['one', 'two']) await query(server.url, `CREATE DATABASE ${name}`);
    const clusterOf = (name: string, concurrency: number): object => ({ url: withDatabase(server.url, name), concurrency });
    const config = (registryUrl: string, most: number): string => `export default {
      registry: ${JSON.stringify({ url: registryUrl })},
      clusters: ${JSON.stringify({ one: clusterOf('one', most), two: clusterOf('two', 8) })},
      placement: ({ id }) => ({ cluster: id.startsWith('two') ? 'two' : 'one', driver: 'postgres-schema', name: 'tenant_' + id }),
      migrations: { directory: './migrations' },
    };`;
    const scene = await createScene(scope, ({ url }) => ({ config: config(url, 8) }));
    await scene.ok(['tenant', 'provision', ...numbered('one'), ...numbered('two'), '--concurrency', '4']);
    await scene.write('migrations/0002_projects.sql', 'CREATE TABLE projects (id int);\n');
    const before = await scene.snapshot();
    const { finished } = await scene.json(['tenant', 'migrate', '--all']);
    expect(finished).toMatchObject({ exitCode: 4, error: { code: 'TENANCY_CONNECTIONS_SHORT' } });
    expect(finished.error?.message).toMatch(
      /^clusters one, two are one server, which can't bear 16 tenants at once: that takes 16 connections, and of its 14 others have \d; nothing was started$/,
    );
    const fits = Number(
      /^say --concurrency (\d+), or lower clusters\.one\.concurrency, clusters\.two\.concurrency to that together/.exec(
        finished.error?.hint ?? '',
      )?.[1],
    );
    expect(fits).toBeGreaterThanOrEqual(12);
    expect(await scene.snapshot()).toEqual(before);
    expect((await scene.json(['tenant', 'migrate', '--all', '--concurrency', String(fits)])).finished.counts).toMatchObject({
      applied: 18,
    });

    await scene.write('tenancy.config.mjs', config(scene.db.url, 40));
    await scene.write('migrations/0003_more.sql', 'CREATE TABLE more (id int);\n');
    await scene.ok(['tenant', 'provision', ...numbered('onemore'), '--concurrency', '4']);
    await scene.db.query(`UPDATE tenancy.tenants SET migrations_hash = 'older' WHERE cluster = 'one'`);
    const alone = await scene.json(['tenant', 'migrate', '--cluster', 'one']);
    expect(alone.finished).toMatchObject({ exitCode: 4 });
    expect(alone.finished.error?.message).toMatch(
      /^cluster one can't bear 18 tenants at once: that takes 18 connections, and of its 14 others have \d;/,
    );
    expect((await scene.json(['tenant', 'migrate', '--cluster', 'two'])).finished.counts).toMatchObject({ applied: 9 });
  });
});
