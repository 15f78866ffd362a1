import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { byDriver, sqlMigrations } from '../../hooks/index.js';
import { createTenancy } from '../../src/create-tenancy.js';
import type { Tenancy } from '../../src/tenancy.js';
import type { DriverName } from '../../src/tenant.js';
import { createTestDatabase, type TestDatabase } from '../rig/postgres.js';

describe('a fleet with migrations for each driver', () => {
  let database: TestDatabase;
  let directory: string;
  const opened: Tenancy[] = [];

  beforeEach(async () => {
    [database, directory] = await Promise.all([createTestDatabase(), mkdtemp(path.join(tmpdir(), 'tenancy-'))]);
    await write('schemas/0001_small.sql', 'CREATE TABLE small (id int)');
    await write('databases/0001_large.sql', 'CREATE TABLE large (id int)');
  });
  afterEach(async () => {
    await Promise.all(opened.splice(0).map((tenancy) => tenancy.close()));
    await Promise.all([database.drop(), rm(directory, { recursive: true })]);
  });

  async function write(file: string, text: string): Promise<void> {
    await mkdir(path.dirname(path.join(directory, file)), { recursive: true });
    await writeFile(path.join(directory, file), text);
  }

  async function open(drivers: readonly DriverName[]): Promise<Tenancy> {
    const { url, name } = database;
    const folders = { 'postgres-schema': 'schemas', 'postgres-database': 'databases' } as Record<DriverName, string>;
    const tenancy = await createTenancy(
      {
        clusters: { main: { url } },
        placement: ({ id, labels }) => ({
          cluster: 'main',
          driver: labels['plan'] === 'large' ? 'postgres-database' : 'postgres-schema',
          name: `${name}_${id}`,
        }),
        hooks: {
          migrate: byDriver(Object.fromEntries(drivers.map((driver) => [driver, sqlMigrations({ directory: folders[driver] })]))),
        },
      },
      { root: directory },
    );
    opened.push(tenancy);
    return tenancy;
  }

  it('brings each tenant to the version of its own driver, and touches only who is behind', async () => {
    const tenancy = await open(['postgres-schema', 'postgres-database']);
    expect((await tenancy.provision(['a', 'b'])).exitCode).toBe(0);
    expect((await tenancy.provision('c', { labels: { plan: 'large' } })).exitCode).toBe(0);
    expect((await tenancy.find('a')).schemaVersion).toBe('0001_small');
    expect((await tenancy.find('c')).schemaVersion).toBe('0001_large');

    expect((await tenancy.migrate({ all: true })).counts).toMatchObject({ 'up-to-date': 3, applied: 0 });
    await write('databases/0002_more.sql', 'CREATE TABLE more (id int)');
    const later = await open(['postgres-schema', 'postgres-database']);
    expect((await later.migrate({ all: true })).counts).toMatchObject({ 'up-to-date': 2, applied: 1 });
    expect((await later.find('c')).schemaVersion).toBe('0002_more');
    expect((await later.find('a')).schemaVersion).toBe('0001_small');
  });

  it('fails tenants whose driver is forgotten, and takes none for done', async () => {
    const tenancy = await open(['postgres-schema', 'postgres-database']);
    await tenancy.provision('a');
    await tenancy.provision('c', { labels: { plan: 'large' } });
    const forgetful = await open(['postgres-schema']);
    const report = await forgetful.migrate({ all: true });
    expect(report).toMatchObject({ exitCode: 1, counts: { 'up-to-date': 1, failed: 1 } });
    expect(report.failed[0]).toMatchObject({ tenant: 'c', error: { code: 'TENANCY_DRIVER_UNMIGRATED' } });
  });
});
