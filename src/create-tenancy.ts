/** Apart from `tenancy.ts`, since every config imports the package and few of them call this. */
import { resolve } from 'node:path';
import type { TenancyConfig, TenancyConfigFunction } from './config/types.js';
import type { Tenancy, TenancyOptions } from './tenancy.js';

export type CreateTenancyOptions = TenancyOptions & {
  /** Where relative paths in the config start. @default the working directory */
  readonly root?: string;
  /** For the `TENANCY_*` variables, and for the function form of a config. @default none */
  readonly env?: Readonly<Record<string, string | undefined>>;
};

/**
 * Opens tenancy over a config, as `tenancy.config.ts` exports it. Nothing is connected to before it is needed.
 * @throws TenancyError for a config that is wrong.
 */
export async function createTenancy(config: TenancyConfig | TenancyConfigFunction, options: CreateTenancyOptions = {}): Promise<Tenancy> {
  const { loadConfigObject } = await import('./config/load.js');
  const { resolveConfig } = await import('./config/resolve.js');
  const env = options.env ?? {};
  const loaded = await loadConfigObject(config, { cwd: resolve(options.root ?? '.'), env, command: 'api' });
  const { openTenancy } = await import('./tenancy.js');
  return openTenancy(resolveConfig(loaded, { env }), options);
}
