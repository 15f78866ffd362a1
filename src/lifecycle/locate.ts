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
  return { type: 'tenant.located', ...place, connect: driver.clientCommand(target, url) };
}

/** By text: a URL of MongoDB may name several hosts, which is no URL to the parser. */
function withoutPassword(url: string): string {
  return redactUrl(url.replace(/^([a-z][a-z0-9+.-]*:\/\/[^:/@]*):[^@/]*@/i, '$1@'));
}
