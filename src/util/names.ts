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
  return `${time}-${createTail(4)}`;
}

/** Of a backup: without its time, which stands before it in the name of the file. */
export function createBackupId(): string {
  return createTail(10);
}

/** Can be read out over the telephone. */
function createTail(length: number): string {
  const alphabet = 'abcdefghjkmnpqrstuvwxyz23456789';
  return [...randomBytes(length)].map((byte) => alphabet[byte % alphabet.length]).join('');
}

/** Tells this process from every other that may hold a lease. */
export function createOwnerId(): string {
  return randomUUID();
}
