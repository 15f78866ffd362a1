import type { RunEvent } from '../events.js';
import { redactUrl } from '../util/redact.js';
import type { TenantScope } from './run-context.js';

/** Where a tenant lives and how to look inside: for the person who just made it. Carries no password. */
export function locateTenant({
  run,
  tenant,
  driver,
  target,
}: Pick<TenantScope, 'run' | 'tenant' | 'driver' | 'target'>): Extract<RunEvent, { type: 'tenant.located' }> {
  const url = withoutPassword(driver.connectionUrl(target));
  const place = { tenant: tenant.id, cluster: tenant.cluster, driver: tenant.driver, name: tenant.name, url };
  if (run.clusters.isEmbedded(tenant.cluster)) {
    const schema = driver.capabilities.isSharedDatabase ? `PGOPTIONS='-c search_path=${tenant.name},${run.config.extensionsSchema}' ` : '';
    const database = driver.capabilities.isSharedDatabase ? '' : ` ${tenant.name}`;
    return {
      type: 'tenant.located',
      ...place,
      connect: `${schema}psql "$(npx tenancy embedded status ${tenant.cluster} --url${database})"`,
      note: '`npx tenancy embedded start` first: it keeps the embedded server up between commands',
    };
  }
  return { type: 'tenant.located', ...place, connect: `psql '${url.replaceAll("'", '%27')}'` };
}

function withoutPassword(url: string): string {
  const parsed = new URL(url);
  parsed.password = '';
  return redactUrl(parsed.toString());
}
