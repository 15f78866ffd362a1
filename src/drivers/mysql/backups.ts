import type { BackupDriver } from '../driver.js';
import type { EngineContext } from './engine-context.js';

/** Loaded when a backup is asked for. */
export function createMysqlBackups(context: EngineContext): BackupDriver {
  return {
    format: 'mysqldump-sql',
    extension: 'sql',
    isFolder: false,
    check: async (options) => (await import('./backup/tools.js')).checkTools(context, options),
    dump: async (target, path, work) => (await import('./backup/dump.js')).dumpDatabase(context, target, path, work),
    restore: async (target, source, work) => (await import('./backup/restore.js')).restoreDatabase(context, target, source, work),
    // A client that outlives us reads nothing more, and what is in its hands by then the drop of the home waits for.
    stop: async () => false,
    sweep: async () => undefined,
  };
}
