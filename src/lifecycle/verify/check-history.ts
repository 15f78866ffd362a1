import type { TenantHistory } from '../../migrations/migration.js';
import type { MigrationDrift } from '../../migrations/plan-drift.js';
import type { Tenant } from '../../tenant.js';
import type { DriverMigrator } from '../migrator.js';
import type { TenantScope } from '../run-context.js';
import { MIGRATABLE } from '../transitions.js';
import type { NewFinding } from './finding-book.js';

const NAMED = 5;

/** What a tenant's own history, the registry's record of it and the files say of each other. */
export function checkHistory(scope: TenantScope, history: TenantHistory): readonly NewFinding[] {
  const { run, tenant } = scope;
  const migrator = run.migrator.forDriver(tenant.driver);
  if (migrator.type !== 'built-in') return [];
  const drift = migrator.findDrift(history);
  const version = migrator.describe(history.applied);
  const findings: NewFinding[] = [];
  const { schemaVersion, migrationsHash } = tenant;
  const isLost = schemaVersion !== null && history.applied.length === 0;
  if (isLost) {
    findings.push({
      code: 'history-lost',
      message: `${tenant.id} is recorded at ${schemaVersion}, and has no history of migrations any more`,
      repair: `restore the tenant, or say what it has: \`tenancy tenant repair ${tenant.id} --applied-up-to ${schemaVersion}\` (or none)`,
    });
  }
  const isRecorded = version.schemaVersion === schemaVersion && version.migrationsHash === migrationsHash;
  // Of an empty history nothing was ever recorded, or that nothing is there.
  const isBlank = migrationsHash === null && history.applied.length === 0;
  const isChanged = !isRecorded && isChangedByHand(tenant, history, drift, migrator);
  if (isChanged) findings.push(describeChange(scope, history, drift));
  else if (!isRecorded && !isBlank && !isLost) findings.push(describeSkew(scope, version));
  if (drift !== null) findings.push(...describeDrift(tenant, drift, isChanged));
  if (history.progress !== null && history.progress.state === 'started') {
    const { name, statementsDone } = history.progress;
    findings.push({
      code: 'migration-interrupted',
      message: `${tenant.id}: statement ${statementsDone + 1} of ${name} was interrupted, and may or may not have run`,
      repair: `run the same command again: \`tenancy tenant migrate ${tenant.id}\`; where it can't tell, look, then \`tenancy tenant repair ${tenant.id} --applied\` or \`--rerun\``,
    });
  }
  return findings;
}

/** With a migrator of the user's, which alone can read what a tenant has. */
export async function checkForeignVersion(scope: TenantScope): Promise<readonly NewFinding[]> {
  const { run, tenant } = scope;
  const migrator = run.migrator.forDriver(tenant.driver);
  // What a bare function has made is known by no version.
  if (migrator.type !== 'foreign' || migrator.target === null || !MIGRATABLE.includes(tenant.status)) return [];
  const { from } = await migrator.plan(scope);
  if (from === tenant.schemaVersion) return [];
  return [
    {
      code: 'version-skewed',
      message: `${tenant.id} is recorded at ${tenant.schemaVersion ?? 'no version'}, and ${migrator.identity} finds it at ${from ?? 'none'}`,
      repair: `tenancy tenant migrate ${tenant.id} --force-verify`,
    },
  ];
}

/** The registry and the files agree on what was applied, and the tenant alone says another thing of the same migrations. */
function isChangedByHand(tenant: Tenant, { applied }: TenantHistory, drift: MigrationDrift | null, migrator: DriverMigrator): boolean {
  if (drift === null || drift.edited.length === 0) return false;
  const asInFiles = migrator.declared.filter(({ name }) => applied.some((row) => row.name === name));
  return asInFiles.length === applied.length && migrator.describe(asInFiles).migrationsHash === tenant.migrationsHash;
}

function describeChange({ tenant, run }: TenantScope, _history: TenantHistory, drift: MigrationDrift | null): NewFinding {
  const edited = drift?.edited ?? [];
  const { declared } = run.migrator.forDriver(tenant.driver);
  const [first = ''] = edited;
  const checksum = declared.find(({ name }) => name === first)?.checksum ?? '';
  return {
    code: 'history-changed',
    message: `${tenant.id}: its own history has another checksum of ${list(edited)} than the registry and the files agree on`,
    repair: `look who changed it, then set the checksum of ${first} in _tenancy_migrations of ${tenant.name} back to ${checksum}`,
  };
}

function describeSkew(scope: TenantScope, version: { readonly schemaVersion: string | null; readonly migrationsHash: string }): NewFinding {
  const { tenant, run, fence } = scope;
  const recorded = tenant.schemaVersion ?? 'no version';
  const found = version.schemaVersion ?? 'no version';
  const message =
    recorded === found
      ? `${tenant.id}: the registry has another digest of its migrations than its own history, both at ${found}`
      : `${tenant.id} is recorded at ${recorded}, and its own history says ${found}`;
  return {
    code: 'version-skewed',
    message,
    repair: `tenancy tenant repair ${tenant.id}`,
    fix: async () => {
      await run.leases.makeSure(tenant.id);
      const changed = await run.changeTenant({
        id: tenant.id,
        fence,
        from: [tenant.status],
        set: version,
        runId: run.runId,
        event: 'tenant.repaired',
      });
      if (!changed) throw new Error('another process has changed the tenant meanwhile');
      return `recorded version ${recorded} → ${found}`;
    },
  };
}

function describeDrift({ id, status }: Tenant, drift: MigrationDrift, isChanged: boolean): readonly NewFinding[] {
  const findings: NewFinding[] = [];
  const { edited, missing, outOfOrder, newestApplied } = drift;
  if (edited.length > 0 && !isChanged) {
    findings.push({
      code: 'migration-edited',
      message: `${id}: ${list(edited)} ${was(edited)} edited after being applied`,
      repair: 'put the text back as it was, and write what is new into a further migration',
    });
  }
  if (missing.length > 0) {
    findings.push({
      code: 'migration-missing',
      message: `${id}: ${list(missing)} ${was(missing)} applied, and ${missing.length === 1 ? 'its file is' : 'their files are'} gone`,
      repair: 'bring the file back under its name',
    });
  }
  if (outOfOrder.length > 0 && MIGRATABLE.includes(status)) {
    findings.push({
      code: 'migration-out-of-order',
      message: `${id}: ${list(outOfOrder)} ${outOfOrder.length === 1 ? 'is' : 'are'} older than ${newestApplied}, and not applied`,
      repair: `give it a newer name, or \`tenancy tenant migrate ${id} --allow-out-of-order\``,
    });
  }
  return findings;
}

function was(names: readonly string[]): string {
  return names.length === 1 ? 'was' : 'were';
}

function list(names: readonly string[]): string {
  const shown = names.slice(0, NAMED).join(', ');
  return names.length > NAMED ? `${shown} and ${names.length - NAMED} more` : shown;
}
