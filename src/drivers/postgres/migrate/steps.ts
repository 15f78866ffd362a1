import type { LocalMigration, MigrationScript } from '../../../migrations/migration.js';
import type { ExtensionStatement } from '../../../migrations/sql/extension.js';
import { type MigrateContext, type PreparedScript, prepareScript } from './context.js';
import { missingExtensions } from './extensions.js';

type ModuleScript = Extract<MigrationScript, { type: 'module' }>;

export interface ScriptStep {
  readonly migration: LocalMigration;
  readonly prepared: PreparedScript;
}

/** Steps that are carried out in the same way, one after the other. */
export type Segment =
  | { readonly type: 'scripts'; readonly steps: ScriptStep[] }
  | ({ readonly type: 'statements' } & ScriptStep)
  | { readonly type: 'module'; readonly migration: LocalMigration; readonly script: ModuleScript }
  /** To be made for all tenants before the next segment. */
  | { readonly type: 'extension'; readonly migration: LocalMigration; readonly file: string; readonly extension: ExtensionStatement };

/**
 * Puts together what can travel in one message. Every file is looked through here, before the first is sent.
 * @throws TenancyError where a script holds what must not be sent.
 */
export function toSegments(
  context: MigrateContext,
  steps: readonly { readonly migration: LocalMigration; readonly script: MigrationScript }[],
  publicTo: 'tenant' | null,
): Segment[] {
  const segments: Segment[] = [];
  const planned = new Set<string>();
  for (const { migration, script } of steps) {
    if (script.type === 'module') {
      segments.push({ type: 'module', migration, script });
      continue;
    }
    const prepared = prepareScript(context, script, publicTo);
    for (const extension of missingExtensions(context, prepared)) {
      if (planned.has(extension.name)) continue;
      planned.add(extension.name);
      segments.push({ type: 'extension', migration, file: script.file, extension });
    }
    const last = segments.at(-1);
    if (!script.isTransactional) segments.push({ type: 'statements', migration, prepared });
    else if (last?.type === 'scripts') last.steps.push({ migration, prepared });
    else segments.push({ type: 'scripts', steps: [{ migration, prepared }] });
  }
  return segments;
}
