import { mkdtemp, readdir, readFile, rm } from 'node:fs/promises';
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
  } as const;
  const context: CommandContext = {
    stdin,
    stdout,
    stderr,
    cwd: directory,
    env: {},
    nodeVersion: process.version,
    globals,
    columns: () => 80,
    rows: () => 24,
    takeSignals: () => ({ drain: new AbortController().signal, abort: new AbortController().signal }),
    noteRun: () => undefined,
    closeAtExit: () => undefined,
  };
  const exitCode = await runInit(context, flags).catch((error: { exitCode?: unknown }) => error.exitCode);
  return { exitCode, shown, stdout: printed };
}

test('asks what no flag says, and takes an empty answer for the default', async () => {
  const { exitCode, shown } = await answer(['database', ''], { migrations: 'sql' });
  expect(exitCode).toBe(0);
  expect(shown).toBe(
    'Keep tenants apart by schema (one database for all) or by database (one each)? [schema] ' +
      'Which server? embedded:DIR needs none; else postgres://… or env:NAME [embedded:.tenancy/postgres] ',
  );
  const config = await readFile(path.join(directory, 'tenancy.config.mjs'), 'utf8');
  expect(config).toContain("driver: 'postgres-database'");
  expect(config).toContain("url: 'embedded:.tenancy/postgres'");
  expect(config).toContain("directory: './sql'");
});

test('asks again where an answer is none', async () => {
  const { exitCode, shown } = await answer(['table', 'schema', 'postgres:/oops', 'env:ADMIN_URL', '']);
  expect(exitCode).toBe(0);
  expect(shown).toContain('--driver: expected schema or database, got "table"');
  expect(shown).toContain('--url: expected postgres://…');
});

test('an input that ends is no answer, and writes nothing', async () => {
  const { exitCode } = await answer(['schema', null]);
  expect(exitCode).toBe(130);
  expect(await readdir(directory)).toEqual([]);
});
