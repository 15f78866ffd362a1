import type { AuditEvent, ChainHead } from '../../registry/registry.js';
import { createLineWriter } from '../line-writer.js';
import { createResultPalette, type Palette } from '../palette.js';
import { type Cell, printTime, Table } from './table.js';
import { type DocumentOptions, toText } from './write-document.js';

/** Writes page by page, so that a long trail is never in memory. */
interface PagedWriter<Item> {
  /** Waits for the reader, so the next page is fetched when this one is gone. */
  write(page: readonly Item[]): Promise<void>;
  end(): Promise<void>;
}

/** An event of the trail, as `tenancy audit show` writes it. */
function toEventDocument({ sequence, place, at, runId, type, data, actor, login, hash }: AuditEvent) {
  return { sequence, place, at: at.toISOString(), run: runId, type, data, actor, login, hash };
}

export function createTrailWriter(tenant: string | null, options: DocumentOptions): PagedWriter<AuditEvent> {
  const header = [{ text: 'event' }, { text: 'at' }, { text: 'what', minWidth: 16 }, { text: 'who' }, { text: 'details' }];
  return createPagedWriter(options, {
    json: { head: `{"v":1,"tenant":${JSON.stringify(tenant)},"events":`, toItem: toEventDocument },
    header,
    toRow: toEventRow,
    none: 'no events',
  });
}

export function createHeadsWriter(options: DocumentOptions): PagedWriter<ChainHead> {
  return createPagedWriter(options, {
    json: { head: '{"v":1,"heads":', toItem: ({ chain, place, hash }) => ({ tenant: chain === '*' ? null : chain, place, hash }) },
    header: [{ text: 'tenant', minWidth: 16 }, { text: 'events' }, { text: 'hash' }],
    toRow: ({ chain, place, hash }, palette) => [
      { text: chain },
      { text: String(place), isNumber: true },
      { text: hash, paint: palette.dim },
    ],
    none: 'no events',
  });
}

/** What `createHeadsWriter` wrote as JSON, by chain; null where it is something else. */
export function parseHeads(text: string): ReadonlyMap<string, { readonly place: number; readonly hash: string }> | null {
  let document: { readonly heads?: unknown };
  try {
    document = JSON.parse(text) as { readonly heads?: unknown };
  } catch {
    return null;
  }
  if (typeof document !== 'object' || document === null || !Array.isArray(document.heads)) return null;
  const heads = new Map<string, { readonly place: number; readonly hash: string }>();
  for (const head of document.heads as readonly unknown[]) {
    if (!isHead(head)) return null;
    heads.set(head.tenant ?? '*', { place: head.place, hash: head.hash });
  }
  return heads;
}

function isHead(head: unknown): head is { readonly tenant: string | null; readonly place: number; readonly hash: string } {
  if (typeof head !== 'object' || head === null) return false;
  const { tenant, place, hash } = head as Record<string, unknown>;
  return (
    (tenant === null || typeof tenant === 'string') &&
    Number.isSafeInteger(place) &&
    typeof hash === 'string' &&
    /^[0-9a-f]{64}$/.test(hash)
  );
}

interface Layout<Item> {
  readonly json: { readonly head: string; toItem(item: Item): unknown };
  readonly header: readonly Cell[];
  toRow(item: Item, palette: Palette): readonly Cell[];
  readonly none: string;
}

function createPagedWriter<Item>(options: DocumentOptions, { json, header, toRow, none }: Layout<Item>): PagedWriter<Item> {
  const writer = createLineWriter(options.stdout);
  const palette = createResultPalette(options);
  const table = new Table(header);
  const isJson = options.output === 'json';
  let count = 0;
  return {
    async write(page) {
      if (page.length === 0) return;
      if (isJson)
        writer.write(
          page.map((item, index) => `${count + index === 0 ? `${json.head}[\n` : ',\n'}${JSON.stringify(json.toItem(item))}`).join(''),
        );
      else {
        const lines = table.print(page.map((item) => toRow(item, palette)));
        writer.write(toText(count === 0 ? [table.printHeader(palette), ...lines] : lines, options));
      }
      count += page.length;
      await writer.whenReady();
    },
    async end() {
      if (isJson) writer.write(count === 0 ? `${json.head}[]}\n` : '\n]}\n');
      else if (count === 0 && !options.isQuiet) writer.write(`${none}\n`);
      await writer.finish();
    },
  };
}

function toEventRow({ place, at, runId, type, data, actor, login }: AuditEvent, palette: Palette): readonly Cell[] {
  return [
    { text: place === 0 ? '-' : String(place), isNumber: true, paint: palette.dim },
    { text: printTime(at.toISOString()), paint: palette.dim },
    { text: type },
    { text: actor === null ? (login ?? '-') : `${actor.user} on ${actor.host}` },
    { text: [describeData(data), runId ?? ''].filter((part) => part !== '').join('  '), paint: palette.dim },
  ];
}

/** The few things that most events are about, in words; `--json` has all of it. */
function describeData(data: AuditEvent['data']): string {
  const parts: string[] = [];
  const { from, to, touched } = data;
  for (const name of ['command', 'control', 'status', 'outcome', 'code', 'cluster', 'name']) {
    if (typeof data[name] === 'string') parts.push(data[name]);
  }
  if (typeof from === 'string' || typeof to === 'string') parts.push(`${from ?? 'none'} → ${to ?? 'none'}`);
  if (Array.isArray(touched)) parts.push(touched.map(describeTouch).join(', '));
  return parts.join('  ');
}

function describeTouch(touch: unknown): string {
  const { what, isFailed, isFound, migrations } = touch as Readonly<
    Partial<Record<'what' | 'isFailed' | 'isFound' | 'migrations', unknown>>
  >;
  const count = Array.isArray(migrations) ? ` ${migrations.length}` : '';
  return `${String(what)}${count}${isFailed === true ? ' (failed)' : ''}${isFound === true ? ' (found)' : ''}`;
}
