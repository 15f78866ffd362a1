import type { Palette } from '../palette.js';
import { sanitizeLine } from '../sanitize.js';

interface BreakLine {
  readonly tenant: string | null;
  readonly damage: string;
  readonly from: number | null;
  readonly to: number | null;
  readonly event: string | null;
  readonly run: string | null;
  readonly reason: string;
}

/** `tenancy audit verify`. */
interface AuditVerifyDocument {
  readonly v: 1;
  readonly chains: number;
  readonly events: number;
  readonly runs: number;
  /** How many places are broken; of these at most a thousand are in `breaks`. */
  readonly broken: number;
  readonly breaks: readonly BreakLine[];
}

export function toAuditVerifyDocument({ chains, events, runs, broken, breaks }: Omit<AuditVerifyDocument, 'v'>): AuditVerifyDocument {
  return { v: 1, chains, events, runs, broken, breaks };
}

export function printAuditVerify({ chains, events, runs, broken, breaks }: AuditVerifyDocument, palette: Palette): readonly string[] {
  const read = [count(chains, 'chain'), count(events, 'event'), ...(runs === 0 ? [] : [`what ${count(runs, 'run')} recorded`])].join(', ');
  if (broken === 0) return [`${palette.green('✔')} ${read}: nothing was changed`];
  const more = broken - breaks.length;
  return [
    ...breaks.map(({ tenant, reason, damage }) => {
      const whose = tenant === null ? 'the registry’s own events' : tenant;
      return `${palette.red('✖')} ${palette.bold(sanitizeLine(whose))}: ${sanitizeLine(reason)} ${palette.dim(`(${damage})`)}`;
    }),
    ...(more > 0 ? [`  and ${more.toLocaleString('en')} more`] : []),
    `${palette.red('✖')} ${read}: broken in ${count(broken, 'place')}`,
  ];
}

function count(number: number, what: string): string {
  return `${number.toLocaleString('en')} ${what}${number === 1 ? '' : 's'}`;
}
