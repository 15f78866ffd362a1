import { withoutName } from '../failures-text.js';
import { formatCount, formatNumber } from '../format.js';
import type { Palette } from '../palette.js';
import { sanitizeLine } from '../sanitize.js';
import type { StatusDocument, VersionState } from './status-document.js';
import { type Cell, Table } from './table.js';
import { paintStatus } from './tenant-list.js';

const BAR_WIDTH = 24;

/** The fleet on one screen: states, versions, who lags and what failed. */
export function printStatus(document: StatusDocument, palette: Palette): readonly string[] {
  const { tenants, registry, clusters, target } = document;
  const where =
    clusters.length > 1
      ? ` on ${clusters.map(({ cluster, tenants: count }) => `${sanitizeLine(cluster)} (${formatNumber(count)})`).join(', ')}`
      : '';
  const lines = [`${palette.bold(formatCount(tenants, 'tenant'))}${where}  ${palette.dim(sanitizeLine(registry))}`];
  if (document.statuses.length === 0) return lines;
  lines.push(
    '',
    ...printStatuses(document, palette),
    ...printVersions(document, palette),
    ...printLaggards(document, palette),
    ...printFailures(document, palette),
  );
  const { behind, withError } = document;
  if (target !== null && behind > 0)
    lines.push('', `${palette.cyan('→')} to bring them to ${sanitizeLine(target)}: tenancy tenant migrate --all`);
  else if (behind === 0 && withError === 0 && document.versions.some(({ state }) => state === 'current'))
    lines.push('', `${palette.green('✔')} nothing is pending`);
  return lines;
}

function printStatuses({ statuses }: StatusDocument, palette: Palette): readonly string[] {
  const table = new Table([]);
  const rows = statuses.map(({ status, tenants }): readonly Cell[] => [
    { text: formatNumber(tenants), isNumber: true },
    { text: status, paint: paintStatus(status, palette) },
  ]);
  return table.print(rows).map((line) => `  ${line}`);
}

function printVersions({ versions }: StatusDocument, palette: Palette): readonly string[] {
  if (versions.length === 0) return [];
  const most = Math.max(...versions.map(({ tenants }) => tenants));
  const table = new Table([]);
  const rows = versions.map(({ schemaVersion, tenants, state }): readonly Cell[] => [
    { text: formatNumber(tenants), isNumber: true },
    { text: schemaVersion ?? 'none' },
    { text: '━'.repeat(Math.max(1, Math.round((tenants / most) * BAR_WIDTH))), paint: paintState(state, palette) },
    { text: state === 'unknown' ? '' : state, paint: paintState(state, palette) },
  ]);
  return ['', 'versions', ...table.print(rows).map((line) => `  ${line}`)];
}

function paintState(state: VersionState, palette: Palette): (text: string) => string {
  if (state === 'current') return palette.green;
  if (state === 'drifted') return palette.red;
  return state === 'unknown' ? palette.dim : palette.yellow;
}

function printLaggards({ laggards, behind }: StatusDocument, palette: Palette): readonly string[] {
  if (laggards.length === 0) return [];
  const table = new Table([]);
  const rows = laggards.map(({ id, cluster, schemaVersion }) => [
    { text: id },
    { text: schemaVersion ?? 'none' },
    { text: cluster, paint: palette.dim },
  ]);
  return ['', `behind (${formatNumber(behind)})`, ...table.print(rows).map((line) => `  ${line}`), ...printRest(behind - laggards.length)];
}

function printFailures({ failures, withError }: StatusDocument, palette: Palette): readonly string[] {
  if (failures.length === 0) return [];
  const table = new Table([]);
  const rows = failures.map(({ id, status, error }): readonly Cell[] => [
    { text: '✖', paint: palette.red },
    { text: id },
    { text: status, paint: palette.dim },
    { text: error === null ? '' : `${error.step === null ? '' : `${error.step}: `}${withoutName(error.message, id).split('\n')[0] ?? ''}` },
  ]);
  return [
    '',
    `failures (${formatNumber(Math.max(withError, failures.length))})`,
    ...table.print(rows).map((line) => `  ${line}`),
    ...printRest(withError - failures.length),
  ];
}

function printRest(rest: number): readonly string[] {
  return rest > 0 ? [`  and ${formatNumber(rest)} more`] : [];
}
