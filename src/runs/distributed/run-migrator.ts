import { createRunMigrator, type RunMigrator } from '../../lifecycle/migrator.js';
import type { Run } from '../../registry/registry.js';
import type { Workspace } from '../workspace.js';

/** That of a run that others have begun: it goes where the run goes, whatever there is here by now. */
export function makeRunMigrator({ config }: Workspace, { command, options, target }: Run): Promise<RunMigrator> {
  const isUp = command !== 'rollback';
  const asked = typeof options['to'] === 'string' ? options['to'] : null;
  return createRunMigrator(config, {
    direction: isUp ? 'up' : 'down',
    // A foreign migrator only knows its newest.
    to: asked ?? (isUp && isBuiltIn(config) ? target : null),
    allowOutOfOrder: options['allowOutOfOrder'] === true,
    forceVerify: options['forceVerify'] === true,
  });
}

function isBuiltIn({ hooks: { migrate } }: Workspace['config']): boolean {
  return typeof migrate === 'object' && migrate.type === 'sql-migrations';
}
