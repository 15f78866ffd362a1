import { PassThrough, Writable } from 'node:stream';
import { text } from 'node:stream/consumers';
import { setImmediate as turn } from 'node:timers/promises';
import { expect, test } from 'vitest';
import type { RunEvent, StampedRunEvent } from '../../src/events.js';
import { createJsonlReporter } from '../../src/reporters/jsonl.js';
import { assertEvents } from '../rig/events-schema.js';
import { fleetScene } from '../rig/scene-events.js';

const stamp = (event: RunEvent): StampedRunEvent => ({ v: 1, at: '2026-01-02T03:04:05.678Z', run: 'r1', ...event });
const play = (tenants: number): StampedRunEvent[] => [...fleetScene({ tenants, failures: 3 })].map(({ event }) => stamp(event));

/** Takes what it is given only when told, like a pipe that is full. */
class SlowReader extends Writable {
  text = '';
  private taken: (() => void) | null = null;

  constructor() {
    super({ highWaterMark: 1000, decodeStrings: false });
  }

  override _write(chunk: string, _encoding: string, done: () => void): void {
    this.text += chunk;
    this.taken = done;
  }

  take(): void {
    const { taken } = this;
    this.taken = null;
    taken?.();
  }
}

async function takeAll(reader: SlowReader, until: Promise<void>): Promise<void> {
  let isOver = false;
  void until.then(() => (isOver = true));
  while (!isOver) {
    reader.take();
    await turn();
  }
}

test('writes each event as a line, in order', async () => {
  const stdout = new PassThrough();
  const written = text(stdout);
  const reporter = createJsonlReporter({ stdout });
  const events = play(60);
  for (const event of events) reporter.report(event);
  await reporter.finish();
  stdout.end();
  expect(assertEvents(await written)).toEqual(events);
});

test('writes nothing after run.finished', async () => {
  const stdout = new PassThrough();
  const reporter = createJsonlReporter({ stdout });
  const events = play(10);
  for (const event of events) reporter.report(event);
  reporter.report(stamp({ type: 'run.warned', code: 'X', message: 'late' }));
  await reporter.finish();
  expect(assertEvents(String(stdout.read()))).toHaveLength(events.length);
});

test('waits for a slow reader and keeps the order', async () => {
  const reader = new SlowReader();
  const reporter = createJsonlReporter({ stdout: reader });
  const events = play(200);
  for (const event of events) reporter.report(event);
  expect(reader.text.length).toBeLessThan(5000);
  await takeAll(reader, reporter.finish());
  expect(assertEvents(reader.text)).toEqual(events);
});

test('leaves out progress, but no outcome, for a reader that is megabytes behind', async () => {
  const reader = new SlowReader();
  const reporter = createJsonlReporter({ stdout: reader });
  const events = play(12_000);
  for (const event of events) reporter.report(event);
  await takeAll(reader, reporter.finish());
  const written = assertEvents(reader.text);
  expect(written.length).toBeLessThan(events.length);
  expect(written.at(-2)).toMatchObject({ type: 'run.warned', code: 'TENANCY_EVENTS_OMITTED' });
  const outcomes = (list: readonly StampedRunEvent[]) => list.filter(({ type }) => type === 'tenant.finished');
  expect(outcomes(written)).toEqual(outcomes(events));
});

test('ends quietly when the reader has gone', async () => {
  const stdout = new Writable({
    write(_chunk, _encoding, done) {
      done(Object.assign(new Error('write EPIPE'), { code: 'EPIPE' }));
    },
  });
  const reporter = createJsonlReporter({ stdout });
  for (const event of play(50)) {
    reporter.report(event);
    await turn();
  }
  await expect(reporter.finish()).resolves.toBeUndefined();
});

test('hands what is told in one turn to the system in one piece', async () => {
  const pieces: string[] = [];
  const stdout = new Writable({
    decodeStrings: false,
    write(chunk: string, _encoding, done) {
      pieces.push(chunk);
      done();
    },
    writev(chunks, done) {
      pieces.push(chunks.map(({ chunk }) => chunk as string).join(''));
      done();
    },
  });
  const reporter = createJsonlReporter({ stdout });
  const [first, second, third, ...rest] = play(60) as [StampedRunEvent, StampedRunEvent, StampedRunEvent, ...StampedRunEvent[]];
  for (const event of [first, second]) reporter.report(event);
  await turn();
  reporter.report(third);
  await turn();
  expect(pieces.map((piece) => piece.split('\n').length - 1)).toEqual([2, 1]);
  // Also what the end follows at once.
  for (const event of rest) reporter.report(event);
  await reporter.finish();
  expect(assertEvents(pieces.join(''))).toHaveLength(rest.length + 3);
});
