import { TenancyError } from '../errors.js';
import type { TenantSelection } from '../fleet/selection.js';
import { TENANT_STATUSES, type TenantStatus } from '../tenant.js';
import { rejectChoice } from '../util/reject-choice.js';
import { readShard, type Shard } from '../util/shard.js';
import type { CommandContext } from './context.js';
import { readIds } from './read-ids.js';

/** As commander gives them. */
export interface SelectionFlags {
  readonly all?: boolean;
  readonly label?: readonly string[];
  readonly cluster?: readonly string[];
  readonly status?: readonly string[];
  readonly exclude?: readonly string[];
  readonly failed?: boolean;
  readonly shard?: string;
}

export async function parseSelectionFlags(
  context: CommandContext,
  ids: readonly string[],
  flags: SelectionFlags,
): Promise<TenantSelection> {
  return {
    ids: await readIds(context, ids),
    all: flags.all ?? false,
    labels: parseLabels(flags.label ?? []),
    clusters: flags.cluster ?? [],
    statuses: (flags.status ?? []).map(parseStatus),
    exclude: flags.exclude ?? [],
    failed: flags.failed ?? false,
    ...(flags.shard === undefined ? {} : { shard: parseShard(flags.shard) }),
  };
}

/** `--label plan=pro`, repeatable. */
export function parseLabels(raw: readonly string[]): Readonly<Record<string, string>> {
  const labels: Record<string, string> = {};
  for (const pair of raw) {
    const [, key, value] = /^([A-Za-z0-9][A-Za-z0-9_./-]{0,62})=([^\0-\x1f]{0,255})$/.exec(pair) ?? [];
    if (key === undefined || value === undefined) {
      throw new TenancyError('TENANCY_OPTION_REJECTED', { option: '--label', value: pair, expected: 'key=value' });
    }
    labels[key] = value;
  }
  return labels;
}

/** `--shard 2/4`. */
export function parseShard(raw: string): Shard {
  const shard = readShard(raw);
  if (shard !== null) return shard;
  throw new TenancyError('TENANCY_OPTION_REJECTED', { option: '--shard', value: raw, expected: 'one of so many shards, 1/4 to 4/4' });
}

export function parseStatus(raw: string): TenantStatus {
  const status = TENANT_STATUSES.find((known) => known === raw);
  if (status) return status;
  throw rejectChoice('--status', raw, TENANT_STATUSES);
}
