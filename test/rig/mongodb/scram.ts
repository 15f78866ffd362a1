import { createHash, createHmac, pbkdf2Sync, randomBytes, timingSafeEqual } from 'node:crypto';
import { CommandError } from './errors.js';

/** RFC 7677. Fewer rounds than a server has (15,000), for tests connect a thousand times; 4096 is the least that clients accept. */
const iterations = 4096;

export interface ScramCredential {
  readonly salt: Buffer;
  readonly storedKey: Buffer;
  readonly serverKey: Buffer;
}

const hmac = (key: Buffer, text: string): Buffer => createHmac('sha256', key).update(text).digest();
const hash = (data: Buffer): Buffer => createHash('sha256').update(data).digest();

export function deriveCredential(password: string): ScramCredential {
  const salt = randomBytes(28);
  const salted = pbkdf2Sync(password.normalize('NFKC'), salt, iterations, 32, 'sha256');
  return { salt, storedKey: hash(hmac(salted, 'Client Key')), serverKey: hmac(salted, 'Server Key') };
}

const failed = (): CommandError => new CommandError(18, 'Authentication failed.');

/** One conversation. @throws CommandError AuthenticationFailed, for an unknown user like for a wrong password */
export class ScramServer {
  readonly #user: string;
  readonly #clientFirst: string;
  readonly #serverFirst: string;
  readonly #nonce: string;
  readonly #credential: ScramCredential;
  readonly #isKnown: boolean;

  constructor(payload: Buffer, find: (user: string) => ScramCredential | undefined) {
    const [, name, clientNonce] = /^n,,n=([^,]*),r=([^,]+)$/.exec(payload.toString('utf8')) ?? [];
    if (name === undefined || clientNonce === undefined) throw failed();
    this.#user = name.replaceAll('=2C', ',').replaceAll('=3D', '=');
    const found = find(this.#user);
    this.#isKnown = found !== undefined;
    this.#credential = found ?? { salt: randomBytes(28), storedKey: randomBytes(32), serverKey: randomBytes(32) };
    this.#clientFirst = payload.toString('utf8').slice(3);
    this.#nonce = clientNonce + randomBytes(24).toString('base64');
    this.#serverFirst = `r=${this.#nonce},s=${this.#credential.salt.toString('base64')},i=${iterations}`;
  }

  get user(): string {
    return this.#user;
  }

  get first(): Buffer {
    return Buffer.from(this.#serverFirst);
  }

  finish(payload: Buffer): Buffer {
    const [, withoutProof, nonce, proof] = /^(c=biws,r=([^,]+)),p=(.+)$/.exec(payload.toString('utf8')) ?? [];
    if (withoutProof === undefined || nonce !== this.#nonce || proof === undefined || !this.#isKnown) throw failed();
    const message = `${this.#clientFirst},${this.#serverFirst},${withoutProof}`;
    const signature = hmac(this.#credential.storedKey, message);
    const given = Buffer.from(proof, 'base64');
    if (given.length !== signature.length) throw failed();
    const clientKey = Buffer.from(given.map((byte, at) => byte ^ (signature[at] as number)));
    if (!timingSafeEqual(hash(clientKey), this.#credential.storedKey)) throw failed();
    return Buffer.from(`v=${hmac(this.#credential.serverKey, message).toString('base64')}`);
  }
}
