import { WaitingLine } from '../waiting-line.js';

/**
 * The sessions that may be lent at once; served in the order of asking. Connections are the client library's to keep: its pool has
 * the same bound, so that what a migration sends in parallel stays within it too.
 */
export class LoanQueue {
  readonly #line = new WaitingLine<null, void>();
  #free: number;

  constructor(most: number) {
    this.#free = most;
  }

  /** Resolves to what gives the place back. @throws the signal's reason on abort. */
  async borrow(signal: AbortSignal): Promise<() => void> {
    const turn = this.#line.join(null, signal, () => this.#free++);
    this.#serve();
    await turn;
    let isBack = false;
    return () => {
      if (isBack) return;
      isBack = true;
      this.#free++;
      this.#serve();
    };
  }

  /** Refuses whoever waits. */
  close(): void {
    this.#line.close();
  }

  #serve(): void {
    for (let head = this.#line.first; head !== undefined && this.#free > 0; head = this.#line.first) {
      this.#free--;
      this.#line.callUp();
      head.grant();
    }
  }
}
