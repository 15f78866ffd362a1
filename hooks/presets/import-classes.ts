import { createRequire } from 'node:module';
import path from 'node:path';
import type { ProjectContext } from '../../src/config/types.js';
import { importFile } from './import-file.js';
import { MODULE_ENDINGS } from './list-migrations.js';
import { resolvePackage } from './load-package.js';

/** A list of classes, or an object of them; a text among them is a pattern of files. */
type ClassList = readonly unknown[] | Readonly<Record<string, unknown>> | undefined;

/**
 * The classes of a TypeORM option (`migrations`, `entities`), with the files of its patterns imported as the config is: TypeORM by itself reads
 * TypeScript only where Node does. Patterns start from the config file's directory.
 */
export async function importClasses<Class = unknown>(project: ProjectContext, preset: string, list: unknown): Promise<readonly Class[]> {
  const given = (list ?? []) as ClassList;
  const items = Array.isArray(given) ? given : Object.values(given ?? {});
  const classes: unknown[] = [];
  for (const item of items) {
    if (typeof item !== 'string') classes.push(item);
    else for (const file of findFiles(project, item)) collect(await importFile(project, { preset, option: 'dataSource', file }), classes);
  }
  return [...new Set(classes)] as Class[];
}

/** By TypeORM's own means: tinyglobby since 1.0, glob before. */
function findFiles({ root }: ProjectContext, pattern: string): readonly string[] {
  const typeorm = createRequire(resolvePackage(root, 'typeorm') ?? path.join(root, 'tenancy.config.js'));
  const options = { cwd: root, absolute: true } as const;
  const normalised = pattern.replaceAll('\\', '/');
  const found = resolves(typeorm, 'tinyglobby')
    ? (typeorm('tinyglobby') as { globSync(pattern: string, options: object): string[] }).globSync(normalised, options)
    : (typeorm('glob') as { sync(pattern: string, options: object): string[] }).sync(normalised, options);
  return found.filter((file) => MODULE_ENDINGS.includes(path.extname(file)) && !/\.d\.[cm]?ts$/.test(file)).sort();
}

function resolves(require: NodeJS.Require, name: string): boolean {
  try {
    require.resolve(name);
    return true;
  } catch {
    // Not there, which is an answer.
    return false;
  }
}

/** As TypeORM collects them: functions, entity schemas, and whatever holds some. */
function collect(exported: unknown, classes: unknown[]): void {
  if (typeof exported === 'function' || isEntitySchema(exported)) classes.push(exported);
  else if (Array.isArray(exported)) for (const item of exported) collect(item, classes);
  else if (typeof exported === 'object' && exported !== null) for (const item of Object.values(exported)) collect(item, classes);
}

function isEntitySchema(value: unknown): boolean {
  return (value as { readonly '@instanceof'?: unknown } | null)?.['@instanceof'] === Symbol.for('EntitySchema');
}
