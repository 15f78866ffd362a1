import type { BackupDriver } from '../driver.js';
import type { EngineContext } from './engine-context.js';

const FORMAT = { format: 'pg_dump-custom', extension: 'dump', isFolder: false } as const;

/** Loaded when a backup is asked for. */
export function createPostgresBackups(context: EngineContext, kind: { readonly historySchema: string | null }): BackupDriver {
  const load = async () => {
    const module = await import('./backup/index.js');
    return kind.historySchema === null ? module.createSchemaBackups(context) : module.createDatabaseBackups(context, kind.historySchema);
  };
  return {
    ...FORMAT,
    check: async (options) => (await import('./backup/index.js')).checkTools(context, options),
    dump: async (target, path, work) => (await load()).dump(target, path, work),
    restore: async (target, source, work) => (await load()).restore(target, source, work),
    stop: async (target, signal) => (await load()).stop(target, signal),
    sweep: async (target, signal) => (await load()).sweep(target, signal),
    listLeft: async (registry) => (await import('./backup/list-left.js')).listLeft(context, registry),
    sweepLoaded: async (target, signal) => (await load()).sweepLoaded?.(target, signal),
  };
}
