import { createRequire } from 'node:module';
import path from 'node:path';
import process from 'node:process';
import { pathToFileURL } from 'node:url';
import { TenancyError } from '../errors.js';

export type PgBossLibrary = typeof import('pg-boss');

/** What it is tested with, and what everything that is asked of it is in. */
const KNOWN_VERSION = '12.27.0';
/** From where on pg-boss 12 runs. */
const OLDEST_NODE = [22, 12] as const;

/**
 * pg-boss as the project has it, else where tenancy-cli itself is installed.
 * @throws TenancyError `TENANCY_EXECUTOR_REFUSED`, `TENANCY_CLIENT_LIBRARY_MISSING`
 */
export async function loadPgBoss(root: string): Promise<PgBossLibrary> {
  refuseOldNode(process.version);
  for (const from of [path.join(root, 'package.json'), import.meta.url]) {
    const file = resolveFrom(from);
    if (file !== null) return importPgBoss(file);
  }
  throw new TenancyError('TENANCY_CLIENT_LIBRARY_MISSING', { packageName: 'pg-boss', neededBy: '--executor pg-boss' });
}

/** What is found may be half installed, or of another major version, whose exports are others. */
async function importPgBoss(file: string): Promise<PgBossLibrary> {
  const library = await import(pathToFileURL(file).href).catch((cause: unknown) => {
    const [said = ''] = (cause instanceof Error ? cause.message : String(cause)).split('\n');
    throw refuseBroken(`pg-boss is at ${file} and can't be loaded: ${said}`, cause);
  });
  if (typeof library.PgBoss !== 'function') throw refuseBroken(`the pg-boss at ${file} is of a version that is not known here`, null);
  return library as PgBossLibrary;
}

function refuseBroken(reason: string, cause: unknown): TenancyError {
  const advice = `npm install pg-boss@${KNOWN_VERSION}`;
  return new TenancyError('TENANCY_EXECUTOR_REFUSED', { reason, advice }, { cause });
}

function refuseOldNode(version: string): void {
  const [major = 0, minor = 0] = version.replace(/^v/, '').split('.').map(Number);
  const [oldest, oldestMinor] = OLDEST_NODE;
  if (major > oldest || (major === oldest && minor >= oldestMinor)) return;
  throw new TenancyError('TENANCY_EXECUTOR_REFUSED', {
    reason: `pg-boss needs Node.js ${OLDEST_NODE.join('.')} or newer, and this is ${version}`,
    advice: 'run it with a newer Node.js (`npx -p node@24 …`), or split the fleet over several jobs with --shard i/n, which needs no queue',
  });
}

function resolveFrom(from: string): string | null {
  try {
    return createRequire(from).resolve('pg-boss');
  } catch {
    return null;
  }
}
