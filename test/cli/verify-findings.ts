import type { JsonRun } from './scene.js';

/** What was found, in the order of codes: `home-missing acme found`. */
export function listFindings(run: JsonRun): string[] {
  return run
    .of('tenant.finding')
    .map(({ code, tenant, name, status }) => `${code} ${tenant ?? name} ${status}`)
    .sort();
}
