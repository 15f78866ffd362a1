import { loadConfigObject } from '../../src/config/load.js';
import { type ResolveConfigOptions, resolveConfig } from '../../src/config/resolve.js';
import type { ResolvedConfig } from '../../src/config/types.js';

/** The least that a config has to say. */
export const template = { cluster: 'main', driver: 'postgres-schema', name: 'tenant_{id}' };
export const sound = { clusters: { main: { url: 'postgres://u:pw@h/db' } }, placement: template };

/** As a command does, with a config that is at hand. */
export async function resolve(config: unknown, options: ResolveConfigOptions = {}): Promise<ResolvedConfig> {
  return resolveConfig(await loadConfigObject(config, { cwd: '/app', command: 'x', env: {} }), options);
}

/** The message of what is thrown. */
export async function failure(doing: Promise<unknown> | (() => unknown)): Promise<string> {
  try {
    await (typeof doing === 'function' ? doing() : doing);
  } catch (error) {
    return error instanceof Error ? error.message : String(error);
  }
  throw new Error('nothing was thrown');
}
