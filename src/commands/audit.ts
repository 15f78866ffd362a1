import { readFile } from 'node:fs/promises';
import path from 'node:path';
import { EXIT, type ExitCode } from '../errors/define.js';
import { TenancyError } from '../errors.js';
import { createHeadsWriter, createTrailWriter, parseHeads } from '../reporters/documents/audit-trail.js';
import { printAuditVerify, toAuditVerifyDocument } from '../reporters/documents/audit-verify.js';
import { writeDocument } from '../reporters/documents/write-document.js';
import { wallClock } from '../util/clock.js';
import { parseDuration } from '../util/duration.js';
import type { CommandContext } from './context.js';
import { withTenancy } from './with-tenancy.js';

const PAGE = 200;

export interface AuditShowFlags {
  readonly since?: string;
  readonly heads?: boolean;
}

/** The trail of one tenant, or of what belongs to none; or the heads of all chains. */
export async function runAuditShow(context: CommandContext, id: string | undefined, flags: AuditShowFlags): Promise<ExitCode> {
  const since = parseSince(flags.since);
  if (flags.heads && (id !== undefined || since !== null)) {
    throw new TenancyError('TENANCY_OPTION_REJECTED', {
      option: '--heads',
      value: id ?? '--since',
      expected: 'no tenant and no --since beside it',
    });
  }
  return withTenancy(context, 'audit show', async ({ audit }) => {
    const options = { ...context, ...context.globals };
    if (flags.heads) await writePaged(audit.heads(), createHeadsWriter(options));
    else await writePaged(audit.list(id ?? null, { since }), createTrailWriter(id ?? null, options));
    return EXIT.ok;
  });
}

export interface AuditVerifyFlags {
  readonly all?: boolean;
  readonly against?: string;
}

export async function runAuditVerify(context: CommandContext, id: string | undefined, flags: AuditVerifyFlags): Promise<ExitCode> {
  if ((id === undefined) === !flags.all) {
    const reason = id === undefined ? 'audit verify wants the id of a tenant, or --all' : `${id} and --all exclude each other`;
    throw new TenancyError('TENANCY_SELECTION_REFUSED', { reason });
  }
  const against = flags.against === undefined ? undefined : await readHeadsFile(path.resolve(context.cwd, flags.against));
  return withTenancy(context, 'audit verify', async ({ audit }) => {
    const found = await audit.verify({ tenant: id ?? null, ...(against === undefined ? {} : { against }) });
    await writeDocument(toAuditVerifyDocument(found), printAuditVerify, { ...context, ...context.globals });
    return found.broken === 0 ? EXIT.ok : EXIT.tenantsFailed;
  });
}

async function writePaged<Item>(
  items: AsyncIterable<Item>,
  writer: { write(page: readonly Item[]): Promise<void>; end(): Promise<void> },
): Promise<void> {
  let page: Item[] = [];
  for await (const item of items) {
    page.push(item);
    if (page.length < PAGE) continue;
    await writer.write(page);
    page = [];
  }
  await writer.write(page);
  await writer.end();
}

/** A date, or a time (ISO 8601), or how long ago. */
function parseSince(raw: string | undefined): Date | null {
  if (raw === undefined) return null;
  if (/^\d+(\.\d+)?\s*(ms|s|m|h|d)$/.test(raw.trim())) return new Date(wallClock().getTime() - parseDuration(raw));
  const date = /^\d{4}-\d{2}-\d{2}/.test(raw) ? new Date(raw) : null;
  if (date !== null && !Number.isNaN(date.getTime())) return date;
  throw new TenancyError('TENANCY_OPTION_REJECTED', {
    option: '--since',
    value: raw,
    expected: 'a date such as 2026-01-31, a time in ISO 8601, or how long ago, such as 24h',
  });
}

async function readHeadsFile(file: string) {
  let text: string;
  try {
    text = await readFile(file, 'utf8');
  } catch (cause) {
    const reason =
      cause instanceof Error && 'code' in cause && cause.code === 'ENOENT' ? 'a file that is there' : 'a file that can be read';
    throw new TenancyError('TENANCY_OPTION_REJECTED', { option: '--against', value: file, expected: reason }, { cause });
  }
  const heads = parseHeads(text);
  if (heads !== null) return heads;
  throw new TenancyError('TENANCY_OPTION_REJECTED', {
    option: '--against',
    value: file,
    expected: 'what `tenancy audit show --heads --json` wrote',
  });
}
