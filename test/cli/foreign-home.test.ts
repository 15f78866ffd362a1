import { describe, expect, test } from 'vitest';
import { createScene } from './scene.js';

describe.concurrent('a home that somebody has replaced', () => {
  test.for(['postgres-schema', 'postgres-database'] as const)('is not entered, where it is a %s', async (driver, scope) => {
    const scene = await createScene(scope, { driver });
    await scene.ok(['tenant', 'provision', 'acme']);
    const name = driver === 'postgres-schema' ? 'tenant_acme' : `${scene.db.name}_acme`;
    const kind = driver === 'postgres-schema' ? 'schema' : 'database';
    await scene.db.query(driver === 'postgres-schema' ? `DROP SCHEMA ${name} CASCADE` : `DROP DATABASE ${name}`);
    await scene.db.query(`CREATE ${kind} ${name}`);
    await scene.write('migrations/0099_more.sql', 'CREATE TABLE more (id bigint);\n');
    for (const args of [
      ['migrate'],
      ['migrate', '--force-verify'],
      ['migrate', '--dry-run', '--force-verify'],
      ['rollback', '--to', 'none'],
    ]) {
      const [command = '', ...flags] = args;
      const { finished, exitCode } = await scene.json(['tenant', command, 'acme', ...flags, '--retries', '0']);
      const { code, message } = finished.failed[0]?.error ?? {};
      expect([args.join(' '), exitCode, code]).toEqual([args.join(' '), 4, 'TENANCY_HOME_NOT_OURS']);
      expect(message).toContain(`the ${kind} ${name} was not made by tenancy, so it is not entered`);
    }
    if (driver === 'postgres-schema') {
      const relations = await scene.db.query(`SELECT FROM pg_class WHERE relnamespace = to_regnamespace('${name}')`);
      expect(relations).toEqual([]);
    }
  });
});
