import { isTenancyError } from '../../errors.js';
import type { Registry } from '../../registry/registry.js';
import { type Finding, failed, failedBy, ok, warning } from './findings.js';

export interface RegistryAnswer {
  readonly findings: readonly Finding[];
  /** Null where there is none yet, or it can't be used. */
  readonly registry: Registry | null;
}

/**
 * Opening it also brings an older registry's own schema up to date, as every command does; it never makes one.
 * @param clusters those that the config names: tenants that live elsewhere can't be worked on.
 */
export async function checkRegistry(open: () => Promise<Registry>, clusters: readonly string[]): Promise<RegistryAnswer> {
  try {
    const registry = await open();
    await registry.checkTables();
    const tenants = await countTenants(registry);
    const total = [...tenants.values()].reduce((sum, count) => sum + count, 0);
    const found = ok('registry', `${wordCount(total)} at ${registry.where}; its schema is the one this tenancy-cli knows`);
    const homeless = [...tenants]
      .filter(([cluster]) => !clusters.includes(cluster))
      .map(([cluster, count]) => missingCluster(cluster, count));
    return { registry, findings: [found, ...homeless] };
  } catch (error) {
    return {
      registry: null,
      findings: [isTenancyError(error, 'TENANCY_REGISTRY_NOT_FOUND') ? noneYet(error.details.where) : failedBy('registry', error)],
    };
  }
}

/** By cluster, without those that are gone. */
async function countTenants(registry: Registry): Promise<ReadonlyMap<string, number>> {
  const counts = new Map<string, number>();
  for (const { status, cluster, tenants } of await registry.summarize({})) {
    if (status !== 'deprovisioned') counts.set(cluster, (counts.get(cluster) ?? 0) + tenants);
  }
  return counts;
}

function noneYet(where: string): Finding {
  const hint = 'if there should be one, registry.url names the wrong server or database';
  return warning('registry', `none yet at ${where}: the first provision makes one`, hint);
}

function missingCluster(cluster: string, count: number): Finding {
  return failed(
    `clusters.${cluster}`,
    `the registry has ${wordCount(count)} there, but the config doesn't name it`,
    `add clusters.${cluster} to the config`,
  );
}

function wordCount(count: number): string {
  return count === 1 ? '1 tenant' : `${count} tenants`;
}
