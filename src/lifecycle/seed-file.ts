import { readFile } from 'node:fs/promises';
import { basename, relative, resolve } from 'node:path';
import { importModule } from '../config/import-config.js';
import { TenancyError } from '../errors.js';
import { checksumOf } from '../migrations/checksum.js';
import type { MigrationScript } from '../migrations/migration.js';
import { createSeedScript } from '../migrations/source-module.js';
import type { TenantScope } from './run-context.js';
import { sessionOptions } from './session-options.js';

/** As the folder of migrations has them. */
const MODULE = /\.[cm]?[jt]s$/;

/**
 * Runs a seed file, SQL or a module, once in the tenant's life; recorded in the tenant under the file's name, in the same transaction
 * where the engine has one.
 */
export async function applySeedFile(scope: TenantScope, file: string): Promise<void> {
  const path = resolve(scope.run.config.root, file);
  let text: string;
  try {
    text = await readFile(path, 'utf8');
  } catch (error) {
    const reason = (error as NodeJS.ErrnoException).code === 'ENOENT' ? `there is no ${path}` : `${path} can't be read`;
    throw new TenancyError('TENANCY_HOOK_FAILED', { tenant: scope.tenant.id, hook: 'seed', reason }, { cause: error });
  }
  const script: MigrationScript = MODULE.test(path)
    ? createSeedScript(path, text, importModule)
    : { type: 'sql', file: relative(scope.run.config.root, path), sql: text, isTransactional: true };
  const seed = { name: basename(path), checksum: checksumOf(text), script };
  await scope.driver.withSession(scope.target, sessionOptions(scope), (session) =>
    session.applySeed(seed, { tenant: scope.tenant.id, log: (line) => scope.log(line) }),
  );
}
