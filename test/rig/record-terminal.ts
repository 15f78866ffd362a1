/**
 * Runs a command in a terminal of its own and writes what it shows as an asciicast (version 2):
 * `node --import jiti/register test/rig/record-terminal.ts [--columns 100] [--rows 24] [--prompt TEXT] OUT.cast -- COMMAND ARG…`.
 * `npx svg-term-cli --in OUT.cast --out OUT.svg --window` makes the picture in the README of it.
 */
import { spawn } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { parseArgs } from 'node:util';
import { inTerminal } from './terminal.js';

/** How long the command line is shown before it runs, and the last picture after it. */
const TYPED_SECONDS = 0.8;
const REST_SECONDS = 6;

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    columns: { type: 'string', default: '100' },
    rows: { type: 'string', default: '24' },
    /** A command line to show above the output. */
    prompt: { type: 'string' },
  },
});
const [out, file, ...args] = positionals;
if (out === undefined || file === undefined)
  throw new Error('record-terminal: [--columns N] [--rows N] [--prompt TEXT] OUT.cast -- COMMAND ARG…');

const frames: (readonly [seconds: number, type: 'o', text: string])[] = [];
let offsetSeconds = 0;
if (values.prompt !== undefined) {
  frames.push([0, 'o', `\u001b[32m$\u001b[39m ${values.prompt}\r\n`]);
  offsetSeconds = TYPED_SECONDS;
}

const startedAtMs = performance.now();
const decoder = new TextDecoder();
const size = { columns: Number(values.columns), rows: Number(values.rows) };
const [starter, starterArgs, env] = inTerminal([file, ...args], size);
const child = spawn(starter, starterArgs, { stdio: ['inherit', 'pipe', 'inherit'], env: { ...process.env, ...env } });
child.stdout.on('data', (chunk: Buffer) => {
  const seconds = offsetSeconds + (performance.now() - startedAtMs) / 1000;
  frames.push([Number(seconds.toFixed(3)), 'o', decoder.decode(chunk, { stream: true })]);
});
child.on('close', (code) => {
  const last = frames.at(-1)?.[0] ?? 0;
  frames.push([last + REST_SECONDS, 'o', '']);
  const header = { version: 2, width: size.columns, height: size.rows, env: { TERM: env['TERM'] } };
  writeFileSync(out, `${[header, ...frames].map((line) => JSON.stringify(line)).join('\n')}\n`);
  process.exitCode = code ?? 1;
});
