import type { BackupDriver } from '../driver.js';
import type { EngineContext } from './engine-context.js';

/** Loaded when a backup is asked for. */
export function createMongodbBackups(context: EngineContext): BackupDriver {
  return {
    format: 'mongodump-folder',
    extension: '',
    isFolder: true,
    check: async (options) => (await import('./backup/tools.js')).checkTools(context, options),
    checkHome: async (target, tools, signal) => (await import('./backup/tools.js')).checkHome(context, target, tools, signal),
    checkSource: async (tenant, source, tools) => (await import('./backup/tools.js')).checkSource(tenant, source, tools),
    dump: async (target, path, work) => (await import('./backup/dump.js')).dumpDatabase(context, target, path, work),
    restore: async (target, source, work) => (await import('./backup/restore.js')).restoreDatabase(context, target, source, work),
    // A mongorestore that outlives us finds its collections gone, with the home that is dropped before it is loaded again.
    stop: async () => false,
    sweep: async () => undefined,
  };
}
