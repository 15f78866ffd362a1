import { readFile } from 'node:fs/promises';
import { basename, relative, resolve } from 'node:path';
import { TenancyError } from '../errors.js';
import { checksumOf } from '../migrations/checksum.js';
import type { TenantScope } from './run-context.js';
import { sessionOptions } from './session-options.js';

/** Runs a seed file once in the tenant's life; recorded in the tenant under the file's name, in the same transaction. */
export async function applySeedFile(scope: TenantScope, file: string): Promise<void> {
  const path = resolve(scope.run.config.root, file);
  let sql: string;
  try {
    sql = await readFile(path, 'utf8');
  } catch (error) {
    const reason = (error as NodeJS.ErrnoException).code === 'ENOENT' ? `there is no ${path}` : `${path} can't be read`;
    throw new TenancyError('TENANCY_HOOK_FAILED', { tenant: scope.tenant.id, hook: 'seed', reason }, { cause: error });
  }
  const seed = {
    name: basename(path),
    checksum: checksumOf(sql),
    script: { type: 'sql', file: relative(scope.run.config.root, path), sql, isTransactional: true },
  } as const;
  await scope.driver.withSession(scope.target, sessionOptions(scope), (session) => session.applySeed(seed, { tenant: scope.tenant.id }));
}
