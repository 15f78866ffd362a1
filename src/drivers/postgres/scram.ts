import { createHash, createHmac, pbkdf2, randomBytes } from 'node:crypto';
import { promisify } from 'node:util';

/** As `scram_iterations` is by default; the client pays for it at each login. */
const ITERATIONS = 4_096;
const KEY_LENGTH = 32;

/**
 * What PostgreSQL keeps of a password, reckoned here (RFC 5803, as `pg_authid.rolpassword` has it): `CREATE ROLE … PASSWORD '<verifier>'` is taken as it is, so that
 * the password reaches neither the server nor, where the statement fails, its log. For passwords of ASCII, which SASLprep leaves alone.
 */
export async function scramVerifier(password: string, salt: Buffer = randomBytes(16)): Promise<string> {
  const salted = await promisify(pbkdf2)(password, salt, ITERATIONS, KEY_LENGTH, 'sha256');
  const hmac = (key: Buffer, text: string): Buffer => createHmac('sha256', key).update(text).digest();
  const storedKey = createHash('sha256').update(hmac(salted, 'Client Key')).digest();
  const serverKey = hmac(salted, 'Server Key');
  return `SCRAM-SHA-256$${ITERATIONS}:${salt.toString('base64')}$${storedKey.toString('base64')}:${serverKey.toString('base64')}`;
}
