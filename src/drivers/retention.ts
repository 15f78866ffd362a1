import { TenancyError } from '../errors.js';
import type { Marker } from './target.js';

/** What a home says of the operations that close and open it, beside its marker. */
export interface Retention {
  /** The operation that has closed it, to be kept. */
  readonly retained?: string | null | undefined;
  /** The last operation of which that was taken back: what it may still send is late. */
  readonly undeleted?: string | null | undefined;
}

type Retainable = Retention & Pick<Marker, 'tenant'>;

/** What is said of a home that this operation closes. @throws TenancyError `TENANCY_STATE_MOVED` for a late attempt of an operation that is over */
export function markRetained<Home extends Retainable>(home: Home, operation: string): Home {
  if (isAnothers(home, operation) || home.undeleted === operation) throw new TenancyError('TENANCY_STATE_MOVED', { tenant: home.tenant });
  return { ...home, retained: operation };
}

/** What is said of a home that is opened again. @throws TenancyError `TENANCY_STATE_MOVED` where another operation has closed it since */
export function markUnretained<Home extends Retainable>(home: Home, operation: string, isOver: boolean): Home {
  if (isAnothers(home, operation)) throw new TenancyError('TENANCY_STATE_MOVED', { tenant: home.tenant });
  return { ...home, retained: undefined, ...(isOver ? { undeleted: operation } : {}) };
}

function isAnothers({ retained }: Retention, operation: string): boolean {
  return retained != null && retained !== operation;
}
