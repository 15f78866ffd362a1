import type { Palette } from '../palette.js';
import { sanitizeLine } from '../sanitize.js';

/** The warm pool of one cluster. */
interface PoolLine {
  readonly cluster: string;
  readonly driver: string;
  readonly size: number;
  readonly ready: number;
  /** Of those that are ready. */
  readonly stale: number;
  readonly busy: number;
  readonly claimed: number;
  readonly broken: readonly { readonly id: string | null; readonly name: string; readonly problem: string }[];
}

/** And what was done to it. */
interface FilledLine extends PoolLine {
  readonly made: number;
  readonly mended: number;
  readonly dropped: number;
  readonly failed: readonly { readonly name: string; readonly code: string; readonly message: string }[];
}

/** `tenancy pool status`. */
interface PoolDocument {
  readonly v: 1;
  readonly pools: readonly PoolLine[];
}

/** `tenancy pool fill`. */
interface PoolFillDocument {
  readonly v: 1;
  readonly pools: readonly FilledLine[];
}

export function toPoolDocument(pools: readonly PoolLine[]): PoolDocument {
  return { v: 1, pools };
}

export function toPoolFillDocument(pools: readonly FilledLine[]): PoolFillDocument {
  return { v: 1, pools };
}

export function printPool({ pools }: PoolDocument, palette: Palette): readonly string[] {
  return pools.flatMap((pool) => describe(pool, palette));
}

export function printPoolFilling({ pools }: PoolFillDocument, palette: Palette): readonly string[] {
  return pools.flatMap((pool) => {
    const done = [count(pool.made, 'made'), count(pool.mended, 'mended'), count(pool.dropped, 'dropped')].filter((part) => part !== '');
    const failures = pool.failed.map(
      ({ name, code, message }) => `  ${palette.red('✖')} ${sanitizeLine(name)}: ${sanitizeLine(message)} (${code})`,
    );
    return [...describe(pool, palette, done.length === 0 ? 'nothing to do' : done.join(', ')), ...failures];
  });
}

function describe(pool: PoolLine, palette: Palette, done?: string): readonly string[] {
  const { cluster, driver, size, ready, stale, busy, claimed, broken } = pool;
  const parts = [
    `${ready} of ${size} ready${stale > 0 ? ` (${stale} for older migrations)` : ''}`,
    count(busy, 'being made or dropped'),
    count(claimed, 'claimed'),
    count(broken.length, 'broken'),
  ].filter((part) => part !== '');
  const isWell = ready >= size && broken.length === 0;
  const sign = isWell ? palette.green('✔') : palette.yellow('!');
  const problems = broken.map(({ name, problem }) => `  ${palette.yellow('!')} ${sanitizeLine(name)}: ${sanitizeLine(problem)}`);
  const hint = !isWell && done === undefined ? [`  ${palette.cyan('→')} tenancy pool fill`] : [];
  const head = `${sign} ${palette.bold(sanitizeLine(cluster))}  ${driver}  ${parts.join(', ')}${done === undefined ? '' : `: ${done}`}`;
  return [head, ...problems, ...hint];
}

function count(number: number, what: string): string {
  return number === 0 ? '' : `${number} ${what}`;
}
