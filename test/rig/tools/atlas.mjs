import { fileURLToPath } from 'node:url';
import { connect, flag, listFiles, main, recordCall } from './tool.mjs';

recordCall('atlas');
await main(async () => {
  const url = new URL(process.argv.includes('--env') ? process.env.DATABASE_URL : flag('--url'));
  const schema = url.searchParams.get('search_path');
  url.searchParams.delete('search_path');
  const client = await connect(url.href, schema);
  try {
    // As revisionSchemaName() of Atlas has it.
    const home = process.argv.includes('--revisions-schema') ? flag('--revisions-schema') : (schema ?? 'atlas_schema_revisions');
    await client.query(`CREATE SCHEMA IF NOT EXISTS "${home}"`);
    const table = `"${home}".atlas_schema_revisions`;
    await client.query(`CREATE TABLE IF NOT EXISTS ${table} (version varchar PRIMARY KEY, description varchar NOT NULL, type bigint NOT NULL DEFAULT 2,
      applied bigint NOT NULL DEFAULT 0, total bigint NOT NULL DEFAULT 0, executed_at timestamptz NOT NULL, execution_time bigint NOT NULL, error text,
      error_stmt text, hash varchar NOT NULL, partial_hashes jsonb, operator_version varchar NOT NULL)`);
    const { rows } = await client.query(`SELECT version FROM ${table}`);
    const files = listFiles(fileURLToPath(flag('--dir')), /^([^_]+)(?:_(.*))?\.sql$/).sort((a, b) => (a.file < b.file ? -1 : 1));
    for (const { match, sql } of files.filter((one) => !rows.some((row) => row.version === one.match[1]))) {
      await client.query(sql());
      await client.query(`INSERT INTO ${table} VALUES ($1, $2, 2, 1, 1, now(), 1, '', '', 'h1:x', 'null', 'Atlas CLI')`, [
        match[1],
        match[2] ?? '',
      ]);
    }
    console.log(JSON.stringify({ Applied: files.length }));
  } finally {
    await client.end();
  }
});
