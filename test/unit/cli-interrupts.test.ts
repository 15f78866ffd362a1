import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { createInterrupts, ECHO_MS } from '../../src/interrupts.js';

beforeEach(() => {
  vi.useFakeTimers();
});
afterEach(() => {
  vi.useRealTimers();
});

function createHost({ close = async () => undefined }: { close?: () => Promise<void> } = {}) {
  const listeners = new Map<string, () => void>();
  const exits: number[] = [];
  const interrupts = createInterrupts({
    on: (signal, listener) => listeners.set(signal, listener),
    exit: (code) => void exits.push(code),
    close,
  });
  const send = (signal: string): void => listeners.get(signal)?.();
  const sendLater = (signal: string): void => {
    vi.advanceTimersByTime(ECHO_MS);
    send(signal);
  };
  return { ...interrupts, exits, send, sendLater };
}

test('a run drains at the first, aborts at the second, and ends at the third', () => {
  const host = createHost();
  host.mind();
  host.send('SIGINT');
  expect([host.signals.drain.reason, host.signals.abort.aborted, host.exits]).toEqual(['interrupted', false, []]);
  host.sendLater('SIGINT');
  expect([host.signals.abort.reason, host.exits]).toEqual([expect.objectContaining({ code: 'TENANCY_RUN_ABORTED' }), []]);
  host.sendLater('SIGINT');
  expect(host.exits).toEqual([130]);
});

test('the echo of a signal is not a second one', () => {
  const host = createHost();
  host.mind();
  for (const signal of ['SIGTERM', 'SIGTERM', 'SIGINT']) host.send(signal);
  vi.advanceTimersByTime(ECHO_MS - 1);
  host.send('SIGTERM');
  expect([host.signals.drain.reason, host.signals.abort.aborted, host.exits]).toEqual(['terminated', false, []]);
});

test('an abort that takes too long is ended', () => {
  const host = createHost();
  host.mind();
  host.send('SIGTERM');
  host.sendLater('SIGTERM');
  expect(host.signals.drain.reason).toBe('terminated');
  vi.advanceTimersByTime(9_999);
  expect(host.exits).toEqual([]);
  vi.advanceTimersByTime(1);
  expect(host.exits).toEqual([143]);
});

test('without a run the first closes what is open and ends', async () => {
  const host = createHost();
  host.send('SIGHUP');
  await vi.advanceTimersByTimeAsync(0);
  expect([host.exits, host.signals.drain.aborted]).toEqual([[143], false]);
});

test('what does not close in time is left, and a second signal waits for nothing', async () => {
  const slow = createHost({ close: () => new Promise(() => undefined) });
  slow.send('SIGINT');
  await vi.advanceTimersByTimeAsync(1_999);
  expect(slow.exits).toEqual([]);
  await vi.advanceTimersByTimeAsync(1);
  expect(slow.exits).toEqual([130]);
  const hasty = createHost({ close: () => new Promise(() => undefined) });
  hasty.send('SIGINT');
  hasty.sendLater('SIGINT');
  expect(hasty.exits).toEqual([130]);
});
