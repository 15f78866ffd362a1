import { setTimeout as delay } from 'node:timers/promises';
import type { ServerConnection } from './connection.js';

/** How long the server may take to give up a statement, before the socket is closed all the same. */
const DRAIN_TIMEOUT_MS = 3_000;
const KILL_INTERVAL_MS = 200;

/**
 * Has the running statement killed, waits a moment for the server to say so (it counts the connection until then), and closes.
 * Killed again and again, since what arrives between two statements of one message is for nothing. Where nothing gets through any more, neither
 * does the kill, which is waited for no longer than the rest.
 */
export async function interruptConnection(connection: ServerConnection, kill: () => Promise<void>): Promise<void> {
  const drained = connection.drain().then(() => true);
  const overdue = delay(DRAIN_TIMEOUT_MS, true, { ref: false });
  const isOverWithin = (ms: number): Promise<boolean> => Promise.race([drained, overdue, delay(ms, false)]);
  for (let isOver = await isOverWithin(0); !isOver; isOver = await isOverWithin(KILL_INTERVAL_MS)) await Promise.race([kill(), overdue]);
  connection.destroy();
}
