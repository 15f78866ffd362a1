import { TenancyError } from '../errors.js';
import { findClosest } from './edit-distance.js';

/** A value that is none of those which there are: `TENANCY_OPTION_REJECTED`, with the one that was probably meant. */
export function rejectChoice(option: string, value: string, known: readonly string[]): TenancyError {
  return new TenancyError('TENANCY_OPTION_REJECTED', {
    option,
    value,
    expected: `one of ${known.join(', ')}`,
    closest: findClosest(value, known),
  });
}
