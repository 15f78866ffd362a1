import type { TenancyConfig, TenancyConfigFunction } from './types.js';

/** Gives an editor the types of a config; returns it as it is. */
export function defineConfig<Config extends TenancyConfig | TenancyConfigFunction>(config: Config): Config {
  return config;
}
