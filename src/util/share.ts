/** A number of tenants, or a share of them. */
export type Share = { readonly type: 'tenants'; readonly tenants: number } | { readonly type: 'percent'; readonly percent: number };

/** Reads `5`, `10%` or `0.5%`; null where it is neither. */
export function readShare(raw: string | number): Share | null {
  const [, amount, sign] = /^(\d{1,9}(?:\.\d{1,6})?)(%)?$/.exec(String(raw).trim()) ?? [];
  if (amount === undefined) return null;
  const value = Number(amount);
  if (sign === undefined) return Number.isInteger(value) ? { type: 'tenants', tenants: value } : null;
  return value > 100 ? null : { type: 'percent', percent: value };
}

/** As it is typed. */
export function formatShare(share: Share): string {
  return share.type === 'tenants' ? String(share.tenants) : `${share.percent}%`;
}
