import type { AuditEvent, Backup, StepRecord } from '../../registry/registry.js';
import type { Tenant, TenantFailure, TenantLogin, TenantOperation, TenantStatus } from '../../tenant.js';
import type { Palette } from '../palette.js';
import { sanitizeLine, sanitizeLines } from '../sanitize.js';
import { type BackupDocument, printBackups, toBackupDocument } from './backup-document.js';
import { printFacts, printTime, Table } from './table.js';

/** A tenant as JSON shows it. Dates are ISO 8601 in UTC. */
export interface TenantDocument {
  readonly id: string;
  readonly status: TenantStatus;
  readonly cluster: string;
  readonly driver: string;
  readonly name: string;
  readonly labels: Readonly<Record<string, string>>;
  readonly protected: boolean;
  readonly schemaVersion: string | null;
  readonly migrationsHash: string | null;
  readonly incarnation: number;
  readonly credentialRef: string | null;
  /** Its own logins; null where it has none. */
  readonly login: TenantLogin | null;
  readonly lastError: TenantFailure | null;
  readonly operation: Pick<TenantOperation, 'id' | 'type'> | null;
  readonly lease: {
    readonly owner: string;
    readonly host: string;
    readonly since: string;
    readonly expiresAt: string;
    readonly expired: boolean;
  } | null;
  readonly createdAt: string;
  readonly updatedAt: string;
  readonly activatedAt: string | null;
  readonly deprovisionedAt: string | null;
  /** Until when a retained tenant is kept; null for any other. */
  readonly retainedUntil: string | null;
  /** That time has passed, by the registry's clock: it may be purged. */
  readonly retentionOver: boolean;
}

/** `tenancy tenant show`. */
export interface TenantShowDocument {
  readonly v: 1;
  readonly tenant: TenantDocument;
  /** Of the operation that is under way, or that failed. */
  readonly steps: readonly {
    readonly step: string;
    readonly state: StepRecord['state'];
    readonly attempt: number;
    readonly error: string | null;
    readonly startedAt: string;
    readonly finishedAt: string | null;
  }[];
  /** The newest, newest first. */
  readonly backups: readonly BackupDocument[];
  /** The newest of its audit trail, oldest first. */
  readonly events: readonly {
    readonly sequence: number;
    readonly at: string;
    readonly run: string | null;
    readonly type: string;
    readonly data: Readonly<Record<string, unknown>>;
  }[];
}

export function toTenantDocument(tenant: Tenant): TenantDocument {
  const { lease, lastError, operation } = tenant;
  return {
    id: tenant.id,
    status: tenant.status,
    cluster: tenant.cluster,
    driver: tenant.driver,
    name: tenant.name,
    labels: tenant.labels,
    protected: tenant.isProtected,
    schemaVersion: tenant.schemaVersion,
    migrationsHash: tenant.migrationsHash,
    incarnation: tenant.incarnation,
    credentialRef: tenant.credentialRef,
    login: tenant.login,
    lastError: lastError === null ? null : { code: lastError.code, message: lastError.message, step: lastError.step, at: lastError.at },
    operation: operation === null ? null : { id: operation.id, type: operation.type },
    lease:
      lease === null
        ? null
        : {
            owner: lease.owner,
            host: lease.host,
            since: lease.since.toISOString(),
            expiresAt: lease.expiresAt.toISOString(),
            expired: lease.isExpired,
          },
    createdAt: tenant.createdAt.toISOString(),
    updatedAt: tenant.updatedAt.toISOString(),
    activatedAt: tenant.activatedAt?.toISOString() ?? null,
    deprovisionedAt: tenant.deprovisionedAt?.toISOString() ?? null,
    retainedUntil: tenant.retainedUntil?.toISOString() ?? null,
    retentionOver: tenant.isRetentionOver,
  };
}

export function toTenantShowDocument(facts: {
  readonly tenant: Tenant;
  readonly steps: readonly StepRecord[];
  readonly events: readonly AuditEvent[];
  readonly backups: readonly Backup[];
}): TenantShowDocument {
  return {
    v: 1,
    tenant: toTenantDocument(facts.tenant),
    steps: facts.steps.map(({ step, state, attempt, error, startedAt, finishedAt }) => ({
      step,
      state,
      attempt,
      error,
      startedAt: startedAt.toISOString(),
      finishedAt: finishedAt?.toISOString() ?? null,
    })),
    backups: facts.backups.map(toBackupDocument),
    events: facts.events.map(({ sequence, at, runId, type, data }) => ({ sequence, at: at.toISOString(), run: runId, type, data })),
  };
}

function printLogin({ current, next, previous }: TenantLogin): string {
  const others = [
    ...(previous === null ? [] : [`${previous.name} is good too, until \`tenant rotate --finish\``]),
    ...(next === null ? [] : [`${next} is being made`]),
  ];
  return [current ?? 'none yet', ...others].join('; ');
}

export function printTenantShow({ tenant, steps, events, backups }: TenantShowDocument, palette: Palette): readonly string[] {
  const { lease, lastError } = tenant;
  const facts: [string, string][] = [
    ['status', `${tenant.status}${tenant.protected ? ', protected' : ''}`],
    [tenant.driver === 'postgres-schema' ? 'schema' : 'database', `${tenant.name} on ${tenant.cluster}`],
    ['version', tenant.schemaVersion ?? 'none'],
    ['labels', printLabels(tenant.labels) || '-'],
    ['created', printTime(tenant.createdAt)],
    ['updated', printTime(tenant.updatedAt)],
  ];
  if (tenant.activatedAt !== null) facts.push(['activated', printTime(tenant.activatedAt)]);
  if (tenant.deprovisionedAt !== null) facts.push(['deprovisioned', printTime(tenant.deprovisionedAt)]);
  if (tenant.retainedUntil !== null)
    facts.push(['retained', `until ${printTime(tenant.retainedUntil)}${tenant.retentionOver ? ', which is over' : ''}`]);
  if (tenant.incarnation > 1) facts.push(['incarnation', String(tenant.incarnation)]);
  if (tenant.login !== null) facts.push(['login', printLogin(tenant.login)]);
  if (tenant.credentialRef !== null) facts.push(['credential', tenant.credentialRef]);
  if (lease !== null)
    facts.push(['lease', `${lease.owner} on ${lease.host} since ${printTime(lease.since)}${lease.expired ? ', expired' : ''}`]);
  const lines = [palette.bold(sanitizeLine(tenant.id)), ...printFacts(facts, palette).map((line) => `  ${line}`)];
  if (lastError !== null) {
    lines.push(
      '',
      `${palette.red('✖')} last error${lastError.step === null ? '' : ` in ${sanitizeLine(lastError.step)}`}, ${printTime(lastError.at)}`,
    );
    lines.push(...sanitizeLines(lastError.message).map((line) => `  ${line}`), palette.dim(`  ${sanitizeLine(lastError.code)}`));
  }
  if (tenant.operation !== null && steps.length > 0 && tenant.status !== 'retained') {
    lines.push('', `steps of the ${tenant.operation.type} under way`, ...steps.map((step) => `  ${printStep(step, palette)}`));
  }
  if (backups.length > 0) lines.push('', 'backups', ...printBackups(backups, palette).map((line) => `  ${line}`));
  if (events.length > 0) {
    const table = new Table([]);
    const rows = events.map(({ at, type, run }) => [
      { text: printTime(at), paint: palette.dim },
      { text: type },
      { text: run ?? '', paint: palette.dim },
    ]);
    lines.push('', 'history', ...table.print(rows).map((line) => `  ${line}`));
  }
  return lines;
}

function printStep({ step, state, attempt, error }: TenantShowDocument['steps'][number], palette: Palette): string {
  const sign = state === 'done' ? palette.green('✔') : state === 'failed' ? palette.red('✖') : palette.yellow('-');
  const tries = attempt > 1 ? palette.dim(`, attempt ${attempt}`) : '';
  return `${sign} ${sanitizeLine(step)}${state === 'started' ? ' interrupted' : ''}${tries}${error === null ? '' : `: ${sanitizeLine(error)}`}`;
}

export function printLabels(labels: Readonly<Record<string, string>>): string {
  return Object.entries(labels)
    .map(([key, value]) => `${key}=${value}`)
    .join(' ');
}
