import type { Hook } from '../src/config/types.js';

/**
 * Runs a `.sql` file once in each tenant's life, after its first migrations, for `hooks.seed`. That it was run is recorded in the tenant
 * in the same transaction, so an interrupted provisioning never seeds twice. The file's name is what is remembered: a changed file is not run again.
 *
 * @param file relative to the config file
 */
export function sqlSeed(file: string): Hook {
  return (ctx) => ctx.seed(file);
}
