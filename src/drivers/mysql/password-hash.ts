import { createHash, randomInt } from 'node:crypto';

/**
 * What the server keeps of a password, reckoned here, so that the password itself is in no statement that a log could show.
 * MariaDB: `mysql_native_password`, the one plugin that every version has built in. MySQL: `caching_sha2_password`, since 8.0 the default and from 9.0 on the only one.
 */
export function identifiedBy(password: string, isMariadb: boolean): string {
  return isMariadb
    ? `IDENTIFIED VIA mysql_native_password USING '${nativeHash(password)}'`
    : `IDENTIFIED WITH caching_sha2_password AS '${cachingSha2Hash(password)}'`;
}

/** `*` and SHA1(SHA1(password)). */
export function nativeHash(password: string): string {
  const inner = createHash('sha1').update(password).digest();
  return `*${createHash('sha1').update(inner).digest('hex').toUpperCase()}`;
}

const ALPHABET = './0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz';
const SALT_LENGTH = 20;
/** Written in thousands, as three hexadecimal digits. */
const ROUNDS = 5_000;

/** `$A$005$`, 20 characters of salt, and the digest. */
export function cachingSha2Hash(password: string, salt: string = createSalt()): string {
  return `$A$${(ROUNDS / 1_000).toString(16).padStart(3, '0')}$${salt}${sha256Crypt(password, salt)}`;
}

/** The server takes any bytes but NUL and `$`; these need no quoting. */
function createSalt(): string {
  return Array.from({ length: SALT_LENGTH }, () => ALPHABET[randomInt(2, ALPHABET.length)]).join('');
}

/** The bytes of the digest in the order in which SHA-crypt writes them, three to four characters. */
const ORDER = [0, 10, 20, 21, 1, 11, 12, 22, 2, 3, 13, 23, 24, 4, 14, 15, 25, 5, 6, 16, 26, 27, 7, 17, 18, 28, 8, 9, 19, 29];

/** SHA-crypt with SHA-256 (Ulrich Drepper's specification), as MySQL has it: with as long a salt as it is given. */
export function sha256Crypt(password: string, salt: string): string {
  const key = Buffer.from(password);
  const seed = Buffer.from(salt, 'latin1');
  const sha = (...parts: readonly Uint8Array[]): Buffer => parts.reduce((hash, part) => hash.update(part), createHash('sha256')).digest();
  const repeat = (block: Buffer, length: number): Buffer =>
    Buffer.concat(Array.from({ length: Math.ceil(length / block.length) }, () => block)).subarray(0, length);

  const alternate = sha(key, seed, key);
  const bits: Buffer[] = [];
  for (let left = key.length; left > 0; left >>= 1) bits.push(left & 1 ? alternate : key);
  let digest = sha(key, seed, repeat(alternate, key.length), ...bits);
  const p = repeat(sha(...Array.from({ length: key.length }, () => key)), key.length);
  const s = repeat(sha(...Array.from({ length: 16 + (digest[0] ?? 0) }, () => seed)), seed.length);
  for (let round = 0; round < ROUNDS; round++) {
    const isOdd = round % 2 === 1;
    const parts = [isOdd ? p : digest];
    if (round % 3 !== 0) parts.push(s);
    if (round % 7 !== 0) parts.push(p);
    parts.push(isOdd ? digest : p);
    digest = sha(...parts);
  }
  return encode(digest);
}

function encode(digest: Buffer): string {
  const at = (index: number): number => digest[index] ?? 0;
  let text = '';
  const write = (value: number, characters: number): void => {
    for (let left = value, n = 0; n < characters; n++, left >>= 6) text += ALPHABET[left & 63];
  };
  for (let i = 0; i < ORDER.length; i += 3) {
    write((at(ORDER[i] ?? 0) << 16) | (at(ORDER[i + 1] ?? 0) << 8) | at(ORDER[i + 2] ?? 0), 4);
  }
  write((at(31) << 8) | at(30), 3);
  return text;
}
