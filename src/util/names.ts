import { randomBytes, randomUUID } from 'node:crypto';
import { wallClock } from './clock.js';

/** A random name for one operation on one tenant: 26 characters of a-z0-9, fit for a part of a database's name. */
export function createOperationId(): string {
  return BigInt(`0x1${randomUUID().replaceAll('-', '')}`)
    .toString(36)
    .padStart(26, '0')
    .slice(-26);
}

/** `20261121-013012-k3x9`: sorts by time, and can be read out over the telephone. */
export function createRunId(): string {
  const time = wallClock().toISOString().replace(/[-:]/g, '').replace('T', '-').slice(0, 15);
  const alphabet = 'abcdefghjkmnpqrstuvwxyz23456789';
  const tail = [...randomBytes(4)].map((byte) => alphabet[byte % alphabet.length]).join('');
  return `${time}-${tail}`;
}

/** Tells this process from every other that may hold a lease. */
export function createOwnerId(): string {
  return randomUUID();
}
