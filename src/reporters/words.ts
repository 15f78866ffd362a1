import type { RunCommand, StepName } from '../events.js';
import type { TenantOutcomeType } from '../outcome.js';
import { unreachable } from '../util/unreachable.js';

type Words = { readonly verb: string; readonly done: string; readonly nothing: string };

const commandWords = {
  provision: { verb: 'provision', done: 'provisioned', nothing: 'already active' },
  migrate: { verb: 'migrate', done: 'migrated', nothing: 'up to date' },
  rollback: { verb: 'roll back', done: 'rolled back', nothing: 'already there' },
  deprovision: { verb: 'deprovision', done: 'deprovisioned', nothing: 'already gone' },
  retain: { verb: 'retain', done: 'retained', nothing: 'already retained' },
  undelete: { verb: 'undelete', done: 'undeleted', nothing: 'already undeleted' },
  purge: { verb: 'purge', done: 'purged', nothing: 'already gone' },
  suspend: { verb: 'suspend', done: 'suspended', nothing: 'already suspended' },
  resume: { verb: 'resume', done: 'resumed', nothing: 'already active' },
  repair: { verb: 'repair', done: 'repaired', nothing: 'nothing to repair' },
  rotate: { verb: 'rotate', done: 'rotated', nothing: 'no overlap to end' },
  adopt: { verb: 'adopt', done: 'adopted', nothing: 'adopted before' },
  verify: { verb: 'verify', done: 'mended', nothing: 'as recorded' },
  backup: { verb: 'back up', done: 'backed up', nothing: 'nothing to back up' },
  restore: { verb: 'restore', done: 'restored', nothing: 'already restored' },
} satisfies Record<RunCommand, Words>;

export function describeCommand(command: RunCommand): Words {
  return commandWords[command];
}

const stepWords = {
  register: 'register',
  create: 'create',
  migrate: 'migrate',
  rollback: 'roll back',
  seed: 'seed',
  verify: 'verify',
  activate: 'activate',
  guard: 'check that it may be dropped',
  'cut-access': 'cut access',
  'restore-access': 'restore access',
  backup: 'back up',
  retain: 'close and keep',
  unretain: 'bring back',
  drop: 'drop',
  'drop-access': 'drop its users and grants',
  tombstone: 'tombstone',
  load: 'load the backup',
  mark: 'mark as ours',
  repair: 'repair',
  'create-login': 'create a login',
  'retire-login': 'lock the login before it',
} satisfies Record<StepName, string>;

export function describeStep(step: StepName): string {
  return stepWords[step];
}

/** An outcome in a count (`7 failed`); `applied` and `up-to-date` go by the command's own words. */
export function describeOutcomeType(outcome: TenantOutcomeType, command: RunCommand): string {
  switch (outcome) {
    case 'applied':
      return commandWords[command].done;
    case 'up-to-date':
      return commandWords[command].nothing;
    case 'not-started':
      return 'not started';
    case 'unverified':
      return command === 'verify' ? 'with findings' : outcome;
    case 'failed':
    case 'unknown':
    case 'skipped':
    case 'cancelled':
      return outcome;
    default:
      return unreachable(outcome);
  }
}
