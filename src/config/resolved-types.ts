import type { Placement, TenantSeed } from '../tenant.js';
import type { Share } from '../util/share.js';
import type { PoolConfig, TemplatesMode } from './ahead-types.js';
import type { ResolvedBackups } from './backup-types.js';
import type { Hook, Hooks } from './hook-types.js';
import type { Isolation, SecretsConfig } from './isolation-types.js';
import type { ThrottleHook } from './throttle-types.js';
import type { Executor, PlacementTemplate, UrlSource } from './types.js';

export interface ResolvedCluster {
  readonly url: UrlSource;
  readonly concurrency: number;
  readonly region: string | null;
  readonly pool: ResolvedPool | null;
  readonly isolation: Isolation;
  readonly throttles: readonly ResolvedThrottle[];
}

export type ResolvedPool = Required<PoolConfig>;

/** One of the two is null. */
export interface ResolvedThrottle {
  readonly sql: string | null;
  readonly check: ThrottleHook | null;
  readonly everyMs: number;
}

/** A config after loading: merged, checked, with every default filled in and every path absolute. */
export interface ResolvedConfig {
  /** Absolute path of the file, or null for a config that was passed as an object. */
  readonly file: string | null;
  /** Directory that relative paths start from. */
  readonly root: string;
  readonly registry: { readonly url: UrlSource };
  readonly clusters: Readonly<Record<string, ResolvedCluster>>;
  /** Always a function here; checks its answer (known cluster, driver, a legal physical name). */
  place(seed: TenantSeed): Placement;
  /** What `place` is made of, where the config has no function; for `config print`. */
  readonly placementTemplate: PlacementTemplate | null;
  readonly hooks: Omit<Hooks, 'seed'> & { readonly seed: readonly Hook[] };
  readonly extensionsSchema: string;
  readonly templates: TemplatesMode;
  readonly allowMixedCaseNames: boolean;
  /** The directory of files is absolute. */
  readonly secrets: SecretsConfig | null;
  readonly defaults: {
    readonly concurrency: number | null;
    readonly retries: number;
    readonly timeoutMs: number | null;
    readonly lockTimeoutMs: number;
    readonly statementTimeoutMs: number | null;
    readonly leaseWaitMs: number;
    /** How far each wave reaches, the canary first; empty where all go at once. */
    readonly waves: readonly Share[];
    readonly soakMs: number;
    /** Null: a deprovisioned tenant is dropped at once. */
    readonly retainForMs: number | null;
    readonly executor: Executor;
  };
  readonly logsDirectory: string;
  readonly backups: ResolvedBackups | null;
}
