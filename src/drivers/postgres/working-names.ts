import { createHash } from 'node:crypto';

/** Begins the name of a database that is being made. */
export const DRAFT = 'tenancy_op_';

/** The name that a database has while it is being made: it tells the operation even before it can carry a marker. */
export function draftName(operation: string): string {
  return `${DRAFT}${shorten(operation)}`;
}

/** Begins the name of a database that is being dropped. */
export const DROPPED = 'tenancy_drop_';

/** Begins the name of a schema that is retained. */
export const RETAINED = 'tenancy_retained_';

/** The name that a database is given for the drop: so that the drop, which can't be made conditional, reaches this life of the tenant and no other. */
export function droppedName(operation: string): string {
  return `${DROPPED}${shorten(operation)}`;
}

/** The name that a schema has while it is retained. Each life of a tenant has its own, which no tenant may be given. */
export function retainedName(operation: string): string {
  return `${RETAINED}${shorten(operation)}`;
}

/** With the longest of what stands before it, it has to be a name of at most 63 bytes. */
function shorten(operation: string): string {
  const isPlain = /^[a-z0-9_-]{1,46}$/.test(operation);
  return isPlain ? operation : createHash('sha256').update(operation).digest('hex').slice(0, 40);
}
