import { readShare, type Share } from '../util/share.js';

/** Why a value doesn't say how far waves reach, to follow "expected"; null where it does. `none` takes back what a weaker layer sets. */
export function explainWaves(raw: unknown, most: number = Number.POSITIVE_INFINITY): string | null {
  const expected =
    most === 1 ? 'a number of tenants (1) or a share of them (5%), or none' : 'how far each wave reaches (1,10%,100%), or none';
  if (raw === 'none') return null;
  if (typeof raw !== 'string' && typeof raw !== 'number') return expected;
  const shares = splitWaves(raw);
  if (shares.length > most || shares.some((share) => share === null || amountOf(share) <= 0)) return expected;
  return doGrow(shares as readonly Share[]) ? null : `${expected}, each further than the one before`;
}

export function parseWaves(raw: string | number): readonly Share[] {
  return raw === 'none' ? [] : splitWaves(raw).filter((share) => share !== null);
}

function splitWaves(raw: string | number): readonly (Share | null)[] {
  return String(raw).split(',').map(readShare);
}

/** Numbers among themselves, and shares: which of the two reaches further depends on the fleet. */
function doGrow(shares: readonly Share[]): boolean {
  return (['tenants', 'percent'] as const).every((type) => {
    const amounts = shares.filter((share) => share.type === type).map(amountOf);
    return amounts.every((amount, index) => index === 0 || amount > (amounts[index - 1] ?? 0));
  });
}

function amountOf(share: Share): number {
  return share.type === 'tenants' ? share.tenants : share.percent;
}
