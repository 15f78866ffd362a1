import { createHash } from 'node:crypto';

/** In place of the hash of the one before, of the first event of a chain. */
export const NO_HASH = '0'.repeat(64);

/**
 * SHA-256 over ten lines: the format, the place in the chain, the fields, the hash of the one before. None of them has a line break in it, so no two
 * events are the same ten lines. The SQL stores reckon the same in the statement that writes the event.
 */
export function hashEvent(place: number, fields: readonly string[], previous: string): string {
  return createHash('sha256')
    .update(['tenancy event 1', place, ...fields, previous].join('\n'))
    .digest('hex');
}

/** SHA-256 of the digests of hashes, in ascending order, that begin with the same byte. Keeps none of them. */
export class HashesDigest {
  readonly #all = createHash('sha256');
  #some = createHash('sha256');
  #first = '';
  #count = 0;

  /** In ascending order. */
  add(hash: string): void {
    const first = hash.slice(0, 2);
    if (first !== this.#first) this.#close();
    this.#first = first;
    this.#some.update(hash);
    this.#count += 1;
  }

  finish(): { readonly events: number; readonly digest: string } {
    this.#close();
    return { events: this.#count, digest: this.#all.digest('hex') };
  }

  #close(): void {
    if (this.#first !== '') this.#all.update(this.#some.digest('hex'));
    this.#some = createHash('sha256');
  }
}
