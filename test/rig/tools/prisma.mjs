import { createHash, randomUUID } from 'node:crypto';
import { readdirSync, readFileSync } from 'node:fs';
import { connect, main, recordCall } from './tool.mjs';

recordCall('prisma');
await main(async () => {
  if (process.argv.slice(2, 4).join(' ') !== 'migrate deploy') throw new Error('only migrate deploy is known here');
  const url = new URL(process.env.DATABASE_URL);
  const schema = url.searchParams.get('schema') ?? 'public';
  url.searchParams.delete('schema');
  const client = await connect(url.href, pgQuote(schema));
  try {
    await client.query(`CREATE TABLE IF NOT EXISTS _prisma_migrations (id varchar(36) PRIMARY KEY, checksum varchar(64) NOT NULL, finished_at timestamptz,
      migration_name varchar(255) NOT NULL, logs text, rolled_back_at timestamptz, started_at timestamptz NOT NULL DEFAULT now(), applied_steps_count integer NOT NULL DEFAULT 0)`);
    const { rows } = await client.query('SELECT migration_name AS name FROM _prisma_migrations WHERE finished_at IS NOT NULL');
    const names = readdirSync('prisma/migrations')
      .filter((name) => !name.includes('.'))
      .sort();
    for (const name of names.filter((candidate) => !rows.some((row) => row.name === candidate))) {
      const sql = readFileSync(`prisma/migrations/${name}/migration.sql`, 'utf8');
      await client.query(sql);
      const checksum = createHash('sha256').update(sql).digest('hex');
      await client.query('INSERT INTO _prisma_migrations VALUES ($1, $2, now(), $3, NULL, NULL, now(), 1)', [randomUUID(), checksum, name]);
      console.log(`Applying migration \`${name}\``);
    }
  } finally {
    await client.end();
  }
});

function pgQuote(name) {
  return `"${name.replaceAll('"', '""')}"`;
}
