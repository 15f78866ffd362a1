// What goes into one file with what, so that a command reads few files and no more than it needs.
import path from 'node:path';
import { root } from './root.mjs';

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
export const migrations = 'src/lifecycle/migrator.ts';

/** Marks what this build asks itself, so that it isn't answered by itself. */
const ownQuestion = Symbol('own question');

/**
 * Code that different lazy imports share is split by who shares it, which comes to fifty small files for `tenant list`, each with its
 * own look-ups. What nearly every command needs stays in one piece where every lazy import is said to need it; so does what deals with
 * migrations, where whoever needs some of it is said to need all.
 */
export const sharedCore = (lazy, needsMigrations = new Set()) => ({
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
export function whoNeeds(file, inputs) {
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
export const lazyImportsAt = (place) => ({
  name: 'lazy-imports-at',
  setup: (build) => {
    build.onResolve({ filter: /^\./ }, ({ path: specifier, kind, resolveDir }) =>
      kind === 'dynamic-import' ? { path: place(sourceOf(specifier, resolveDir)), external: true } : undefined,
    );
  },
});
