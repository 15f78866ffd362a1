import type { Catalogue } from './catalogue.js';
import { Blocked, type Collection } from './collection.js';
import type { Index } from './indexes.js';
import { valuesAt } from './paths.js';
import type { Document } from './values.js';

/** Removes what a TTL index says is over. What a transaction holds is left for the next time. */
export function expireDocuments(catalogue: Catalogue, now: Date): void {
  for (const database of catalogue.databases()) {
    for (const collection of catalogue.collections(database)) {
      for (const index of collection.indexes) if (index.expireAfterSeconds !== null) expire(collection, index, now);
    }
  }
}

function expire(collection: Collection, index: Index, now: Date): void {
  const [field] = Object.keys(index.key) as [string];
  const oldest = now.getTime() - (index.expireAfterSeconds ?? 0) * 1000;
  for (const [key, document] of [...collection.scan({}, null, () => true)]) {
    if (index.entriesOf(document).length === 0 || !isOver(document, field, oldest)) continue;
    try {
      collection.write(key, null, null);
    } catch (error) {
      if (!(error instanceof Blocked)) throw error;
    }
  }
}

/** Of several dates in an array the earliest counts; what is no date never ends. */
function isOver(document: Document, field: string, oldest: number): boolean {
  const dates = valuesAt(document, field)
    .flatMap((value) => (Array.isArray(value) ? value : [value]))
    .filter((value) => value instanceof Date);
  return dates.some((date) => date.getTime() <= oldest);
}
