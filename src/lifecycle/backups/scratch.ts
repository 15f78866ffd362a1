import { createHash } from 'node:crypto';
import { mkdir, rm } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import type { TenantScope } from '../run-context.js';

/**
 * A folder of its owner's alone for what a tool has to be told by a file, among it a password. Named by the tenant and the directory of the config, so that
 * what a killed command has left is removed by the next one.
 */
export async function withScratch<T>(scope: TenantScope, use: (scratch: string) => Promise<T>): Promise<T> {
  await removeScratch(scope);
  const scratch = scratchOf(scope);
  await mkdir(scratch, { mode: 0o700 });
  try {
    return await use(scratch);
  } finally {
    await removeScratch(scope);
  }
}

export async function removeScratch(scope: TenantScope): Promise<void> {
  await rm(scratchOf(scope), { recursive: true, force: true });
}

function scratchOf({ run, tenant }: TenantScope): string {
  const digest = createHash('sha256').update([run.config.root, run.registry.id, tenant.id, os.userInfo().uid].join('\n')).digest('hex');
  return path.join(os.tmpdir(), `tenancy-${digest.slice(0, 24)}`);
}
