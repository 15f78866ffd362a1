import { TenancyError } from '../../errors.js';
import type { MarkerComment } from './marker.js';

/** The marker of a home that this operation closes. @throws TenancyError `TENANCY_STATE_MOVED` for a late attempt of an operation that is over */
export function markRetained(marker: MarkerComment, operation: string): MarkerComment {
  const isAnothers = marker.retained !== undefined && marker.retained !== operation;
  if (isAnothers || marker.undeleted === operation) throw new TenancyError('TENANCY_STATE_MOVED', { tenant: marker.tenant });
  return { ...marker, retained: operation };
}

/** The marker of a home that is opened again. @throws TenancyError `TENANCY_STATE_MOVED` where another operation has closed it since */
export function markUnretained(marker: MarkerComment, operation: string, isOver: boolean): MarkerComment {
  const { retained, ...rest } = marker;
  if (retained !== undefined && retained !== operation) throw new TenancyError('TENANCY_STATE_MOVED', { tenant: marker.tenant });
  return isOver ? { ...rest, undeleted: operation } : rest;
}
