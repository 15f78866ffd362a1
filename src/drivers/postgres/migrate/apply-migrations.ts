import { historyDigest } from '../../../migrations/history-digest.js';
import type { AppliedMigration, LocalMigration } from '../../../migrations/migration.js';
import type { ApplyOptions } from '../../driver.js';
import { applyScripts } from './apply-scripts.js';
import { type MigrateContext, prepareScript, type PreparedScript } from './context.js';
import type { ScriptUnit } from './message.js';
import { toApplied } from './read-history.js';

const EMPTY_DIGEST = historyDigest([]);

/** Steps that are carried out in the same way, one after the other. */
type Segment =
  | { readonly type: 'scripts'; readonly steps: { readonly migration: LocalMigration; readonly prepared: PreparedScript }[] }
  | { readonly type: 'statements'; readonly migration: LocalMigration; readonly prepared: PreparedScript }
  | { readonly type: 'module'; readonly migration: LocalMigration };

export async function applyMigrations(context: MigrateContext, steps: readonly LocalMigration[], options: ApplyOptions): Promise<AppliedMigration[]> {
  // Every file is looked through before the first is sent.
  const segments = toSegments(context, steps, options.publicTo ?? null);
  const applied: AppliedMigration[] = [];
  const report = (migration: AppliedMigration): void => {
    applied.push(migration);
    options.onMigration({ name: migration.name, ms: migration.durationMs });
  };
  const before = (): Pick<ApplyOptions, 'expectedDigest'> => ({ expectedDigest: applied.length === 0 ? options.expectedDigest : null });
  for (const segment of segments) {
    switch (segment.type) {
      case 'scripts':
        await applySegment(context, segment.steps, { ...options, ...before() }, report);
        break;
      case 'statements':
      case 'module':
        throw new Error('not yet');
    }
  }
  return applied;
}

function toSegments(context: MigrateContext, steps: readonly LocalMigration[], publicTo: 'tenant' | null): Segment[] {
  const segments: Segment[] = [];
  for (const migration of steps) {
    const { up } = migration;
    if (up.type === 'module') {
      segments.push({ type: 'module', migration });
      continue;
    }
    const prepared = prepareScript(context, up, publicTo);
    const last = segments.at(-1);
    if (!up.isTransactional) segments.push({ type: 'statements', migration, prepared });
    else if (last?.type === 'scripts') last.steps.push({ migration, prepared });
    else segments.push({ type: 'scripts', steps: [{ migration, prepared }] });
  }
  return segments;
}

async function applySegment(
  context: MigrateContext,
  steps: readonly { readonly migration: LocalMigration; readonly prepared: PreparedScript }[],
  options: ApplyOptions,
  report: (migration: AppliedMigration) => void,
): Promise<void> {
  const migrations = new Map<ScriptUnit, LocalMigration>(
    steps.map(({ migration, prepared }) => [{ name: migration.name, prepared, record: context.sql.recordMigration(migration) }, migration]),
  );
  await applyScripts(context, [...migrations.keys()], {
    tenant: options.tenant,
    expectedDigest: options.expectedDigest,
    isFirst: options.expectedDigest === EMPTY_DIGEST,
    onCommit: (unit, row) => {
      const migration = migrations.get(unit);
      if (migration) report(toApplied(migration, row, context.deps.options.runId));
    },
  });
}
