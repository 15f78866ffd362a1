import type { RunEvent } from '../events.js';
import { FINDING_SEVERITIES, type FindingCode, type FindingSeverity } from '../finding.js';
import { describeFinding } from './describe.js';
import { formatCount } from './format.js';
import type { Palette } from './palette.js';
import { sanitizeLine } from './sanitize.js';

type Finding = Extract<RunEvent, { type: 'tenant.finding' }>;

/** Of one code; with --verbose a hundred times as many. */
const SHOWN = 8;
const SHOWN_VERBOSE = 100 * SHOWN;

interface Group {
  readonly severity: FindingSeverity;
  readonly shown: Finding[];
  total: number;
  fixed: number;
  fixable: number;
}

/** The findings of a verify, grouped by their code, worst first. */
export class FindingsText {
  readonly #groups = new Map<FindingCode, Group>();
  readonly #most: number;

  constructor({ isVerbose }: { readonly isVerbose: boolean }) {
    this.#most = isVerbose ? SHOWN_VERBOSE : SHOWN;
  }

  add(finding: Finding): void {
    const { code, severity, status, isFixable } = finding;
    const group = this.#groups.get(code) ?? { severity, shown: [], total: 0, fixed: 0, fixable: 0 };
    this.#groups.set(code, group);
    group.total += 1;
    if (status === 'fixed') group.fixed += 1;
    else if (isFixable) group.fixable += 1;
    if (group.shown.length < this.#most) group.shown.push(finding);
  }

  /** Findings that `--fix` would mend. */
  get fixable(): number {
    return [...this.#groups.values()].reduce((sum, { fixable }) => sum + fixable, 0);
  }

  print(palette: Palette): readonly string[] {
    const groups = [...this.#groups].sort(
      ([a, { severity: one }], [b, { severity: other }]) =>
        FINDING_SEVERITIES.indexOf(one) - FINDING_SEVERITIES.indexOf(other) || (a < b ? -1 : 1),
    );
    return groups.flatMap(([code, group]) => [...printGroup(code, group, palette), '']);
  }
}

function printGroup(code: FindingCode, { severity, shown, total, fixed }: Group, palette: Palette): readonly string[] {
  const paint = { broken: palette.red, drift: palette.yellow, note: palette.dim }[severity];
  const mended = fixed === 0 ? '' : `, ${fixed === total ? 'all' : fixed} mended`;
  const lines = [`${paint(severity.padEnd(6))} ${palette.bold(code)} ${palette.dim(`(${formatCount(total, 'finding')}${mended})`)}`];
  for (const finding of shown) {
    lines.push(`  ${sanitizeLine(describeFinding(finding))}`);
    if (finding.repair !== null && finding.status !== 'fixed') lines.push(`    ${palette.cyan('→')} ${sanitizeLine(finding.repair)}`);
  }
  if (total > shown.length) lines.push(palette.dim(`  and ${total - shown.length} more: --verbose shows more of them, --json all`));
  return lines;
}
