import { escapeIdentifier, escapeLiteral } from 'pg';
import { TenancyError } from '../../../errors.js';
import { sleep } from '../../../util/abort.js';
import { elapsedMs, monotonicMs } from '../../../util/clock.js';
import type { MigrateContext } from './context.js';
import { readRows, sendMessage } from './send-message.js';
import { type StatementPlace, statementMark } from './statement-place.js';
import { readTarget, type StatementTarget } from './statement-target.js';

const POLL_MS = 100;

/** `again`: it had no effect, or bears to be sent once more. */
export type ProbeFinding = 'done' | 'again' | 'unknown';

/** What the catalogue says about a statement that was started by a process that is gone. */
export async function probeStatement(context: MigrateContext, place: StatementPlace): Promise<ProbeFinding> {
  const target = targetOf(place);
  const [command, second] = place.statement.words;
  switch (target?.type) {
    case 'create-index':
      if (target.index === null) return 'unknown';
      return (await findIndex(context, target, target.index))?.isValid ? 'done' : 'again';
    case 'drop-index':
      return (await findIndex(context, target, target.name)) === null ? 'done' : 'again';
    case 'reindex':
    case 'maintenance':
      return 'again';
    default:
      // These end in the same state however often they are run.
      return command === 'VACUUM' || command === 'CLUSTER' || command === 'REINDEX' || (command === 'ALTER' && second === 'SYSTEM')
        ? 'again'
        : 'unknown';
  }
}

/**
 * An invalid index of the name, left by an attempt that failed or was killed, would make the build fail, or with IF NOT EXISTS
 * be taken for the real one. REINDEX leaves its half-made ones beside those it was to replace.
 */
export async function dropInvalidIndex(context: MigrateContext, place: StatementPlace): Promise<void> {
  const target = targetOf(place);
  if (target?.type === 'create-index' && target.index !== null) {
    const index = await findIndex(context, target, target.index);
    if (index && !index.isValid) await dropIndex(context, index);
  }
  if (target?.type === 'reindex') {
    for (const index of await findLeftovers(context, target)) await dropIndex(context, index);
  }
}

/** CREATE INDEX CONCURRENTLY outlives the client that sent it. @throws TenancyError `TENANCY_TENANT_BUSY` */
export async function waitForStatement(context: MigrateContext, place: StatementPlace): Promise<void> {
  const { deps } = context;
  const mark = escapeLiteral(statementMark(context, place));
  const running = `SELECT 'process ' || pid FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid() AND state <> 'idle' AND starts_with(query, ${mark})`;
  const startedMs = monotonicMs();
  for (;;) {
    const holder = (await readRows(deps.client, running))[0]?.[0];
    if (holder === undefined || holder === null) return;
    const waitedMs = elapsedMs(startedMs);
    if (waitedMs >= deps.options.lockTimeoutMs) throw new TenancyError('TENANCY_TENANT_BUSY', { tenant: place.tenant, holder, waitedMs });
    await sleep(POLL_MS, deps.options.signal);
  }
}

interface FoundIndex {
  readonly schema: string;
  readonly name: string;
  readonly isValid: boolean;
}

function targetOf({ prepared, statement }: StatementPlace): StatementTarget | null {
  return readTarget(prepared.source.sql, statement);
}

/** The schema that is written, the tenant's, or in a database of its own that of the table (an index is always beside it). */
async function findIndex(context: MigrateContext, target: StatementTarget, name: string): Promise<FoundIndex | null> {
  const schema = schemaSql(context, target);
  const [row] = await readRows(
    context.deps.client,
    `SELECT n.nspname, c.relname, i.indisvalid FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace JOIN pg_index i ON i.indexrelid = c.oid ` +
      `WHERE c.relname = ${escapeLiteral(name)} AND n.nspname = ${schema}`,
  );
  return row ? toIndex(row) : null;
}

async function findLeftovers(context: MigrateContext, target: StatementTarget): Promise<FoundIndex[]> {
  const rows = await readRows(
    context.deps.client,
    `SELECT n.nspname, c.relname, i.indisvalid FROM pg_index i JOIN pg_class c ON c.oid = i.indexrelid JOIN pg_class t ON t.oid = i.indrelid ` +
      `JOIN pg_namespace n ON n.oid = c.relnamespace WHERE NOT i.indisvalid AND c.relname ~ '_cc(new|old)[0-9]*$' AND n.nspname = ${schemaSql(context, target)} ` +
      `AND (t.relname = ${escapeLiteral(target.name)} OR starts_with(c.relname, ${escapeLiteral(`${target.name}_cc`)}))`,
  );
  return rows.map(toIndex);
}

function schemaSql({ schema }: MigrateContext, target: StatementTarget): string {
  // In a tenant's schema `public` was let through to stand for it.
  if (target.schema !== null && (schema === null || target.schema !== 'public')) return escapeLiteral(target.schema);
  if (schema !== null) return escapeLiteral(schema);
  const relation = escapeLiteral(escapeIdentifier(target.name));
  return `coalesce((SELECT n.nspname FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace WHERE c.oid = to_regclass(${relation})), current_schema())`;
}

async function dropIndex(context: MigrateContext, { schema, name }: FoundIndex): Promise<void> {
  await sendMessage(context.deps.client, `DROP INDEX CONCURRENTLY IF EXISTS ${escapeIdentifier(schema)}.${escapeIdentifier(name)}`);
}

function toIndex([schema, name, isValid]: readonly (string | null)[]): FoundIndex {
  return { schema: schema ?? '', name: name ?? '', isValid: isValid === 't' };
}
