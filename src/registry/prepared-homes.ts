import type { DriverName, TenantId } from '../tenant.js';
import type { LeaseRequest } from './registry.js';

/** `template`: to be copied for each new tenant. `spare`: of the warm pool, to be handed over to one new tenant. */
export type PreparedHomeType = 'template' | 'spare';

/**
 * ```
 * (entered) making → ready → claimed → (forgotten)
 *               ↑       │        │
 *               └───────┤        ▼
 *                       └──→ dropping → (forgotten)
 * ```
 * It is entered before anything of it is made, and forgotten after all of it is gone, or a tenant's.
 */
export type PreparedHomeStatus = 'making' | 'ready' | 'claimed' | 'dropping';

/** A home that was made, or is being made, for no tenant in particular. */
export interface PreparedHome {
  /** Stands in its marker, as a tenant's operation does. */
  readonly id: string;
  readonly type: PreparedHomeType;
  readonly cluster: string;
  readonly driver: DriverName;
  /** The name that it has when it is ready. */
  readonly name: string;
  readonly status: PreparedHomeStatus;
  /** Of what was applied in it; those of an empty history before it is ready. */
  readonly schemaVersion: string | null;
  readonly migrationsHash: string | null;
  /** Who claimed it. */
  readonly tenant: TenantId | null;
  readonly operationId: string | null;
  readonly host: string;
  /** It is being made or dropped, and the heartbeat of who did so is overdue. */
  readonly isAbandoned: boolean;
  readonly createdAt: Date;
  readonly readyAt: Date | null;
}

export type NewPreparedHome = Pick<PreparedHome, 'id' | 'type' | 'cluster' | 'driver' | 'name'>;

export interface PreparedHomeFilter {
  readonly type?: PreparedHomeType;
  readonly cluster?: string;
  readonly name?: string;
}

export interface PreparedHomeClaim {
  readonly cluster: string;
  readonly driver: DriverName;
  readonly tenant: TenantId;
  /** The provisioning that claims: one that asks again is given the same home. */
  readonly operationId: string;
  /** One with this history is preferred; any other is older, or newer. */
  readonly migrationsHash: string | null;
}

/** Homes made ahead: the part of the registry's contract that is about them. Times are the server's. */
export interface PreparedHomeBook {
  /** Enters those whose (cluster, driver, name) is free, as being made by this owner; the answer is the ids of those. */
  enterPreparedHomes(homes: readonly NewPreparedHome[], lease: LeaseRequest): Promise<readonly string[]>;
  /** In the order in which they were entered. */
  listPreparedHomes(filter: PreparedHomeFilter): Promise<readonly PreparedHome[]>;
  /**
   * Makes it this owner's, to be made (again) or dropped: one that is ready or claimed, is this owner's, or whose owner has gone. Of several who try, one is answered.
   * Null: it is in none of these statuses, another is at work on it, or it is not there.
   */
  takePreparedHome(
    id: string,
    take: LeaseRequest & { readonly from: readonly PreparedHomeStatus[]; readonly to: 'making' | 'dropping' },
  ): Promise<PreparedHome | null>;
  /** Of the owner who made it. False: it isn't this owner's any more. */
  finishPreparedHome(
    id: string,
    made: { readonly owner: string; readonly schemaVersion: string | null; readonly migrationsHash: string | null },
  ): Promise<boolean>;
  /** The heartbeat of all that this owner makes or drops. */
  renewPreparedHomes(owner: string, ttlMs: number): Promise<void>;
  /** Gives a spare home that is ready to one provisioning, and never to two; null where there is none. */
  claimPreparedHome(claim: PreparedHomeClaim): Promise<PreparedHome | null>;
  /** Makes it ready for others again. False: it is not that provisioning's. */
  returnPreparedHome(id: string, operationId: string): Promise<boolean>;
  forgetPreparedHome(id: string): Promise<void>;
}

/** How an SQL store has it. */
export interface PreparedHomeRow<Time> {
  readonly [column: string]: unknown;
  readonly id: string;
  readonly type: string;
  readonly cluster: string;
  readonly driver: string;
  readonly name: string;
  readonly status: string;
  readonly schema_version: string | null;
  readonly migrations_hash: string | null;
  readonly tenant: string | null;
  readonly operation_id: string | null;
  readonly host: string;
  readonly is_abandoned: boolean | number;
  readonly created_at: Time;
  readonly ready_at: Time | null;
}

export function toPreparedHome<Time>(row: PreparedHomeRow<Time>, toDate: (time: Time) => Date): PreparedHome {
  return {
    id: row.id,
    type: row.type as PreparedHomeType,
    cluster: row.cluster,
    driver: row.driver as DriverName,
    name: row.name,
    status: row.status as PreparedHomeStatus,
    schemaVersion: row.schema_version,
    migrationsHash: row.migrations_hash,
    tenant: row.tenant as TenantId | null,
    operationId: row.operation_id,
    host: row.host,
    isAbandoned: Boolean(row.is_abandoned),
    createdAt: toDate(row.created_at),
    readyAt: row.ready_at === null ? null : toDate(row.ready_at),
  };
}
