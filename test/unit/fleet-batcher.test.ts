import { expect, test } from 'vitest';
import { createBatcher } from '../../src/util/batcher.js';

/** A `send` that the test answers by hand. */
function createSender(maxItems = 100) {
  const batches: (readonly number[])[] = [];
  const answers: { resolve: (results: readonly string[]) => void; reject: (error: Error) => void }[] = [];
  const batcher = createBatcher(
    (items: readonly number[]) =>
      new Promise<readonly string[]>((resolve, reject) => {
        batches.push(items);
        answers.push({ resolve, reject });
      }),
    { maxItems },
  );
  const answer = (index: number): void => answers[index]?.resolve((batches[index] ?? []).map((item) => `answer ${item}`));
  return { batcher, batches, answers, answer };
}

const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

test('one alone is sent at once; those that come meanwhile travel together in the next', async () => {
  const { batcher, batches, answer } = createSender();
  const first = batcher.add(1);
  await turn();
  const others = [batcher.add(2), batcher.add(3)];
  await turn();
  expect(batches).toEqual([[1]]);
  answer(0);
  await expect(first).resolves.toBe('answer 1');
  await turn();
  expect(batches).toEqual([[1], [2, 3]]);
  answer(1);
  await expect(Promise.all(others)).resolves.toEqual(['answer 2', 'answer 3']);
});

test('a batch never has more than its most', async () => {
  const { batcher, batches, answer } = createSender(2);
  const all = [1, 2, 3, 4, 5].map((item) => batcher.add(item));
  for (let index = 0; index < 5; index += 1) {
    await turn();
    answer(index);
  }
  await Promise.all(all);
  expect(batches.flat()).toEqual([1, 2, 3, 4, 5]);
  expect(Math.max(...batches.map(({ length }) => length))).toBe(2);
});

test('a failure is told to those of its batch alone, and drain waits for everybody', async () => {
  const { batcher, answers, answer } = createSender();
  const first = batcher.add(1);
  first.catch(() => undefined);
  await turn();
  const second = batcher.add(2);
  let isDrained = false;
  const drained = batcher.drain().then(() => (isDrained = true));
  answers[0]?.reject(new Error('cut off'));
  await expect(first).rejects.toThrow('cut off');
  await turn();
  expect(isDrained).toBe(false);
  answer(1);
  await expect(second).resolves.toBe('answer 2');
  await drained;
});

test('waits for company where it may linger, and not a moment longer once the end is awaited', async () => {
  const batches: (readonly number[])[] = [];
  const batcher = createBatcher(
    async (items: readonly number[]) => {
      batches.push(items);
      return items;
    },
    { maxItems: 100, lingerMs: 60_000 },
  );
  const answers = [batcher.add(1), batcher.add(2)];
  await turn();
  await turn();
  answers.push(batcher.add(3));
  expect(batches).toEqual([]);
  await batcher.drain();
  expect(batches).toEqual([[1, 2, 3]]);
  expect(await Promise.all(answers)).toEqual([1, 2, 3]);
});
