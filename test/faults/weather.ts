import { setTimeout as delay } from 'node:timers/promises';
import { createRequestProxy } from '../rig/request-proxy.js';
import type { TcpProxy, TcpProxyOptions } from '../rig/tcp-proxy.js';

/** Numbers that the same seed gives again: https://en.wikipedia.org/wiki/Linear_congruential_generator (Numerical Recipes). */
export function createRandom(from: number): () => number {
  let state = from >>> 0;
  return () => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    return state / 2 ** 32;
  };
}

/** What becomes of connections, until it clears up. */
export interface Weather {
  readonly name: string;
  readonly options?: (random: () => number) => TcpProxyOptions;
  /** Begins once the command has sent its first requests. */
  act?(proxy: TcpProxy, random: () => number, signal: AbortSignal): Promise<void>;
}

async function pause(ms: number, signal: AbortSignal): Promise<void> {
  await delay(ms, undefined, { signal }).catch(() => undefined);
}

/** An answer that never comes, on a connection that nobody has closed. */
const never = new Promise<'drop'>(() => undefined);

export const weathers: readonly Weather[] = [
  {
    name: 'connections are reset again and again',
    act: async (proxy, random, signal) => {
      while (!signal.aborted) {
        await pause(100 + random() * 400, signal);
        proxy.reset();
      }
    },
  },
  {
    name: 'connections are cut before or after single requests',
    options: (random) => ({ onRequest: () => (random() < 0.02 ? 'drop' : 'forward') }),
  },
  {
    name: 'connections are half open: some requests and some answers get lost, and nobody is told',
    options: (random) => ({ onRequest: () => (random() < 0.01 ? never : 'forward') }),
  },
  {
    name: 'every byte comes by itself, and late',
    options: () => ({ isSliced: true, delayMs: 3 }),
  },
  {
    name: 'nothing gets through for seconds at a time',
    act: async (proxy, random, signal) => {
      while (!signal.aborted) {
        proxy.setBlackHole(true);
        await pause(1_000 + random() * 2_000, signal);
        proxy.setBlackHole(false);
        await pause(1_000 + random() * 2_000, signal);
      }
      proxy.setBlackHole(false);
    },
  },
  {
    name: 'nothing gets through any more',
    act: async (proxy) => proxy.setBlackHole(true),
  },
];

/** A proxy with weather of its own. It begins with the request of that number. */
export async function createWeather(targetUrl: string, weather: Weather, random: () => number, from: number): Promise<TcpProxy> {
  const { onRequest, ...options } = weather.options?.(random) ?? {};
  const over = new AbortController();
  let acting: Promise<void> | undefined;
  const proxy = await createRequestProxy(targetUrl, {
    ...options,
    onRequest: (request) => {
      if (request.number < from) return 'forward';
      acting ??= weather.act?.(proxy, random, over.signal);
      return onRequest?.(request) ?? 'forward';
    },
  });
  const close = async (): Promise<void> => {
    over.abort();
    await acting;
    await proxy.close();
  };
  // The getters are the proxy's own: a copy would freeze its counts.
  return Object.create(proxy, { close: { value: close } }) as TcpProxy;
}
