import type { MigrationScript } from '../../../migrations/migration.js';
import { untilAborted } from '../../../util/abort.js';
import type { MigrateContext } from './context.js';
import { lendClient } from './module-client.js';

export type ModuleScript = Extract<MigrationScript, { type: 'module' }>;

export interface ModuleStep {
  readonly name: string;
  readonly checksum: string;
  readonly script: ModuleScript;
  readonly direction: 'up' | 'down';
  readonly isSeed: boolean;
}

export interface Told {
  readonly tenant: string;
  readonly log: (text: string) => void;
}

/** Calls the module's function, and takes back what it was handed when that is over. */
export async function runModule(migrate: MigrateContext, { script }: ModuleStep, { tenant, log }: Told): Promise<void> {
  const { signal } = migrate.options;
  migrate.scope.expired = null;
  migrate.scope.loneWrites.length = 0;
  const lent = lendClient(migrate, { tenant, signal, log });
  try {
    await untilAborted(() => script.run(lent.db, lent.client), signal);
  } finally {
    lent.takeBack();
  }
}
