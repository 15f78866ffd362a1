/** One line of the table: a ratio, what it is to be, and what it was made of. */
export interface Figure {
  readonly what: string;
  readonly ratio: number;
  /** `≤` or `≥`; null where it is only told. */
  readonly goal: { readonly type: 'at-most' | 'at-least'; readonly ratio: number } | null;
  /** How both sides were measured, in words. */
  readonly detail: string;
}

export function isMet({ ratio, goal }: Figure): boolean {
  if (goal === null) return true;
  return goal.type === 'at-most' ? ratio <= goal.ratio : ratio >= goal.ratio;
}

export function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b);
  return sorted[Math.floor(sorted.length / 2)] ?? Number.NaN;
}

/** The table as Markdown; a figure that is not met says so. */
export function printFigures(figures: readonly Figure[]): string {
  const rows = figures.map((figure) => {
    const { what, ratio, goal, detail } = figure;
    if (goal === null) return `| ${what} | ${ratio.toFixed(2)} | | | ${detail} |`;
    return `| ${what} | ${ratio.toFixed(2)} | ${goal.type === 'at-most' ? '≤' : '≥'} ${goal.ratio} | ${isMet(figure) ? 'met' : '**not met**'} | ${detail} |`;
  });
  return ['| what | ratio | goal | | how |', '|---|---|---|---|---|', ...rows].join('\n');
}
