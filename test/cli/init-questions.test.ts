import { mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { PassThrough } from 'node:stream';
import { afterEach, beforeEach, expect, test } from 'vitest';
import type { CommandContext } from '../../src/commands/context.js';
import type { InitFlags } from '../../src/commands/init/ask-answers.js';
import { runInit } from '../../src/commands/init.js';

let directory: string;

beforeEach(async () => {
  directory = await mkdtemp(path.join(os.tmpdir(), 'init-'));
});
afterEach(() => rm(directory, { recursive: true, force: true }));

/** Answers each question as it appears; null ends the input, as Ctrl-D does. */
async function answer(
  answers: readonly (string | null)[],
  flags: InitFlags = {},
  env: CommandContext['env'] = {},
): Promise<{ exitCode: unknown; shown: string; stdout: string }> {
  const [stdin, stdout, stderr] = [new PassThrough(), new PassThrough(), new PassThrough()];
  const left = [...answers];
  let shown = '';
  let printed = '';
  stdout.on('data', (chunk) => (printed += String(chunk)));
  stderr.on('data', (chunk) => {
    shown += String(chunk);
    if (!/\] $/.test(String(chunk))) return;
    const next = left.shift();
    if (typeof next === 'string') stdin.write(`${next}\n`);
    else stdin.end();
  });
  const globals = {
    config: undefined,
    output: 'plain',
    isQuiet: false,
    isVerbose: false,
    isColorful: false,
    isYes: false,
    canAsk: true,
    acceptCluster: [],
    junit: undefined,
  } as const;
  const context: CommandContext = {
    stdin: () => stdin,
    stdout,
    stderr,
    cwd: directory,
    env,
    nodeVersion: process.version,
    globals,
    columns: () => 80,
    rows: () => 24,
    takeSignals: () => ({ drain: new AbortController().signal, abort: new AbortController().signal }),
    noteRun: () => undefined,
    noteBroken: () => undefined,
    closeAtExit: () => undefined,
    endAtOnce: () => undefined,
  };
  const exitCode = await runInit(context, flags).catch((error: { exitCode?: unknown }) => error.exitCode);
  return { exitCode, shown, stdout: printed };
}

const read = (file: string): Promise<string> => readFile(path.join(directory, file), 'utf8');
const driverQuestion = 'Keep tenants apart by schema (one database for all) or by database (one each)? [schema] ';

test('asks what no flag says, and takes an empty answer for the default', async () => {
  const { exitCode, shown } = await answer(['', 'database'], { migrations: 'sql' });
  expect(exitCode).toBe(0);
  expect(shown).toBe(
    `Which server? postgres://…, mysql://…, mongodb://…, env:NAME for a variable, or embedded:DIR, a PostgreSQL from npm [embedded:.tenancy/postgres] ${driverQuestion}`,
  );
  const config = await read('tenancy.config.mjs');
  expect(config).toContain("driver: 'postgres-database'");
  expect(config).toContain("url: 'embedded:.tenancy/postgres'");
  expect(config).toContain("directory: './sql'");
});

test('asks again where an answer is none', async () => {
  const { exitCode, shown } = await answer(['postgres:/oops', 'postgres://admin@127.0.0.1/app', 'table', 'mysql', 'schema', '']);
  expect(exitCode).toBe(0);
  expect(shown).toContain('--url: expected postgres://…');
  expect(shown).toContain('--driver: expected schema or database, got "table"');
  expect(shown).toContain('--driver: expected schema or database, got "mysql"');
});

test('an input that ends is no answer, and writes nothing', async () => {
  const { exitCode } = await answer(['', null]);
  expect(exitCode).toBe(130);
  expect(await readdir(directory)).toEqual([]);
});

test.each([
  ['mysql://root@127.0.0.1:3306', {}, 'mysql-database'],
  ['mongodb://a.example.com,b.example.com:27018/?replicaSet=rs0', {}, 'mongodb-database'],
  ['env:SERVER_URL', { SERVER_URL: 'mariadb://root@127.0.0.1' }, 'mysql-database'],
])('a server that only one driver fits says which: %s', async (server, env, driver) => {
  const { exitCode, shown } = await answer([server, ''], {}, env);
  expect(exitCode).toBe(0);
  expect(shown).not.toContain(driverQuestion);
  expect(shown).toContain('Folder of the migrations? [./migrations/tenant] ');
  expect(await read('tenancy.config.mjs')).toContain(`driver: '${driver}'`);
});

test.each([
  ['mysql', 'mysql-database'],
  ['mongodb', 'mongodb-database'],
  ['', 'postgres-schema'],
  ['database', 'postgres-database'],
])('behind a variable that is not set may be any server: %j is %s', async (typed, driver) => {
  const { exitCode, shown } = await answer(['env:SERVER_URL', typed], { migrations: 'sql' });
  expect(exitCode).toBe(0);
  expect(shown).toContain(
    'What is it? PostgreSQL with a schema for each tenant (schema) or a database each (database), mysql, or mongodb [schema] ',
  );
  expect(await read('tenancy.config.mjs')).toContain(`driver: '${driver}'`);
});

test('for a driver, only its own servers will do', async () => {
  const { exitCode, shown } = await answer(['postgres://admin@127.0.0.1/app', ''], { driver: 'mysql-database', migrations: 'sql' });
  expect(exitCode).toBe(0);
  expect(shown).toBe(
    'Which server? mysql://…, env:NAME for a variable [env:DATABASE_URL] ' +
      '--url: expected mysql://… or env:NAME for --driver mysql-database, or --driver postgres-schema or postgres-database for this one, got "postgres://admin@127.0.0.1/app"\n' +
      'Which server? mysql://…, env:NAME for a variable [env:DATABASE_URL] ',
  );
  expect(await read('tenancy.config.mjs')).toContain('const { DATABASE_URL } = process.env;');
});

test('a migrator of its own needs no folder, so none is asked for', async () => {
  await writeFile(path.join(directory, 'package.json'), '{ "dependencies": { "knex": "3" } }');
  await writeFile(path.join(directory, 'knexfile.js'), 'export default {};');
  const { exitCode, shown } = await answer(['', '']);
  expect(exitCode).toBe(0);
  expect(shown).not.toContain('Folder');
});
