import { setTimeout as delay } from 'node:timers/promises';
import type { MongoClient } from 'mongodb';
import { classifyMongodbError, codeOf, isConnectionError } from './classify.js';
import type { CommandWatch } from './command-watch.js';
import type { LoanQueue } from './loan-queue.js';

/** What the parts of one cluster share. */
export interface EngineContext {
  readonly cluster: string;
  /** The admin URL. */
  readonly url: string;
  readonly client: MongoClient;
  /** Once for all who ask: of several that connect the client by their first command, one is told what went wrong, the others that it is closed. */
  connect(): Promise<unknown>;
  readonly loans: LoanQueue;
  readonly watch: CommandWatch;
}

const ATTEMPTS = 6;
const FIRST_DELAY_MS = 50;

/**
 * The client library tries reads and CRUD again by itself, once; `create`, `createIndexes`, `drop` and `dropDatabase` it leaves to us.
 * `attempt` looks at what there is and takes it from there, so it may be run again after any failure.
 * A server that couldn't be found was waited for already.
 */
export async function settleRetryable<T>(context: EngineContext, signal: AbortSignal, attempt: () => Promise<T>): Promise<T> {
  for (let tries = 1; ; tries++) {
    signal.throwIfAborted();
    try {
      await context.connect();
      return await attempt();
    } catch (error) {
      if (tries >= ATTEMPTS || !isPassing(error)) throw signal.aborted ? signal.reason : error;
      await delay(FIRST_DELAY_MS * 2 ** tries * (0.5 + Math.random()), undefined, { signal }).catch(() => signal.throwIfAborted());
    }
  }
}

function isPassing(error: unknown): boolean {
  if (isConnectionError(error)) return !(error instanceof Error) || error.name !== 'MongoServerSelectionError';
  const type = classifyMongodbError(error);
  return type === 'busy' || type === 'transaction';
}

/** Unauthorized; CommandNotFound, CommandNotSupported; what Atlas answers for what it doesn't leave to its users. */
const NOT_FOR_US: ReadonlySet<number> = new Set([13, 59, 115, 8000]);

/** True where the login, or the service, may not do that at all. */
export function isForbidden(error: unknown): boolean {
  return NOT_FOR_US.has(codeOf(error) ?? 0);
}
