import { randomUUID } from 'node:crypto';
import { open, readFile, rename, rm } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { TenancyError } from '../../errors.js';
import { parsePlan, type SavedPlan } from './saved-plan.js';

/** @throws TenancyError `TENANCY_PLAN_REJECTED` */
export async function loadPlan(file: string): Promise<SavedPlan> {
  const json = await readFile(file, 'utf8').catch((cause: unknown) => {
    throw new TenancyError('TENANCY_PLAN_REJECTED', { file, reason: `it can't be read: ${describe(cause)}` }, { cause });
  });
  return parsePlan(json, file);
}

/**
 * A file of somebody else's is never written over; an older plan is. Asked before the fleet is looked at, so that nobody waits for a
 * plan that can't be kept. @throws TenancyError `TENANCY_PLAN_UNSAVED`
 */
export async function refuseToOverwrite(file: string): Promise<void> {
  const json = await readFile(file, 'utf8').catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'ENOENT') return null;
    throw new TenancyError('TENANCY_PLAN_UNSAVED', { file, reason: describe(error) }, { cause: error });
  });
  if (json === null || isPlan(json)) return;
  throw new TenancyError('TENANCY_PLAN_UNSAVED', { file, reason: 'a file that is no plan is there already' });
}

/** Whole or not at all: written beside it and renamed, so that nobody ever reads half a plan. */
export async function savePlan(file: string, plan: SavedPlan): Promise<void> {
  const draft = join(dirname(file), `.${basename(file)}.${randomUUID().slice(0, 8)}`);
  try {
    const handle = await open(draft, 'wx');
    try {
      await handle.writeFile(`${JSON.stringify(plan, null, 1)}\n`);
      await handle.sync();
    } finally {
      await handle.close();
    }
    await rename(draft, file);
  } catch (cause) {
    await rm(draft, { force: true });
    throw new TenancyError('TENANCY_PLAN_UNSAVED', { file, reason: describe(cause) }, { cause });
  }
}

function isPlan(json: string): boolean {
  try {
    return (JSON.parse(json) as { readonly type?: unknown } | null)?.type === 'tenancy.plan';
  } catch {
    return false;
  }
}

function describe(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
