import { setTimeout as delay } from 'node:timers/promises';
import { Client } from 'pg';
import { expect, it } from 'vitest';
import { openClusterEngine } from '../../src/drivers/index.js';
import type { TenantDb } from '../../src/migrations/migration.js';
import { createTestDatabase } from '../rig/postgres.js';
import { markerOf, sessionOptions } from './driver-suite.js';

const MAX_CONNECTIONS = 4;

it('keeps to its budget and loses no place while sessions are killed and aborted all the time', { timeout: 60_000 }, async () => {
  const database = await createTestDatabase('18');
  const engine = await openClusterEngine({
    cluster: 'main',
    url: database.url,
    maxConnections: MAX_CONNECTIONS,
    extensionsSchema: 'extensions',
    applicationName: database.name,
  });
  const schemas = engine.driver('postgres-schema');
  const databases = engine.driver('postgres-database');
  const homes = [
    ...['a', 'b', 'c'].map((name) => ({ driver: schemas, target: { name, marker: markerOf(name) } })),
    ...['d', 'e', 'f'].map((name) => ({ driver: databases, target: { name: `${database.name}_${name}`, marker: markerOf(name) } })),
  ];
  await Promise.all(homes.map(({ driver, target }) => driver.create(target, new AbortController().signal)));

  const watcher = new Client({ connectionString: database.url });
  await watcher.connect();
  let isDone = false;
  let most = 0;
  const chaos = (async () => {
    for (let round = 0; !isDone; round++) {
      const { rows } = await watcher.query<{ pid: number }>(
        'SELECT pid FROM pg_stat_activity WHERE application_name = $1 ORDER BY random()',
        [database.name],
      );
      most = Math.max(most, rows.length);
      if (round % 10 === 0) await watcher.query('SELECT pg_terminate_backend($1)', [rows[0]?.pid ?? 0]);
    }
  })();

  const tally = { done: 0, aborted: 0, cut: 0 };
  await Promise.all(
    Array.from({ length: 300 }, async (_, index) => {
      const home = homes[index % homes.length];
      if (home === undefined) return;
      const abort = new AbortController();
      if (index % 5 === 0) void delay(index).then(() => abort.abort(new Error('aborted')));
      try {
        await home.driver.withSession(home.target, sessionOptions(abort.signal), ({ db }) => db.query('SELECT pg_sleep(0.02)'));
        tally.done++;
      } catch (error) {
        if (abort.signal.aborted) tally.aborted++;
        else tally.cut++;
        if (!abort.signal.aborted) expect(engine.classify(error)).toBe('connection');
      }
    }),
  );
  isDone = true;
  await chaos;
  expect(tally.done).toBeGreaterThan(100);
  expect(tally.aborted).toBeGreaterThan(0);
  expect(tally.cut).toBeGreaterThan(0);
  // One that was killed is gone for its client a moment before the server has forgotten it.
  expect(most).toBeLessThanOrEqual(MAX_CONNECTIONS + 1);

  const inEachPlace = (use: (db: TenantDb) => Promise<unknown>): Promise<unknown>[] =>
    Array.from({ length: MAX_CONNECTIONS }, () =>
      schemas.withSession({ name: 'a', marker: markerOf('a') }, sessionOptions(), async ({ db }) => void (await use(db))),
    );
  // The last that was killed may have been idle, and its client hears of it when it is used.
  await Promise.allSettled(inEachPlace((db) => db.query('SELECT pg_sleep(0.2)')));
  // Every place is still there: all of them can be held at once.
  let held = 0;
  await Promise.all(
    inEachPlace(async (db) => {
      await db.query('SELECT 1');
      held++;
      while (held < MAX_CONNECTIONS) await delay(5);
    }),
  );
  await engine.close();
  expect((await watcher.query('SELECT FROM pg_stat_activity WHERE application_name = $1', [database.name])).rowCount).toBe(0);
  await watcher.end();
  await database.drop();
});
