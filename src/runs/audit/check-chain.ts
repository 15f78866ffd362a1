import { createHash, type Hash } from 'node:crypto';
import type { ChainedEvent, ChainHead } from '../../registry/registry.js';
import { hashEvent, NO_HASH } from '../../util/hash-chain.js';

/** What was done to a trail behind its back. */
export type AuditDamage = 'edited' | 'removed' | 'inserted' | 'truncated' | 'swapped';

/** A place at which a chain is broken. */
export interface AuditBreak {
  /** Null: in the chain of what belongs to no tenant. */
  readonly tenant: string | null;
  readonly damage: AuditDamage;
  /** The first of the events in question, in its chain, and the last; 0: from before the chain began. Null: no single one. */
  readonly from: number | null;
  readonly to: number | null;
  /** The type of the event, where it is there. */
  readonly event: string | null;
  /** The run whose end tells of it. */
  readonly run: string | null;
  /** One sentence. */
  readonly reason: string;
}

/** Kept to be compared with each other; beyond that, each is called edited. */
const MOST_SUSPECTS = 200;

interface Anchor {
  readonly events: number;
  readonly digest: string;
}

/** Follows one chain, event by event, and keeps nothing of it but what is wrong. */
export class ChainCheck {
  readonly #chain: string;
  /** What was told of this chain elsewhere, earlier: the event at that place had that hash. */
  readonly #known: Pick<ChainHead, 'place' | 'hash'> | null;
  readonly #breaks: AuditBreak[] = [];
  readonly #suspects: ChainedEvent[] = [];
  readonly #old: Hash = createHash('sha256');
  #oldEvents = 0;
  #anchor: Anchor | null = null;
  #newest: ChainedEvent | null = null;
  #isNewestWrong = false;
  #wasKnownSeen = false;
  #events = 0;

  constructor(chain: string, known: Pick<ChainHead, 'place' | 'hash'> | null) {
    this.#chain = chain;
    this.#known = known;
  }

  get events(): number {
    return this.#events;
  }

  get place(): number {
    return this.#newest?.place ?? 0;
  }

  /** In the order of places. */
  add(event: ChainedEvent): void {
    this.#events += 1;
    if (event.place === 0) this.#addOld(event);
    else this.#addChained(event);
  }

  /** `head`: as the registry keeps it; read after the last event, or no later event was there. */
  finish(head: ChainHead | null): readonly AuditBreak[] {
    this.#settleSuspects();
    this.#compareOld();
    this.#compareHead(head);
    const known = this.#known;
    if (known !== null && known.place > this.place) {
      this.#break(
        'truncated',
        this.place + 1,
        known.place,
        null,
        `its newest events are missing: ${known.place} was there when its head was kept`,
      );
    } else if (known !== null && !this.#wasKnownSeen && !this.#breaks.some(({ from, to }) => isWithin(known.place, from, to))) {
      this.#break('removed', known.place, known.place, null, `event ${known.place}, which was its head when that was kept, is missing`);
    }
    return this.#breaks;
  }

  #addOld(event: ChainedEvent): void {
    this.#oldEvents += 1;
    this.#old.update(hashEvent(0, event.fields, NO_HASH));
  }

  #addChained(event: ChainedEvent): void {
    const { place, previous, hash } = event;
    const expected = this.place + 1;
    if (place < expected) {
      this.#break('inserted', place, place, event.type, `there is a second event ${place} (${event.type})`);
      return;
    }
    const isNext = place === expected;
    if (!isNext) this.#break('removed', expected, place - 1, null, `${nameRange(expected, place - 1)} missing`);
    const isOwn = hash !== null && previous !== null && hashEvent(place, event.fields, previous) === hash;
    if (!isOwn) this.#suspect(event);
    else if (isNext && previous !== (this.#newest?.hash ?? NO_HASH) && !this.#isNewestWrong) this.#tellRewritten(event);
    if (isOwn && place === 1 && event.type === 'audit.anchored') this.#anchor = JSON.parse(event.fields[2] ?? '') as Anchor;
    if (this.#known?.place === place) {
      this.#wasKnownSeen = true;
      if (isOwn && this.#known.hash !== hash) {
        this.#break(
          'edited',
          place,
          place,
          event.type,
          `event ${place} (${event.type}) isn't the one that was there when its head was kept`,
        );
      }
    }
    this.#newest = event;
    this.#isNewestWrong = !isOwn;
  }

  /** Whoever changed the one before has reckoned its hash anew, but this one still has the one that it had. */
  #tellRewritten(event: ChainedEvent): void {
    const before = this.#newest;
    if (before === null)
      this.#break('removed', null, null, null, `event ${event.place} (${event.type}) wasn't the first: there is none before it`);
    else this.#tellEdited(before);
  }

  #tellEdited({ place, type }: ChainedEvent): void {
    this.#break('edited', place, place, type, `event ${place} (${type}) was edited`);
  }

  #suspect(event: ChainedEvent): void {
    if (event.hash === null || event.previous === null) {
      this.#break(
        'inserted',
        event.place,
        event.place,
        event.type,
        `event ${event.place} (${event.type}) has no hash: it was put in by hand`,
      );
    } else if (this.#suspects.length < MOST_SUSPECTS) this.#suspects.push(event);
    else this.#tellEdited(event);
  }

  #settleSuspects(): void {
    const left = new Set(this.#suspects);
    for (const one of left) {
      const other = [...left].find((each) => each.place > one.place && areSwapped(one, each));
      if (other === undefined) continue;
      left.delete(one);
      left.delete(other);
      this.#break(
        'swapped',
        one.place,
        other.place,
        one.type,
        `events ${one.place} (${one.type}) and ${other.place} (${other.type}) were swapped`,
      );
    }
    for (const event of left) this.#tellEdited(event);
  }

  #compareOld(): void {
    const told = this.#anchor?.events ?? 0;
    // Where the first of the chain isn't what it was, nothing tells what was before it.
    if (this.#anchor === null && this.#breaks.some(({ from }) => from === null || from === 1)) return;
    const digest = this.#old.digest('hex');
    if (this.#oldEvents > told) {
      const more = this.#oldEvents - told;
      this.#break('inserted', 0, 0, null, `${more} event${more === 1 ? ' was' : 's were'} put in by hand: outside of the chain`);
    } else if (this.#oldEvents < told) {
      const fewer = told - this.#oldEvents;
      this.#break(
        'removed',
        0,
        0,
        null,
        `${fewer} of the ${told} events from before the chain began ${fewer === 1 ? 'is' : 'are'} missing`,
      );
    } else if (told > 0 && digest !== this.#anchor?.digest) {
      this.#break('edited', 0, 0, null, `of the ${told} events from before the chain began one or more were edited`);
    }
  }

  #compareHead(head: ChainHead | null): void {
    const last = this.place;
    if (head === null) {
      if (last > 0) this.#break('removed', null, null, null, 'the head of its chain is missing from the registry');
    } else if (head.place > last) this.#break('truncated', last + 1, head.place, null, `its newest ${nameMissing(last + 1, head.place)}`);
    else if (head.place < last) {
      this.#break(
        'inserted',
        head.place + 1,
        last,
        null,
        `${nameRange(head.place + 1, last)} put in by hand: the chain ended at ${head.place}`,
      );
    } else if (this.#newest !== null && head.hash !== this.#newest.hash && !this.#isNewestWrong) this.#tellEdited(this.#newest);
  }

  #break(damage: AuditDamage, from: number | null, to: number | null, event: string | null, reason: string): void {
    this.#breaks.push({ tenant: this.#chain === '*' ? null : this.#chain, damage, from, to, event, run: null, reason });
  }
}

/** Either their places were exchanged, or all else that they say. */
function areSwapped(one: ChainedEvent, other: ChainedEvent): boolean {
  const byPlace = (a: ChainedEvent, b: ChainedEvent): boolean => hashEvent(b.place, a.fields, a.previous ?? '') === a.hash;
  const byContent = (a: ChainedEvent, b: ChainedEvent): boolean => hashEvent(b.place, a.fields, b.previous ?? '') === b.hash;
  return (byPlace(one, other) && byPlace(other, one)) || (byContent(one, other) && byContent(other, one));
}

function isWithin(place: number, from: number | null, to: number | null): boolean {
  return from !== null && to !== null && place >= from && place <= to;
}

function nameRange(from: number, to: number): string {
  return from === to ? `event ${from} is` : `events ${from} to ${to} are`;
}

function nameMissing(from: number, to: number): string {
  return from === to ? `event, ${from}, is missing` : `events, ${from} to ${to}, are missing`;
}
