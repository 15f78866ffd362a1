import { isTenancyError } from '../../errors.js';
import type { Registry } from '../../registry/registry.js';
import { failedBy, type Finding, ok, warning } from './findings.js';

export interface RegistryAnswer {
  readonly finding: Finding;
  /** Null where there is none yet, or it can't be used. */
  readonly registry: Registry | null;
}

/** Opening it also brings an older registry's own schema up to date, as every command does; it never makes one. */
export async function checkRegistry(open: () => Promise<Registry>): Promise<RegistryAnswer> {
  try {
    const registry = await open();
    const tenants = (await registry.summarize({})).reduce((sum, summary) => (summary.status === 'deprovisioned' ? sum : sum + summary.tenants), 0);
    const count = tenants === 1 ? '1 tenant' : `${tenants} tenants`;
    return { registry, finding: ok('registry', `${count} at ${registry.where}; its schema is the one this tenancy-cli knows`) };
  } catch (error) {
    if (!isTenancyError(error, 'TENANCY_REGISTRY_NOT_FOUND')) return { registry: null, finding: failedBy('registry', error) };
    const detail = `none yet at ${error.details.where}: the first provision makes one`;
    return { registry: null, finding: warning('registry', detail, 'if there should be one, registry.url names the wrong server or database') };
  }
}
