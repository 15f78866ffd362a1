import { Client } from 'pg';
import { expect, test } from 'vitest';
import { createTestDatabase, query } from '../rig/postgres.js';

test.each(['15', '18'] as const)('a database of PostgreSQL %s is made, used and dropped', async (version) => {
  const database = await createTestDatabase(version);
  const [row] = await database.query<{ major: string }>(`SELECT current_setting('server_version_num')::int / 10000 AS major`);
  if (process.env.TENANCY_TEST_POSTGRES_URL === undefined) expect(String(row?.major)).toBe(version);
  await database.drop();
  await expect(query(database.url, 'SELECT 1')).rejects.toThrow('does not exist');
});

test('dropping a database that a client is connected to fails, and drops it all the same', async () => {
  const database = await createTestDatabase();
  const client = new Client({ connectionString: database.url, application_name: 'leak' });
  client.on('error', () => undefined);
  await client.connect();
  await expect(database.drop()).rejects.toThrow(/1 connections leaked[^]*leak/);
  await expect(query(database.url, 'SELECT 1')).rejects.toThrow('does not exist');
});
