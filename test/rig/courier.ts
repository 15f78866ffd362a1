import type net from 'node:net';
import { setTimeout as delay } from 'node:timers/promises';

export interface Courier {
  send(bytes: Buffer): void;
  end(): void;
}

/** What the couriers of a proxy go by at each moment. */
export interface CourierState {
  /** How long each piece is on its way. */
  readonly delayMs: number;
  /** Nothing gets through, and nobody is told. */
  readonly isBlackHole: boolean;
}

/** Delivers in order, each piece `delayMs` after it came: a delay takes time, not throughput. `isSliced`: every byte on its own. */
export function createCourier(socket: net.Socket, state: CourierState, isSliced: boolean): Courier {
  let last: Promise<unknown> = Promise.resolve();

  async function deliver(bytes: Buffer): Promise<void> {
    if (state.isBlackHole || socket.destroyed) return;
    if (!isSliced) return void socket.write(bytes);
    for (const byte of bytes) {
      socket.write(Buffer.of(byte));
      await new Promise(setImmediate);
    }
  }

  const afterDelay = (act: () => Promise<void> | void): void => {
    const wait = state.delayMs > 0 ? delay(state.delayMs) : undefined;
    last = Promise.all([last, wait]).then(act);
  };
  return {
    send: (bytes) => afterDelay(() => deliver(bytes)),
    end: () => afterDelay(() => (state.isBlackHole ? undefined : void socket.end())),
  };
}
