/**
 * What `tenant verify` can find. `home-…`: the schema or database itself. `orphan-home`, `orphan-login`, `draft-left`, `prepared-…`, `home-lookalike`: of no tenant.
 */
export const FINDING_CODES = [
  'home-missing',
  'home-foreign',
  'home-unmarked',
  'home-partial',
  'home-left',
  'version-skewed',
  'history-lost',
  'history-changed',
  'migration-edited',
  'migration-missing',
  'migration-out-of-order',
  'migration-interrupted',
  'index-invalid',
  'structure-differs',
  'structure-unchecked',
  'rights-public',
  'rights-granted',
  'rights-stranger',
  'rights-pattern',
  'login-missing',
  'login-rights',
  'login-open',
  'operation-unfinished',
  'lease-left',
  'error-stale',
  'orphan-home',
  'orphan-login',
  'draft-left',
  'prepared-missing',
  'prepared-unknown',
  'prepared-abandoned',
  'home-lookalike',
] as const;

export type FindingCode = (typeof FINDING_CODES)[number];

/** `broken`: the tenant doesn't work, or is in danger. `drift`: what is there isn't what was made. `note`: harmless, and worth knowing. */
export const FINDING_SEVERITIES = ['broken', 'drift', 'note'] as const;

export type FindingSeverity = (typeof FINDING_SEVERITIES)[number];

/** `found`: it is there still. `would-fix`: it is what `--fix` mends. `unfixed`: to mend it was tried, in vain. */
export const FINDING_STATUSES = ['found', 'would-fix', 'fixed', 'unfixed'] as const;

export type FindingStatus = (typeof FINDING_STATUSES)[number];

const SEVERITY_OF: Readonly<Record<FindingCode, FindingSeverity>> = {
  'home-missing': 'broken',
  'home-foreign': 'broken',
  'home-unmarked': 'broken',
  'home-partial': 'broken',
  'home-left': 'drift',
  'version-skewed': 'drift',
  'history-lost': 'broken',
  'history-changed': 'drift',
  'migration-edited': 'drift',
  'migration-missing': 'drift',
  'migration-out-of-order': 'drift',
  'migration-interrupted': 'broken',
  'index-invalid': 'drift',
  'structure-differs': 'drift',
  'structure-unchecked': 'note',
  'rights-public': 'drift',
  'rights-granted': 'note',
  'rights-stranger': 'broken',
  'rights-pattern': 'drift',
  'login-missing': 'broken',
  'login-rights': 'broken',
  'login-open': 'broken',
  'operation-unfinished': 'broken',
  'lease-left': 'note',
  'error-stale': 'note',
  'orphan-home': 'drift',
  'orphan-login': 'drift',
  'draft-left': 'drift',
  'prepared-missing': 'drift',
  'prepared-unknown': 'drift',
  'prepared-abandoned': 'note',
  'home-lookalike': 'note',
};

export function severityOf(code: FindingCode): FindingSeverity {
  return SEVERITY_OF[code];
}
