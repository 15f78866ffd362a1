import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import ts from 'typescript';
import { afterAll, expect, test } from 'vitest';
import { repositoryRoot } from '../rig/cli.js';
import { readBlocks } from '../rig/docs-blocks.js';

/** What the reader of a page has besides what it shows. */
const READERS_OWN = `
declare const mainUrl: string, euUrl: string, usUrl: string;
declare const vault: { read(path: string): Promise<string> };
declare const metrics: { count(name: string): void };
declare const toHandle: (name: string) => string;
declare const tenancy: import('tenancy-cli').Tenancy;
declare const postgresSchema: typeof import('tenancy-cli/hooks').postgresSchema;
declare const sqlMigrations: typeof import('tenancy-cli/hooks').sqlMigrations;
`;

/** Where a page shows a part of the config only, and says so with `// …`. */
const PARTIAL = `
import type { TenancyConfig, TenancyConfigFunction } from 'tenancy-cli';
type Context = Parameters<TenancyConfigFunction>[0];
type Part = Partial<TenancyConfig>;
declare function defineConfig(config: Part | ((context: Context) => Part | Promise<Part>)): unknown;
`;

const directory = mkdtempSync(path.join(os.tmpdir(), 'project-docs-types-'));
afterAll(() => rmSync(directory, { recursive: true, force: true }));

/** The block as a module, on the line where it stands in its page. */
function toModule(text: string): string {
  const lines = text.split('\n');
  const imports = lines.filter((line) => line.startsWith('import ')).join('\n');
  const rest = lines.map((line) => (line.startsWith('import ') ? '' : line)).join('\n');
  const code = rest.trim();
  const types = `import type { TenancyConfig } from 'tenancy-cli';`;
  if (/^(hooks|clusters|registry|backups): /.test(code))
    return `${types}${imports};export const part: Partial<TenancyConfig> = {\n${rest}\n};`;
  if (/^(migrate|backup): /.test(code)) return `${types}${imports};export const part: TenancyConfig['hooks'] = {\n${rest}\n};`;
  if (!code.includes('defineConfig(')) return `${imports}\n${rest}\nexport {};`;
  if (!code.includes('// …')) return text;
  return `${imports.replace(/import \{ defineConfig \} from 'tenancy-cli';?/, '')}${PARTIAL}${rest}`;
}

const pages = ['README.md', ...readdirSync(path.join(repositoryRoot, 'docs')).map((name) => `docs/${name}`)].filter((name) =>
  name.endsWith('.md'),
);
const modules = pages.flatMap((page) =>
  readBlocks(readFileSync(path.join(repositoryRoot, page), 'utf8'))
    .filter(({ info }) => info === 'ts')
    .map(({ text, line }) => {
      const isConfig = text.startsWith('// tenancy.config.ts');
      const file = path.join(directory, page.replaceAll('/', '-'), isConfig ? 'tenancy.config.ts' : `line-${line}.ts`);
      return { where: `${page}:${line}`, file, source: toModule(text) };
    }),
);

test('every piece of TypeScript in the docs is what the types of this version take', () => {
  for (const { file, source } of modules) {
    mkdirSync(path.dirname(file), { recursive: true });
    writeFileSync(file, source);
  }
  writeFileSync(path.join(directory, 'package.json'), '{ "type": "module" }\n');
  writeFileSync(path.join(directory, 'readers-own.d.ts'), READERS_OWN);
  const { config } = ts.readConfigFile(path.join(repositoryRoot, 'tsconfig.json'), ts.sys.readFile);
  const { options } = ts.convertCompilerOptionsFromJson(
    // A page may show what it doesn't export.
    { ...config.compilerOptions, rootDir: undefined, incremental: false, tsBuildInfoFile: undefined, isolatedModules: false },
    repositoryRoot,
  );
  const program = ts.createProgram([...modules.map(({ file }) => file), path.join(directory, 'readers-own.d.ts')], {
    ...options,
    typeRoots: [path.join(repositoryRoot, 'node_modules/@types')],
    paths: {
      'tenancy-cli': [path.join(repositoryRoot, 'src/index.ts')],
      'tenancy-cli/hooks': [path.join(repositoryRoot, 'hooks/index.ts')],
    },
  });
  const wrong = modules.flatMap(({ file, where }) => {
    const source = program.getSourceFile(file);
    return [...program.getSyntacticDiagnostics(source), ...program.getSemanticDiagnostics(source)].map(
      ({ messageText }) => `${where}: ${ts.flattenDiagnosticMessageText(messageText, '\n')}`,
    );
  });
  expect(modules.length).toBeGreaterThan(15);
  expect(wrong).toEqual([]);
});
