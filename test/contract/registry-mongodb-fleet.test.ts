import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { createTenancy } from '../../src/create-tenancy.js';
import { openRegistry } from '../../src/registry/index.js';
import type { Tenancy } from '../../src/tenancy.js';
import { createTestDatabase, type TestDatabase } from '../rig/postgres.js';
import { createMongodbSubject, type MongodbSubject } from './registry-mongodb-rig.js';

const TENANTS = 40;

let database: TestDatabase;
let subject: MongodbSubject;
let directory: string;
const opened: Tenancy[] = [];

beforeEach(async () => {
  [database, subject, directory] = await Promise.all([
    createTestDatabase(),
    createMongodbSubject(),
    mkdtemp(path.join(tmpdir(), 'tenancy-')),
  ]);
});
afterEach(async () => {
  await Promise.all(opened.splice(0).map((tenancy) => tenancy.close()));
  await Promise.all([database.drop(), subject.drop(), rm(directory, { recursive: true })]);
});

async function open(): Promise<Tenancy> {
  const tenancy = await createTenancy(
    {
      registry: { url: subject.url },
      clusters: { main: { url: database.url, concurrency: 4 } },
      placement: ({ id }) => ({ cluster: 'main', driver: 'postgres-schema', name: `tenant_${id}` }),
      migrations: { directory },
    },
    { root: directory },
  );
  opened.push(tenancy);
  return tenancy;
}

test('a fleet in PostgreSQL is kept account of in MongoDB, also by several processes at once', { timeout: 60_000 }, async () => {
  await writeFile(path.join(directory, '0001_notes.sql'), 'CREATE TABLE notes (id int); INSERT INTO notes VALUES (1);');
  const ids = Array.from({ length: TENANTS }, (_, index) => `t${index}`);
  expect(await (await open()).provision(ids)).toMatchObject({ exitCode: 0 });

  await writeFile(path.join(directory, '0002_more.sql'), 'INSERT INTO notes VALUES (2);');
  const processes = await Promise.all([open(), open(), open()]);
  const reports = await Promise.all(processes.map((each) => each.migrate({ all: true })));
  expect(reports.map(({ exitCode }) => exitCode)).toEqual([0, 0, 0]);
  expect(reports.reduce((sum, { counts }) => sum + counts.applied, 0)).toBe(TENANTS);
  for (const id of ids) expect(await database.query(`SELECT count(*)::int AS notes FROM tenant_${id}.notes`)).toEqual([{ notes: 2 }]);

  const registry = await openRegistry({ url: subject.url, create: false, applicationName: subject.applicationName });
  const summary = await registry.summarize({});
  expect(summary).toMatchObject([{ status: 'active', tenants: TENANTS, withError: 0 }]);
  const left = await registry.listTenants({}, { after: null, limit: TENANTS });
  expect(left.filter((tenant) => tenant.lease !== null)).toEqual([]);
  expect((await registry.listRuns({ before: null, limit: 10 })).map(({ status }) => status)).toEqual(Array(4).fill('finished'));
  await registry.close();
});
