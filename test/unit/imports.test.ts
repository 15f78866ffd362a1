import { fileURLToPath } from 'node:url';
import { expect, test } from 'vitest';
import { readImports, type SourceImport } from '../rig/read-imports.js';

const root = fileURLToPath(new URL('../..', import.meta.url));
const sources = readImports(root, ['src', 'hooks']);
const imports = sources.flatMap((source) => source.imports);

/** What everything may use. */
const words = ['tenant', 'events', 'outcome', 'planned', 'run-stop', 'finding', 'errors', 'util'];

/** Each part of the program, with the parts or the single files that it may run. */
const allowed: Readonly<Record<string, readonly string[]>> = {
  util: ['errors'],
  errors: ['util'],
  tenant: ['errors'],
  finding: [],
  outcome: [],
  planned: ['tenant'],
  'run-stop': [],
  events: ['outcome', 'planned', 'run-stop', 'errors', 'finding', 'tenant', 'util'],
  config: [...words, 'src/drivers/names.ts'],
  embedded: words,
  migrations: words,
  drivers: [...words, 'migrations'],
  registry: [...words, 'migrations'],
  secrets: words,
  fleet: words,
  lifecycle: [
    ...words,
    'config',
    'migrations',
    'src/drivers/index.ts',
    'src/drivers/names.ts',
    'src/drivers/login-names.ts',
    'src/registry/index.ts',
    'src/embedded/index.ts',
    'src/fleet/retry.ts',
    'secrets',
  ],
  executors: words,
  runs: [
    ...words,
    'config',
    'migrations',
    'src/registry/index.ts',
    'src/drivers/index.ts',
    'src/drivers/names.ts',
    'executors',
    'lifecycle',
    'fleet',
  ],
  // The tally is plain counting.
  // What runs told, read and added up.
  reports: [...words, 'src/fleet/tally.ts'],
  reporters: [...words, 'src/fleet/tally.ts', 'reports'],
  hooks: words,
  // The programmatic API, which the commands use too.
  tenancy: [...words, 'config', 'fleet', 'runs'],
  'create-tenancy': [...words, 'config', 'tenancy'],
  commands: [
    ...words,
    'config',
    'migrations',
    'src/registry/index.ts',
    'src/drivers/index.ts',
    'src/drivers/names.ts',
    'embedded',
    'lifecycle',
    'fleet',
    'runs',
    'reports',
    'reporters',
    'tenancy',
  ],
  program: [...words, 'commands'],
  interrupts: [...words, 'src/runs/execute-run.ts'],
  cli: [...words, 'program', 'commands', 'reporters', 'command-process', 'src/config/env-file.ts'],
  'command-process': [...words, 'interrupts', 'exits'],
  exits: [],
  index: [...words, 'config', 'migrations', 'fleet', 'runs', 'tenancy', 'create-tenancy'],
};

/** Contracts: files of types that any part may speak of. */
const contracts = [
  'src/config/types.ts',
  'src/drivers/driver.ts',
  'src/migrations/migration.ts',
  'src/registry/registry.ts',
  'src/reporters/reporter.ts',
];

/** The only files that touch the process, the terminal or the clock. */
const machineFiles =
  /^src\/(cli|executors\/load-pg-boss|config\/node-runtime|embedded\/machine|util\/clock|util\/environment|util\/(actor|exec|process-group)|reporters\/.*)\.ts$/;

/** What each entry point may load before it knows what it is asked. */
const eagerLibraries: Readonly<Record<string, readonly string[]>> = {
  'src/cli.ts': ['commander'],
  // Every config imports it.
  'src/index.ts': [],
  'hooks/index.ts': [],
};

function partOf(file: string): string {
  return file.startsWith('hooks/') ? 'hooks' : (/^src\/([^/.]+)/.exec(file)?.[1] ?? file);
}

function show({ from, to, type }: SourceImport): string {
  return `${from} → ${to} (${type})`;
}

test('each part imports only the parts below it', () => {
  const isAllowed = ({ from, to, type }: SourceImport): boolean => {
    if (!/^(src|hooks)\//.test(to) || partOf(from) === partOf(to)) return true;
    if (type === 'type' && contracts.includes(to)) return true;
    const list = allowed[partOf(from)] ?? [];
    return list.includes(partOf(to)) || list.includes(to);
  };
  expect(imports.filter((entry) => !isAllowed(entry)).map(show)).toEqual([]);
});

test('concrete drivers and registries are imported by their index alone, lazily', () => {
  const folderOf = (file: string): string | undefined => /^src\/(?:drivers|registry)\/[^/]+\//.exec(file)?.[0];
  const strangers = imports.filter(({ from, to, type }) => {
    const folder = folderOf(to);
    if (folder === undefined || from.startsWith(folder) || type === 'type') return false;
    return !(type === 'lazy' && /^src\/(drivers|registry)\/index\.ts$/.test(from));
  });
  expect(strangers.map(show)).toEqual([]);
});

test('nothing imports in a circle', () => {
  const circles: string[] = [];
  const done = new Set<string>();
  const walk = (file: string, path: readonly string[]): void => {
    if (path.includes(file)) circles.push([...path.slice(path.indexOf(file)), file].join(' → '));
    if (path.includes(file) || done.has(file)) return;
    for (const next of eagerImportsOf(file)) walk(next, [...path, file]);
    done.add(file);
  };
  for (const { file } of sources) walk(file, []);
  expect(circles).toEqual([]);
});

test.each(Object.entries(eagerLibraries))('%s loads no library but %j before it is asked for something', (entry, libraries) => {
  const reached = new Set<string>();
  const loaded: string[] = [];
  const walk = (file: string): void => {
    if (reached.has(file)) return;
    reached.add(file);
    for (const next of eagerImportsOf(file)) {
      if (sources.some((source) => source.file === next)) walk(next);
      else if (!next.startsWith('node:') && !libraries.includes(next)) loaded.push(`${file} → ${next}`);
    }
  };
  walk(entry);
  expect(loaded).toEqual([]);
});

test('the process, the terminal and the clock are touched in the places for that alone', () => {
  const others = sources.filter(({ file, machineNames }) => machineNames.length > 0 && !machineFiles.test(file));
  expect(others.map(({ file, machineNames }) => `${file}: ${machineNames.join(', ')}`)).toEqual([]);
});

function eagerImportsOf(file: string): string[] {
  return imports.filter(({ from, type }) => from === file && type === 'eager').map(({ to }) => to);
}
