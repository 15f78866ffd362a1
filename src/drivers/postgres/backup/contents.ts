import { readFile, writeFile } from 'node:fs/promises';
import path from 'node:path';
import type { BackupWork } from '../../driver.js';
import { runTool } from './run-tool.js';

/** The entries of an archive, as pg_restore lists and takes them, each a line. */
export interface ArchiveContents {
  readonly schemas: readonly string[];
  /** By name. */
  readonly extensions: ReadonlyMap<string, string>;
  /** What makes tables, types and the rest, and fills them. */
  readonly objects: readonly string[];
  /** GRANT, REVOKE and ALTER DEFAULT PRIVILEGES, which name roles that may be gone. */
  readonly grants: readonly string[];
}

/** `215; 1259 16386 TABLE tenant_a accounts owner` */
const ENTRY = /^\d+; \d+ \d+ (.*)$/;

export async function readContents(archive: string, scratch: string, work: BackupWork): Promise<ArchiveContents> {
  const file = path.join(scratch, 'contents');
  await runTool('pg_restore', ['--list', '--file', file, archive], work, {});
  const contents = { schemas: [] as string[], extensions: new Map<string, string>(), objects: [] as string[], grants: [] as string[] };
  for (const line of (await readFile(file, 'utf8')).split('\n')) {
    const entry = ENTRY.exec(line)?.[1];
    if (entry === undefined) continue;
    const extension = /^EXTENSION - (\S+) /.exec(entry)?.[1];
    if (extension !== undefined) contents.extensions.set(extension, line);
    else if (/^(DEFAULT )?ACL /.test(entry)) contents.grants.push(line);
    // The home has a comment of its own, which says whose it is. One of an extension is the extension's own.
    else if (/^COMMENT - (SCHEMA|EXTENSION|DATABASE) /.test(entry)) continue;
    else if (/^SCHEMA - /.test(entry)) contents.schemas.push(line);
    else contents.objects.push(line);
  }
  return contents;
}

/** Has pg_restore carry out these entries and no others, into a database (`environment`) or a file. */
export async function restoreEntries(
  archive: string,
  entries: readonly string[],
  { scratch, name, args }: { readonly scratch: string; readonly name: string; readonly args: readonly string[] },
  work: BackupWork,
  environment: Readonly<Record<string, string>>,
): Promise<void> {
  if (entries.length === 0) return;
  const list = path.join(scratch, `${name}.list`);
  await writeFile(list, `${entries.join('\n')}\n`, { mode: 0o600 });
  await runTool('pg_restore', [...args, '--use-list', list, archive], work, environment);
}
