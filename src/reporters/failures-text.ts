import type { TenantOutcome } from '../events.js';
import { formatCount, formatNumber } from './format.js';
import type { Palette } from './palette.js';
import { sanitizeLine, sanitizeLines } from './sanitize.js';

const MAX_FAILURES = 20;

/**
 * Names at most twenty tenants that failed, in the order of the run: worst first. Tenants that failed alike (one broken migration,
 * a server that is down) share one message.
 */
export function printFailures(
  failed: readonly TenantOutcome[],
  run: string | null,
  palette: Palette,
  limit = MAX_FAILURES,
): readonly string[] {
  if (failed.length === 0) return [];
  const groups = new Map<string, TenantOutcome[]>();
  for (const outcome of failed.slice(0, limit)) {
    const key = JSON.stringify([
      outcome.outcome,
      outcome.error?.code,
      outcome.error?.hook,
      withoutName(outcome.error?.message ?? '', outcome.tenant),
    ]);
    const group = groups.get(key);
    if (group === undefined) groups.set(key, [outcome]);
    else group.push(outcome);
  }
  const lines = [...groups.values()].flatMap((group) => ['', ...printGroup(group, palette)]);
  const rest = failed.length - limit;
  if (rest > 0) lines.push('', `  and ${formatNumber(rest)} more${run === null ? '' : `: tenancy run show ${sanitizeLine(run)}`}`);
  return lines;
}

function printGroup(group: readonly TenantOutcome[], palette: Palette): readonly string[] {
  const [first] = group;
  if (first === undefined) return [];
  const { error, cluster, attempts } = first;
  const isOne = group.length === 1;
  const who = palette.bold(isOne ? sanitizeLine(first.tenant) : formatCount(group.length, 'tenant'));
  const what = `${first.outcome}${error?.hook == null ? '' : ` in ${sanitizeLine(error.hook)}`}`;
  const where = isOne ? palette.dim(` on ${sanitizeLine(cluster)}${attempts > 1 ? `, ${attempts} attempts` : ''}`) : '';
  const log = isOne && error?.log != null ? `  log ${sanitizeLine(error.log)}` : '';
  const lines = [`${palette.red('✖')} ${who} ${what}${where}`];
  if (error !== undefined) {
    lines.push(
      ...sanitizeLines(withoutName(error.message, first.tenant)).map((line) => `  ${line}`),
      palette.dim(`  ${sanitizeLine(error.code)}${log}`),
    );
  }
  return isOne ? lines : [...lines, ...printNames(group, palette)];
}

function printNames(group: readonly TenantOutcome[], palette: Palette): readonly string[] {
  const width = Math.max(...group.map(({ tenant }) => sanitizeLine(tenant).length));
  return group.map(
    ({ tenant, cluster, error }) =>
      `    ${sanitizeLine(tenant).padEnd(width)}  ${palette.dim(sanitizeLine(error?.log ?? `on ${cluster}`))}`,
  );
}

/** Messages begin with the tenant's name; where the name is said already, without it. */
export function withoutName(message: string, tenant: string): string {
  return message.startsWith(`${tenant}: `) ? message.slice(tenant.length + 2) : message;
}
