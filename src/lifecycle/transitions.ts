import { IN_USE, type TenantStatus } from '../tenant.js';

/** Which statuses each change of state may come from; the registry compares them in the same statement that writes. */
export const TRANSITIONS = {
  'provision.begin': { from: ['pending', 'provisioning', 'failed'], to: 'provisioning' },
  'provision.activate': { from: ['provisioning'], to: 'active' },
  'provision.fail': { from: ['provisioning'], to: 'failed' },
  'restore.begin': { from: ['pending', 'provisioning', 'failed'], to: 'provisioning' },
  'restore.activate': { from: ['provisioning'], to: 'active' },
  'restore.fail': { from: ['provisioning'], to: 'failed' },
  'adopt.activate': { from: ['pending', 'failed'], to: 'active' },
  suspend: { from: ['active'], to: 'suspended' },
  resume: { from: ['suspended'], to: 'active' },
  'deprovision.begin': { from: ['pending', 'provisioning', 'active', 'suspended', 'deprovisioning', 'failed'], to: 'deprovisioning' },
  'deprovision.call-off.active': { from: ['deprovisioning'], to: 'active' },
  'deprovision.call-off.suspended': { from: ['deprovisioning'], to: 'suspended' },
  'deprovision.fail': { from: ['deprovisioning'], to: 'failed' },
  'deprovision.retain': { from: ['deprovisioning'], to: 'retained' },
  'undelete.active': { from: ['retained'], to: 'active' },
  'undelete.suspended': { from: ['retained'], to: 'suspended' },
  // A retained tenant is one until the moment before the drop; what has been begun is finished by the same command.
  'purge.begin': { from: ['retained', 'deprovisioning', 'failed'], to: 'deprovisioning' },
  'deprovision.tombstone': { from: ['deprovisioning'], to: 'deprovisioned' },
} as const satisfies Record<string, { readonly from: readonly TenantStatus[]; readonly to: TenantStatus }>;

export type Transition = keyof typeof TRANSITIONS;

/** Where whoever deprovisions a tenant leaves it, under way or at the end. */
export const REMOVED: readonly TenantStatus[] = ['deprovisioning', 'retained', 'deprovisioned'];

/** What `--all` means. */
export const MIGRATABLE: readonly TenantStatus[] = IN_USE;
