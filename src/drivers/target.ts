import type { Placement } from '../tenant.js';

export interface TenantTarget extends Pick<Placement, 'name'> {
  readonly marker: Marker;
}

/** Written on what we create (in PostgreSQL a COMMENT); only what carries it is adopted or dropped. */
export interface Marker {
  readonly tenant: string;
  /** The registry's own id: two registries on one server never take each other's tenants. */
  readonly registry: string;
  /** The operation that created it; also tells incarnations apart. */
  readonly operation: string;
}

/**
 * `ours`: tenant, registry and operation agree. `other`: a marker that differs. `unmarked`: somebody else's, or never adopted.
 * `partial`: our operation began to make or to drop it and was interrupted; `create` or `drop` finishes. `retained`: ours, and closed by `retain`.
 */
export type Presence =
  | { readonly status: 'absent' }
  /** `by`: the operation that closed it; null where the home doesn't say. */
  | { readonly status: 'retained'; readonly by: string | null }
  | { readonly status: 'ours' | 'partial'; readonly isEmpty: boolean }
  | { readonly status: 'other'; readonly marker: Marker }
  | { readonly status: 'unmarked'; readonly isEmpty: boolean };

export interface ListedHome {
  readonly name: string;
  readonly marker: Marker | null;
  /** Under a name that no tenant's home is made under: it is retained, or on its way out. @default false */
  readonly isSetAside?: boolean;
}

export interface BegunHome {
  /** As it is on the server: a working name, or the home's own. */
  readonly shown: string;
  /** What a target has to be called for `drop` to take this away and nothing else. */
  readonly name: string;
  /** Null where only the operation is known. */
  readonly tenant: string | null;
  readonly operation: string;
  /** It stands for the home itself, and not for something beside it. */
  readonly isHome: boolean;
}
