import type { OutcomeCounts, OutcomeError } from '../../outcome.js';
import type { RunStop } from '../../run-stop.js';
import type { TenantFailure, TenantLogin, TenantOperation } from '../../tenant.js';
import type { AuditActor } from '../audit.js';
import type { RunControl } from '../registry.js';

// The shape of what migrations/registry/mongodb makes room for.

/** The one document `registry`. Its version is that of the newest migration. */
export interface RegistryDocument {
  readonly _id: string;
  readonly id: string;
  readonly version: number;
}

/** One for each migration, under its number, and one that is the lock under which they are applied. */
export interface MigrationDocument {
  readonly _id: number | 'lock';
  readonly name?: string;
  readonly appliedAt?: Date;
  readonly owner?: string | null;
  readonly expiresAt?: Date;
}

export interface CounterDocument {
  readonly _id: string;
  readonly value: number;
  readonly at?: Date;
}

export interface ClusterDocument {
  readonly _id: string;
  readonly identity: string;
  readonly createdAt: Date;
  readonly acceptedAt: Date;
}

export interface LeaseDocument {
  readonly owner: string;
  readonly host: string;
  readonly since: Date;
  readonly expiresAt: Date;
}

/** A label is a pair in an array, since a name may have dots and dollars; whole pairs are what the index holds. */
export interface LabelDocument {
  readonly k: string;
  readonly v: string;
}

export interface TenantDocument {
  readonly _id: string;
  readonly idLower: string;
  /** Lowered and backwards, for neighbours by the end of an id. */
  readonly idReversed: string;
  /** `shardKeyOf` the id; missing where a version before this one registered it. */
  readonly shardKey?: number | null;
  readonly incarnation: number;
  readonly status: string;
  readonly cluster: string;
  readonly driver: string;
  readonly name: string;
  readonly nameLower: string;
  /** True, or missing once deprovisioned: an index can be unique over those that have it, but not over a status that is not something. */
  readonly isHome?: true;
  readonly labels: readonly LabelDocument[];
  readonly isProtected: boolean;
  readonly schemaVersion: string | null;
  readonly migrationsHash: string | null;
  readonly credentialRef: string | null;
  /** Missing in documents from before it was kept. */
  readonly login?: TenantLogin | null;
  readonly lastError: TenantFailure | null;
  /** Whether there is a last error, for the index. */
  readonly hasError: boolean;
  readonly operation: TenantOperation | null;
  readonly homeOperationId: string;
  readonly createdAt: Date;
  readonly updatedAt: Date;
  readonly activatedAt: Date | null;
  readonly deprovisionedAt: Date | null;
  /** Missing where a version before this one wrote the document. */
  readonly retainedUntil?: Date | null;
  readonly fence: number;
  readonly lease: LeaseDocument | null;
}

export interface StepDocument {
  readonly operationId: string;
  readonly step: string;
  readonly tenant: string;
  readonly operation: string;
  readonly state: string;
  readonly attempt: number;
  readonly error: string | null;
  readonly startedAt: Date;
  readonly finishedAt: Date | null;
  readonly sequence: number;
}

export interface RunDocument {
  readonly _id: string;
  readonly sequence: number;
  readonly command: string;
  readonly owner: string;
  readonly host: string;
  readonly target: string | null;
  readonly options: Readonly<Record<string, unknown>>;
  readonly selected: number;
  readonly status: string;
  readonly counts: OutcomeCounts | null;
  readonly notStarted: number | null;
  readonly exitCode: number | null;
  /** Missing in documents from before it was kept. */
  readonly stopped?: RunStop | null;
  readonly startedAt: Date;
  /** Pushed on by the heartbeat; past it the process is taken for dead. */
  readonly aliveUntil: Date;
  readonly finishedAt: Date | null;
  readonly control: RunControl;
  readonly controlBy: string | null;
  readonly pausedAt: Date | null;
  readonly endReason: string | null;
}

export interface RunTenantDocument {
  readonly runId: string;
  readonly tenant: string;
  readonly cluster: string;
  readonly outcome: string;
  readonly attempts: number;
  readonly from: string | null;
  readonly to: string | null;
  readonly ms: number;
  readonly error: OutcomeError | null;
  readonly recordedAt: Date;
}

/** Added to, never changed; under its number. */
export interface EventDocument {
  readonly _id: number;
  readonly at: Date;
  readonly runId: string | null;
  readonly tenant: string | null;
  readonly type: string;
  readonly data: Readonly<Record<string, unknown>>;
  // Missing in those from before there were chains.
  readonly place?: number;
  readonly actor?: AuditActor | null;
  readonly login?: string | null;
  readonly previous?: string;
  readonly hash?: string;
}

/** The newest of a chain. */
export interface HeadDocument {
  readonly _id: string;
  readonly place: number;
  readonly hash: string;
}

/** A backup that was made. */
export interface BackupDocument {
  readonly _id: string;
  readonly sequence: number;
  readonly tenant: string;
  readonly incarnation: number;
  readonly cluster: string;
  readonly driver: string;
  readonly path: string;
  readonly format: string;
  readonly sha256: string;
  readonly bytes: number;
  readonly schemaVersion: string | null;
  readonly migrationsHash: string | null;
  readonly runId: string;
  readonly at: Date;
}

/** A home made ahead of any tenant. */
export interface PreparedHomeDocument {
  readonly _id: string;
  readonly sequence: number;
  readonly type: string;
  readonly cluster: string;
  readonly driver: string;
  readonly name: string;
  readonly status: string;
  readonly schemaVersion: string | null;
  readonly migrationsHash: string | null;
  readonly tenant: string | null;
  /** Missing where nobody has claimed it. */
  readonly operationId?: string;
  readonly owner: string;
  readonly host: string;
  readonly aliveUntil: Date;
  readonly createdAt: Date;
  readonly readyAt: Date | null;
}
