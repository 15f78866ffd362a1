import type { Tenant } from '../tenant.js';

/** For a tenant that is on its way out, or gone: what to type about it; null for any other. */
export function nextOfLeaving({ id, status, operation, retainedUntil }: Tenant): string | null {
  if (status === 'retained') return `\`tenancy tenant undelete ${id}\` brings it back, \`tenancy tenant purge ${id}\` removes it for good`;
  if (status === 'deprovisioned')
    return `there is nothing left of it but the backups that were kept: \`tenancy tenant backups ${id}\` lists them`;
  const isLeaving = status === 'deprovisioning' || (status === 'failed' && operation?.type === 'deprovision');
  if (!isLeaving) return null;
  return `finish it first: \`tenancy tenant ${retainedUntil === null ? 'deprovision' : 'purge'} ${id}\``;
}

/** For a tenant that is neither in use nor gone: what finishes what was begun with it. */
export function nextOfUnfinished(tenant: Tenant): string {
  const leaving = nextOfLeaving(tenant);
  if (leaving !== null) return leaving;
  switch (tenant.operation?.type) {
    case 'restore':
      return FINISH_RESTORE;
    case 'adopt':
      return FINISH_ADOPT;
    default:
      return `finish it first: \`tenancy tenant provision ${tenant.id}\``;
  }
}

/** It may have been begun under another tenant's id, with `--as`. */
export const FINISH_RESTORE = 'finish it first: run the `tenancy tenant restore` that made it once more';

export const FINISH_ADOPT = 'finish it first: run `tenancy registry adopt` again';
