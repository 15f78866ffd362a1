import path from 'node:path';
import process from 'node:process';
import type { TenantOutcome } from '../outcome.js';
import { formatCount, formatNumber } from './format.js';
import type { Palette } from './palette.js';
import { sanitizeLine, sanitizeLines } from './sanitize.js';

const MAX_NAMES = 20;

/**
 * Names at most twenty tenants that failed, in the order of the run: worst first. Tenants that failed alike (one broken migration,
 * a server that is down) share one message, so that many of one kind don't hide another.
 */
export function printFailures(
  failed: readonly TenantOutcome[],
  run: string | null,
  palette: Palette,
  maxNames = MAX_NAMES,
): readonly string[] {
  const groups = new Map<string, TenantOutcome[]>();
  for (const outcome of failed) {
    const { tenant, error } = outcome;
    const key = JSON.stringify([outcome.outcome, error?.code, error?.hook, withoutName(error?.message ?? '', tenant)]);
    const group = groups.get(key);
    if (group === undefined) groups.set(key, [outcome]);
    else group.push(outcome);
  }
  const shown = [...groups.values()].slice(0, maxNames);
  const namesEach = Math.max(1, Math.floor(maxNames / Math.max(1, shown.length)));
  const named = shown.reduce((count, group) => count + Math.min(group.length, namesEach), 0);
  const lines = shown.flatMap((group) => ['', ...printGroup(group, namesEach, palette)]);
  const rest = failed.length - named;
  if (rest > 0) lines.push('', `  and ${formatNumber(rest)} more${run === null ? '' : `: tenancy run show ${sanitizeLine(run)}`}`);
  return lines;
}

function printGroup(group: readonly TenantOutcome[], maxNames: number, palette: Palette): readonly string[] {
  const [first] = group;
  if (first === undefined) return [];
  const { error, cluster, attempts } = first;
  const isOne = group.length === 1;
  const who = palette.bold(isOne ? sanitizeLine(first.tenant) : formatCount(group.length, 'tenant'));
  const what = `${first.outcome}${error?.hook == null ? '' : ` in ${sanitizeLine(error.hook)}`}`;
  const where = isOne ? palette.dim(` on ${sanitizeLine(cluster)}${attempts > 1 ? `, ${attempts} attempts` : ''}`) : '';
  const log = isOne && error?.log != null ? `  log ${printPath(error.log)}` : '';
  const lines = [`${palette.red('✖')} ${who} ${what}${where}`];
  if (error !== undefined) {
    const message = sanitizeLines(withoutName(error.message, first.tenant));
    lines.push(...message.map((line) => `  ${line}`), palette.dim(`  ${sanitizeLine(error.code)}${log}`));
  }
  return isOne ? lines : [...lines, ...printNames(group.slice(0, maxNames), palette)];
}

/** Short where it is below the working directory. */
function printPath(file: string): string {
  const below = `${process.cwd()}${path.sep}`;
  return sanitizeLine(file.startsWith(below) ? file.slice(below.length) : file);
}

function printNames(group: readonly TenantOutcome[], palette: Palette): readonly string[] {
  const width = Math.max(...group.map(({ tenant }) => sanitizeLine(tenant).length));
  return group.map(
    ({ tenant, cluster, error }) =>
      `    ${sanitizeLine(tenant).padEnd(width)}  ${palette.dim(error?.log == null ? sanitizeLine(`on ${cluster}`) : printPath(error.log))}`,
  );
}

/** Messages begin with the tenant's name; where the name is said already, without it. */
export function withoutName(message: string, tenant: string): string {
  return message.startsWith(`${tenant}: `) ? message.slice(tenant.length + 2) : message;
}
