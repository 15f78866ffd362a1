import type { Tenant, TenantStatus } from '../../tenant.js';
import { toJsonLine } from '../json-line.js';
import { createLineWriter } from '../line-writer.js';
import { createResultPalette, type Palette } from '../palette.js';
import { sanitizeLine } from '../sanitize.js';
import { type Cell, printTime, Table } from './table.js';
import { printLabels, toTenantDocument } from './tenant-document.js';
import { type DocumentOptions, toText } from './write-document.js';

/** Writes `tenant list` page by page, so that the fleet is never in memory. With `--quiet` it is ids alone, one a line. */
export interface TenantListWriter {
  /** Waits for the reader, so the next page is fetched when this one is gone. */
  write(page: readonly Tenant[]): Promise<void>;
  end(): Promise<void>;
}

export function createTenantListWriter(options: DocumentOptions): TenantListWriter {
  const writer = createLineWriter(options.stdout);
  if (options.output === 'json') return createJsonListWriter(writer);
  const palette = createResultPalette(options);
  const table = new Table([
    { text: 'id', minWidth: 16 },
    { text: 'status', minWidth: 9 },
    { text: 'version' },
    { text: 'cluster' },
    { text: 'name' },
    { text: 'labels' },
  ]);
  let count = 0;
  return {
    async write(page) {
      if (page.length === 0) return;
      const lines = options.isQuiet ? page.map(({ id }) => sanitizeLine(id)) : table.print(page.map((tenant) => toRow(tenant, palette)));
      if (count === 0 && !options.isQuiet) writer.write(toText([table.printHeader(palette)], options));
      count += page.length;
      writer.write(toText(lines, options));
      await writer.whenReady();
    },
    async end() {
      if (count === 0 && !options.isQuiet) writer.write('no tenants\n');
      await writer.finish();
    },
  };
}

/** One document, `{"v":1,"tenants":[…]}`, a tenant on a line of its own. */
function createJsonListWriter(writer: ReturnType<typeof createLineWriter>): TenantListWriter {
  let separator = '{"v":1,"tenants":[\n';
  return {
    async write(page) {
      for (const tenant of page) {
        writer.write(`${separator}${toJsonLine(toTenantDocument(tenant))}`);
        separator = ',\n';
      }
      await writer.whenReady();
    },
    async end() {
      writer.write(separator === ',\n' ? '\n]}\n' : '{"v":1,"tenants":[]}\n');
      await writer.finish();
    },
  };
}

function toRow(tenant: Tenant, palette: Palette): readonly Cell[] {
  const marks = [tenant.isProtected ? 'protected' : '', tenant.lastError === null ? '' : 'last error'].filter((mark) => mark !== '');
  return [
    { text: tenant.id },
    { text: [describeStatus(tenant), ...marks].join(', '), paint: paintStatus(tenant.status, palette, tenant.lastError !== null) },
    { text: tenant.schemaVersion ?? '-' },
    { text: tenant.cluster },
    { text: tenant.name },
    { text: printLabels(tenant.labels), paint: palette.dim },
  ];
}

function describeStatus({ status, retainedUntil, isRetentionOver }: Tenant): string {
  if (status !== 'retained' || retainedUntil === null) return status;
  return `retained until ${printTime(retainedUntil.toISOString())}${isRetentionOver ? ' (over)' : ''}`;
}

export function paintStatus(status: TenantStatus, palette: Palette, hasError = false): ((text: string) => string) | undefined {
  if (status === 'failed' || hasError) return palette.red;
  if (status === 'active') return palette.green;
  return status === 'deprovisioned' ? palette.dim : palette.yellow;
}
