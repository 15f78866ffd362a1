import process from 'node:process';
import type { Writable } from 'node:stream';

/** Writes text to a stream in order, at the speed of its reader, and never throws for a reader that has gone. */
export interface LineWriter {
  write(text: string): void;
  /** Bytes (roughly: UTF-16 units) that wait for the reader. */
  readonly waiting: number;
  /** The reader is behind: what is written now waits. */
  readonly isBlocked: boolean;
  /** Resolves when the reader has caught up, or gone. */
  whenReady(): Promise<void>;
  /** Resolves when all has been handed to the system, or the reader has gone. */
  finish(): Promise<void>;
}

export interface LineWriterOptions {
  /**
   * What is written in one turn of the event loop goes to the system, and to the reader, in one piece. Not where another stream ends on the same
   * screen: what was written to both would change its order. @default false
   */
  readonly isGathered?: boolean;
}

export function createLineWriter(stream: Writable, { isGathered = false }: LineWriterOptions = {}): LineWriter {
  let queue: string[] = [];
  let waiting = 0;
  let isBlocked = false;
  let isGone = stream.destroyed || stream.writableEnded;
  let waiters: (() => void)[] = [];

  const settle = (): void => {
    if (isBlocked && !isGone) return;
    for (const wake of waiters) wake();
    waiters = [];
  };
  let isCorked = false;
  const flush = (): void => {
    if (!isCorked) return;
    isCorked = false;
    stream.uncork();
  };
  const send = (text: string): void => {
    if (isGathered && !isCorked) {
      isCorked = true;
      stream.cork();
      process.nextTick(flush);
    }
    isBlocked = !stream.write(text);
  };
  const drain = (): void => {
    isBlocked = false;
    if (queue.length > 0) {
      const text = queue.join('');
      queue = [];
      waiting = 0;
      send(text);
    }
    settle();
  };
  // EPIPE is how `| head` says that it has read enough; any other failure leaves nobody to tell, either.
  const leave = (): void => {
    isGone = true;
    queue = [];
    waiting = 0;
    settle();
  };
  stream.on('drain', drain);
  stream.on('error', leave);
  stream.on('close', leave);

  const whenReady = async (): Promise<void> => {
    if (isBlocked && !isGone) await new Promise<void>((resolve) => waiters.push(resolve));
  };

  return {
    whenReady,
    write(text) {
      if (isGone) return;
      if (!isBlocked) return send(text);
      queue.push(text);
      waiting += text.length;
    },
    get waiting() {
      return waiting;
    },
    get isBlocked() {
      return isBlocked;
    },
    async finish() {
      flush();
      await whenReady();
      stream.off('drain', drain);
      // The listener for errors stays: EPIPE may still arrive for what was written last.
    },
  };
}
