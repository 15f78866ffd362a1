import { isTenancyError, TenancyError } from '../errors.js';
import { parseTenantId, type TenantId } from '../tenant.js';

/** Reads a tenant's id out of a physical name. */
export interface AdoptPattern {
  /** Null where the name doesn't fit, or what is left of it can't be an id. */
  idOf(name: string): TenantId | null;
}

/** `tenant_{id}`: the text around `{id}` is taken literally. @throws TenancyError `TENANCY_PATTERN_REJECTED`. */
export function parseAdoptPattern(pattern: string): AdoptPattern {
  const [before, after, ...others] = pattern.split('{id}');
  if (before === undefined || after === undefined)
    throw new TenancyError('TENANCY_PATTERN_REJECTED', { pattern, reason: 'it has no {id} in it' });
  if (others.length > 0) throw new TenancyError('TENANCY_PATTERN_REJECTED', { pattern, reason: 'it has {id} in it more than once' });
  return {
    idOf: (name) => {
      if (!name.startsWith(before) || !name.endsWith(after) || name.length <= before.length + after.length) return null;
      try {
        return parseTenantId(name.slice(before.length, name.length - after.length));
      } catch (error) {
        if (isTenancyError(error, 'TENANCY_ID_REJECTED')) return null;
        throw error;
      }
    },
  };
}
