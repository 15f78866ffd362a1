import type { ResolvedConfig } from '../../config/types.js';
import { isTenancyError } from '../../errors.js';
import type { Registry } from '../../registry/registry.js';
import { type DriverName, parseTenantId } from '../../tenant.js';

/** Tenants whose drivers are looked at: a cluster that holds more than that hardly keeps another kind for the end. */
const SAMPLE = 500;

/** The drivers of a cluster: those its tenants have, and the one a new tenant would get. */
export async function findDrivers(cluster: string, config: ResolvedConfig, registry: Registry | null): Promise<ReadonlySet<DriverName>> {
  const tenants = registry === null ? [] : await registry.listTenants({ clusters: [cluster] }, { after: null, limit: SAMPLE });
  const present = tenants.filter(({ status }) => status !== 'deprovisioned').map(({ driver }) => driver);
  const next = placeSample(config);
  return new Set(next?.cluster === cluster ? [...present, next.driver] : present);
}

/** Null where the config's placement can't place a tenant that has no labels. */
function placeSample(config: ResolvedConfig): { readonly cluster: string; readonly driver: DriverName } | null {
  try {
    return config.place({ id: parseTenantId('acme'), labels: {} });
  } catch (error) {
    if (isTenancyError(error)) return null;
    throw error;
  }
}
