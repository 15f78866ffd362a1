import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { expect, test } from 'vitest';
import { checkSource } from '../../src/drivers/mongodb/backup/tools.js';

const TOOLS = { engineVersion: '8.0.0', described: 'the client library', version: null, paths: {} };

test('a backup with a time series is refused before anything is made, unless mongorestore is here', async (scope) => {
  const folder = await mkdtemp(path.join(tmpdir(), 'tenancy-'));
  scope.onTestFinished(() => rm(folder, { recursive: true }));
  await mkdir(path.join(folder, 'tenant_acme'));
  const describeCollection = (name: string, type: string): Promise<void> =>
    writeFile(
      path.join(folder, 'tenant_acme', `${name}.metadata.json`),
      JSON.stringify({ options: {}, indexes: [], uuid: '', collectionName: name, type }),
    );
  const source = { path: folder, name: 'tenant_acme' };

  await describeCollection('accounts', 'collection');
  await checkSource('acme', source, TOOLS);
  await describeCollection('readings', 'timeseries');
  await expect(checkSource('acme', source, TOOLS)).rejects.toMatchObject({
    code: 'TENANCY_RESTORE_REFUSED',
    message: expect.stringContaining('readings is a time series'),
  });
  await checkSource('acme', source, { ...TOOLS, paths: { mongodump: '/usr/bin/mongodump', mongorestore: '/usr/bin/mongorestore' } });
});
