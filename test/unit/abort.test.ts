import { setImmediate as turn } from 'node:timers/promises';
import { expect, it, onTestFinished, vi } from 'vitest';
import { linkSignals, untilAborted, untilOverdue } from '../../src/util/abort.js';

/** What would end a command with "an error that nothing waited for". */
function collectEscaped(): unknown[] {
  const escaped: unknown[] = [];
  const onEscaped = (error: unknown): void => void escaped.push(error);
  // Vitest's own would fail the run, and say no more than this test does.
  const others = process.listeners('unhandledRejection');
  process.removeAllListeners('unhandledRejection').on('unhandledRejection', onEscaped);
  onTestFinished(() => {
    process.off('unhandledRejection', onEscaped);
    for (const other of others) process.on('unhandledRejection', other);
  });
  return escaped;
}

it('begins nothing once the signal has aborted', async () => {
  const escaped = collectEscaped();
  const begin = vi.fn(() => Promise.reject(new Error('too late')));
  await expect(untilAborted(begin, AbortSignal.abort(new Error('over')))).rejects.toThrow('over');
  await turn();
  expect(begin).not.toHaveBeenCalled();
  expect(escaped).toEqual([]);
});

it('rejects as soon as the signal aborts, and what fails after that is nobody’s', async () => {
  const escaped = collectEscaped();
  const abort = new AbortController();
  const begun = withResolvers();
  const waiting = untilAborted(() => begun.promise, abort.signal);
  abort.abort(new Error('over'));
  await expect(waiting).rejects.toThrow('over');
  begun.reject(new Error('the migration is over, and its db with it'));
  await turn();
  expect(escaped).toEqual([]);
});

it('gives what was begun its grace, and lets what fails after that go', async () => {
  const escaped = collectEscaped();
  const begun = withResolvers();
  await expect(untilOverdue(begun.promise, AbortSignal.abort(new Error('over')), 5)).rejects.toThrow('over');
  begun.reject(new Error('too late'));
  await turn();
  expect(escaped).toEqual([]);
});

it('settles with the promise, and leaves nothing with the signal', async () => {
  const { signal } = new AbortController();
  const removed = vi.spyOn(signal, 'removeEventListener');
  await expect(untilOverdue(Promise.resolve('done'), signal, 5)).resolves.toBe('done');
  await expect(untilOverdue(Promise.reject(new Error('broken')), signal, 5)).rejects.toThrow('broken');
  expect(removed).toHaveBeenCalledTimes(2);
});

it('follows the first of its sources, whichever that is, and none once it is released', () => {
  const [one, other, late] = [new AbortController(), new AbortController(), new AbortController()];
  const linked = linkSignals([one.signal, other.signal]);
  const released = linkSignals([one.signal, late.signal]);
  released.release();
  other.abort('first');
  one.abort('second');
  expect([linked.signal.aborted, linked.signal.reason, released.signal.aborted]).toEqual([true, 'first', false]);
  expect(linkSignals([late.signal, other.signal]).signal.reason).toBe('first');
  const own = linkSignals([late.signal]);
  own.abort('own');
  late.abort('too late');
  expect([own.signal.reason, released.signal.aborted]).toEqual(['own', false]);
});

it('rejects with what is thrown at once', async () => {
  const begin = (): never => {
    throw new Error('broken');
  };
  await expect(untilAborted(begin, new AbortController().signal)).rejects.toThrow('broken');
});

function withResolvers(): { readonly promise: Promise<never>; reject(error: Error): void } {
  let reject = (_: Error): void => undefined;
  const promise = new Promise<never>((_, fail) => {
    reject = fail;
  });
  return { promise, reject };
}
