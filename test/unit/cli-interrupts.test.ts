import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { createInterrupts } from '../../src/interrupts.js';

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
  return { ...interrupts, exits, send: (signal: string) => listeners.get(signal)?.() };
}

test('a run drains at the first, aborts at the second, and ends at the third', () => {
  const host = createHost();
  host.mind();
  host.send('SIGINT');
  expect([host.signals.drain.reason, host.signals.abort.aborted, host.exits]).toEqual(['interrupted', false, []]);
  host.send('SIGINT');
  expect([host.signals.abort.reason, host.exits]).toEqual([expect.objectContaining({ code: 'TENANCY_RUN_ABORTED' }), []]);
  host.send('SIGINT');
  expect(host.exits).toEqual([130]);
});

test('an abort that takes too long is ended', () => {
  const host = createHost();
  host.mind();
  host.send('SIGTERM');
  host.send('SIGTERM');
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
  hasty.send('SIGINT');
  expect(hasty.exits).toEqual([130]);
});
