import { execa } from 'execa';
import { Client } from 'pg';
import { expect, test } from 'vitest';
import { createProcessGate, createSqlGate } from './gate.js';
import { createTestDatabase } from './postgres.js';

test('statements block at a gate of SQL until it is opened, then go on all at once', async () => {
  const database = await createTestDatabase();
  const gate = await createSqlGate(database.url);
  const clients = [1, 2].map(() => new Client({ connectionString: database.url }));
  for (const client of clients) await client.connect();
  const passed = clients.map((client) => client.query(`BEGIN; ${gate.sql} SELECT 1`));
  await gate.waiting(2);
  await gate.open();
  await Promise.all(passed);
  for (const client of clients) await client.end();
  await database.drop();
});

test('processes block at a gate until it is opened', async () => {
  const gate = await createProcessGate();
  const run = (name: string): Promise<unknown> => {
    const [file, ...args] = gate.command(name);
    return execa(file, args);
  };
  const first = run('first');
  await gate.waiting(1);
  const second = run('second');
  await gate.waiting(2);
  expect(gate.arrivals).toEqual(['first', 'second']);
  gate.openForOne();
  await first;
  await gate.open();
  await second;
});
