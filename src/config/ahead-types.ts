/**
 * Whether tenants of the driver `postgres-database` are copied from a template that has the migrations already, which makes provisioning
 * independent of how many there are. `auto`: from ten migrations on that do nothing but define (tables, indexes, functions, rights), up to the
 * first that writes rows or is a module; the others run in each tenant as ever. `always`: every SQL file up to the first module, rows and all:
 * they are the same in every tenant then, also what `now()` and `gen_random_uuid()` gave. `false`: no templates.
 *
 * It also says how far the homes of a warm pool are migrated ahead, which with `false` is as with `auto`.
 */
export type TemplatesMode = 'auto' | 'always' | false;

/** The warm pool of a cluster: schemas or databases without a tenant, made by `tenancy pool fill`. */
export interface PoolConfig {
  /** Of the tenants that are given one. Only homes that can be renamed are made ahead. @default that of `placement`, where it is no function */
  readonly driver?: 'postgres-schema' | 'postgres-database';
  /** So many are made ahead. */
  readonly size: number;
}
