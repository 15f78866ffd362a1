import { driversOf, engineOf, engineOfUrl, parsePhysicalName } from '../drivers/names.js';
import { isTenancyError, TenancyError } from '../errors.js';
import type { DriverName, Placement, TenantSeed } from '../tenant.js';
import { DRIVER_NAMES } from '../tenant.js';
import { findClosest } from '../util/edit-distance.js';
import { describeThrown } from '../util/import-failure.js';
import { describeValue } from './config-issues.js';
import type { TenancyConfig } from './types.js';

export interface PlacementRules {
  readonly file: string | null;
  /** Each with its URL, where that is known before it is asked for. */
  readonly clusters: Readonly<Record<string, string | null>>;
  readonly allowMixedCase: boolean;
}

/**
 * The config's placement as a function whose answer can be relied on: a cluster that is configured, a driver that exists, a legal name.
 * It throws `TENANCY_PLACEMENT_REJECTED` with the tenant's id, or `TENANCY_NAME_REJECTED`.
 */
export function createPlace(placement: TenancyConfig['placement'], rules: PlacementRules): (seed: TenantSeed) => Placement {
  return (seed) => {
    const answer =
      typeof placement === 'function' ? callPlacement(placement, seed, rules.file) : { ...placement, name: fillName(placement.name, seed) };
    const problem = explainAnswer(answer, Object.keys(rules.clusters)) ?? explainEngine(answer as Placement, rules.clusters);
    if (problem !== null) throw reject(rules.file, seed, problem);
    const { cluster, driver, name } = answer as Placement;
    return { cluster, driver, name: parsePhysicalName(driver, name, { allowMixedCase: rules.allowMixedCase }) };
  };
}

function fillName(template: string, seed: TenantSeed): string {
  return template.replaceAll('{id}', seed.id.toLowerCase());
}

function callPlacement(placement: (seed: TenantSeed) => unknown, seed: TenantSeed, file: string | null): unknown {
  try {
    return placement(Object.freeze({ id: seed.id, labels: Object.freeze({ ...seed.labels }) }));
  } catch (thrown) {
    if (isTenancyError(thrown)) throw thrown;
    throw reject(file, seed, `the function threw ${describeThrown(thrown)}`, thrown);
  }
}

function explainAnswer(answer: unknown, clusters: readonly string[]): string | null {
  if (answer instanceof Promise) {
    answer.catch(() => undefined);
    return 'it returned a promise: placement is asked without waiting, and depends on the tenant alone';
  }
  if (typeof answer !== 'object' || answer === null) return `it returned ${describeValue(answer)}, not { cluster, driver, name }`;
  const { cluster, driver, name } = answer as Record<string, unknown>;
  if (typeof cluster !== 'string' || !clusters.includes(cluster)) {
    return `it returned the cluster ${describeValue(cluster)}, and there is only ${clusters.join(', ')}${suggest(cluster, clusters)}`;
  }
  if (!DRIVER_NAMES.includes(driver as DriverName)) {
    return `it returned the driver ${describeValue(driver)}, and there is only ${DRIVER_NAMES.join(', ')}${suggest(driver, DRIVER_NAMES)}`;
  }
  return typeof name === 'string' ? null : `it returned ${describeValue(name)} as the name, which is a text`;
}

/** A driver for another kind of server than the cluster is. */
function explainEngine({ cluster, driver }: Placement, clusters: PlacementRules['clusters']): string | null {
  const engine = engineOfUrl(clusters[cluster] ?? '');
  if (engine === null || engine === engineOf(driver)) return null;
  return `it returned the driver ${driver} for the cluster ${cluster}, whose server keeps ${driversOf(engine).join(' or ')} tenants`;
}

function suggest(word: unknown, candidates: readonly string[]): string {
  const closest = typeof word === 'string' ? findClosest(word, candidates) : undefined;
  return closest === undefined ? '' : ` (did you mean ${closest}?)`;
}

function reject(file: string | null, seed: TenantSeed, reason: string, cause?: unknown): TenancyError {
  return new TenancyError('TENANCY_PLACEMENT_REJECTED', { file, tenant: seed.id, reason }, { cause });
}
