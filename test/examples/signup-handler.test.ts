import { once } from 'node:events';
import { writeFileSync } from 'node:fs';
import path from 'node:path';
import { execa } from 'execa';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { cleanEnvironment, ensureBuilt, runCli } from '../rig/cli.js';
import { createTestDatabase, type TestDatabase } from '../rig/postgres.js';
import { copyExample, type ExampleCopy, typescriptFlags } from './copy-example.js';

let database: TestDatabase;
let example: ExampleCopy;
let server: ReturnType<typeof startServer>;
let origin: string;

beforeAll(async () => {
  await ensureBuilt();
  database = await createTestDatabase();
  example = copyExample('signup-handler');
  // The folder has no package.json, so that `npx tenancy` finds the repository's; an application has one.
  writeFileSync(path.join(example.directory, 'package.json'), '{ "type": "module" }\n');
  const env = { ...cleanEnvironment(), DATABASE_URL: database.url, PORT: '0' };
  const init = await runCli(['registry', 'init'], { cwd: example.directory, env });
  expect(init.exitCode, init.stderr).toBe(0);

  server = startServer(env);
  const listening = once(server.stdout, 'data').then(([text]) => String(text).trim());
  const ended = server.then((result) => Promise.reject(new Error(`the server ended:\n${result.all}`)));
  origin = await Promise.race([listening, ended]);
  ended.catch(() => undefined);
});

afterAll(async () => {
  server?.kill('SIGKILL');
  await server;
  example?.remove();
  await database?.drop();
});

function startServer(env: Record<string, string>) {
  return execa(process.execPath, [...typescriptFlags, 'server.ts'], {
    cwd: example.directory,
    env,
    extendEnv: false,
    reject: false,
    all: true,
    timeout: 120_000,
    killSignal: 'SIGKILL',
  });
}

async function signUp(id: string, key: string): Promise<{ status: number; body: Record<string, string> }> {
  const response = await fetch(`${origin}/signup?id=${encodeURIComponent(id)}`, { method: 'POST', headers: { 'idempotency-key': key } });
  return { status: response.status, body: (await response.json()) as Record<string, string> };
}

const home = { tenant: 'acme', cluster: 'main', driver: 'postgres-schema', name: 'tenant_acme' };

test('a sign-up gets a tenant, and says where it lives', async () => {
  expect(await signUp('acme', 'order-1')).toEqual({ status: 201, body: home });
  expect(await database.query('SELECT count(*)::int AS n FROM tenant_acme.accounts')).toEqual([{ n: 0 }]);
});

test('the same sign-up again gets the same answer', async () => {
  const before = await database.query('SELECT * FROM tenancy.tenants');
  expect(await signUp('acme', 'order-1')).toEqual({ status: 201, body: home });
  expect(await database.query('SELECT * FROM tenancy.tenants')).toEqual(before);
});

test.each(['acme', 'ACME'])('%s is taken for everybody else', async (id) => {
  expect(await signUp(id, 'order-2')).toEqual({ status: 409, body: { error: `${id} is taken` } });
});

test('of many who want one id at once, one gets it', async () => {
  const answers = await Promise.all(Array.from({ length: 8 }, (_, index) => signUp('globex', `race-${index}`)));
  expect(answers.map(({ status }) => status).sort()).toEqual([201, ...Array<number>(7).fill(409)]);
});

test('many at once, each with its own id, all get theirs', async () => {
  const answers = await Promise.all(Array.from({ length: 12 }, (_, index) => signUp(`many-${index}`, 'order-3')));
  expect(answers.map(({ status }) => status)).toEqual(Array<number>(12).fill(201));
});

test('what can be no id is refused', async () => {
  const { status, body } = await signUp('a b', 'order-4');
  expect(status).toBe(400);
  expect(body.error).toContain("can't be a tenant id");
});

test('a sign-up that failed half way is continued by the next try', async () => {
  await database.query('CREATE SCHEMA tenant_initech');
  expect((await signUp('initech', 'order-5')).status).toBe(500);
  await database.query('DROP SCHEMA tenant_initech');
  expect((await signUp('initech', 'order-5')).status).toBe(201);
});

test('it ends with all connections closed', async () => {
  server.kill('SIGTERM');
  const { exitCode, all } = await server;
  expect(exitCode, String(all)).toBe(0);
  await database.assertNoConnections();
});
