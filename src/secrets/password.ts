import { randomBytes } from 'node:crypto';
import { registerSecret } from '../util/redact.js';

/** 40 characters of A-Z a-z 0-9 - _, 240 random bits: fit for every URL, shell and SQL, and blanked in all output from now on. */
export function createPassword(): string {
  const password = randomBytes(30).toString('base64url');
  registerSecret(password);
  return password;
}
