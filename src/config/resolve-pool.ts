import type { ConfigIssue } from '../errors/config-errors.js';
import type { PoolConfig } from './ahead-types.js';
import type { ResolvedPool } from './resolved-types.js';
import type { TenancyConfig } from './types.js';

/** Of a home that can be renamed. */
const EITHER = "expected 'postgres-schema' or 'postgres-database'";

/** The pool of a cluster, with the driver that placement gives to new tenants there where the pool names none. */
export function resolvePool(pool: PoolConfig, cluster: string, placement: TenancyConfig['placement']): ResolvedPool | null {
  if (pool.driver !== undefined) return { driver: pool.driver, size: pool.size };
  if (typeof placement === 'function' || placement.cluster !== cluster) return null;
  const { driver } = placement;
  return driver === 'postgres-schema' || driver === 'postgres-database' ? { driver, size: pool.size } : null;
}

/** Why the driver of a pool that names none can't be told. */
export function explainPool(pool: PoolConfig, cluster: string, placement: TenancyConfig['placement']): ConfigIssue | null {
  if (resolvePool(pool, cluster, placement) !== null) return null;
  const path = `clusters.${cluster}.pool.driver`;
  if (typeof placement === 'function') return { path, problem: `${EITHER}: \`placement\` is a function, which may answer either` };
  if (placement.cluster !== cluster) return { path, problem: `${EITHER}: \`placement\` puts nobody on ${cluster}` };
  return {
    path,
    problem: `${EITHER}: a home is made ahead under another name, and ${placement.driver}, which \`placement\` names, can't rename`,
  };
}
