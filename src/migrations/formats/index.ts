import { filesFormat } from './files.js';
import type { Entry, MigrationFormat } from './format.js';
import { prismaFormat } from './prisma.js';

/** In the order in which `auto` asks them; `files` takes what nobody else knows. */
const formats = { prisma: prismaFormat, files: filesFormat } as const satisfies Record<string, MigrationFormat>;

export type MigrationFormatName = keyof typeof formats;

export async function chooseFormat(name: MigrationFormatName | 'auto', entries: readonly Entry[]): Promise<MigrationFormat> {
  if (name !== 'auto') return formats[name];
  for (const format of Object.values(formats)) {
    if (await format.recognises(entries)) return format;
  }
  return filesFormat;
}
