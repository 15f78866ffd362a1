// Bundles the benchmarks, which are TypeScript like the tests, and runs them. Arguments: names of benchmarks; none, all.
import { mkdir } from 'node:fs/promises';
import path from 'node:path';
import process from 'node:process';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { build } from 'esbuild';

const root = fileURLToPath(new URL('..', import.meta.url));
const outdir = path.join(root, 'dist', 'bench');
await mkdir(outdir, { recursive: true });
await build({
  absWorkingDir: root,
  entryPoints: { main: 'test/bench/main.ts', rival: 'test/bench/rival.ts' },
  outdir,
  outExtension: { '.js': '.mjs' },
  bundle: true,
  splitting: true,
  format: 'esm',
  platform: 'node',
  target: 'node20.19',
  packages: 'external',
  logLevel: 'warning',
});
const { main } = await import(pathToFileURL(path.join(outdir, 'main.mjs')).href);
process.exitCode = await main(root, process.argv.slice(2));
