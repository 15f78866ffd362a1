import { existsSync, readdirSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { expect, it } from 'vitest';
import { createTenancy } from '../../src/create-tenancy.js';
import type { Tenancy } from '../../src/tenancy.js';
import { createTestDatabase } from '../rig/postgres.js';
import { describeOn } from '../rig/require.js';
import { createTcpProxy } from '../rig/tcp-proxy.js';

describeOn('postgresql-client', () => {
  it('a backup that the registry could not be told of is whole, and a restore finds it', { timeout: 60_000 }, async ({
    onTestFinished,
  }) => {
    const [database, root] = await Promise.all([createTestDatabase('15'), mkdtemp(path.join(tmpdir(), 'tenancy-'))]);
    const opened: Tenancy[] = [];
    const proxy = await createTcpProxy(database.url, {
      onRequest: ({ phase, sql }) => (phase === 'before' && sql.includes('INTO tenancy.backups') ? 'drop' : 'forward'),
    });
    onTestFinished(async () => {
      await Promise.all(opened.map((tenancy) => tenancy.close()));
      await proxy.close();
      await Promise.all([database.drop(), rm(root, { recursive: true, maxRetries: 5 })]);
    });
    const open = async (registryUrl: string): Promise<Tenancy> => {
      const tenancy = await createTenancy(
        {
          registry: { url: registryUrl },
          clusters: { main: { url: database.url } },
          placement: ({ id }) => ({ cluster: 'main', driver: 'postgres-schema', name: `tenant_${id}` }),
          backups: { directory: './backups' },
        },
        { root },
      );
      opened.push(tenancy);
      return tenancy;
    };
    const [tenancy, cutOff] = await Promise.all([open(database.url), open(proxy.url)]);
    await tenancy.provision('acme');
    await database.query('CREATE TABLE tenant_acme.accounts AS SELECT 7 AS id');
    expect(await cutOff.backup({ ids: ['acme'] }, { limits: { retries: 0 } })).toMatchObject({ counts: { failed: 1 } });
    expect(await tenancy.listBackups('acme')).toEqual([]);
    const [dump = ''] = readdirSync(path.join(root, 'backups', 'acme')).filter((name) => name.endsWith('.dump'));
    const file = path.join(root, 'backups', 'acme', dump);
    expect([dump, existsSync(`${file}.json`)]).toEqual([expect.stringMatching(/\.dump$/), true]);
    expect(await tenancy.restore('acme', { from: file, as: 'twin' })).toMatchObject({ exitCode: 0 });
    expect(await database.query('SELECT id FROM tenant_twin.accounts')).toEqual([{ id: 7 }]);
  });
});
