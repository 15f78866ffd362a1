import { connect, flag, listFiles, main, recordCall } from './tool.mjs';

recordCall('migrate');
await main(async () => {
  const url = new URL(flag('-database'));
  const searchPath = url.searchParams.get('search_path');
  url.searchParams.delete('search_path');
  // pg reads PGPASSWORD as lib/pq does.
  const client = await connect(url.href, searchPath);
  try {
    await client.query('CREATE TABLE IF NOT EXISTS schema_migrations (version bigint NOT NULL PRIMARY KEY, dirty boolean NOT NULL)');
    const [row] = (await client.query('SELECT version, dirty FROM schema_migrations')).rows;
    if (row?.dirty) throw new Error(`Dirty database version ${row.version}. Fix and force version.`);
    const setVersion = (version, dirty) =>
      client.query(`TRUNCATE schema_migrations; INSERT INTO schema_migrations VALUES (${Number(version)}, ${dirty})`);
    const files = listFiles(flag('-path'), /^(\d+)_.*\.up\.sql$/).sort((a, b) => Number(a.match[1]) - Number(b.match[1]));
    for (const { match, sql, file } of files.filter((one) => Number(one.match[1]) > Number(row?.version ?? 0))) {
      await setVersion(match[1], true);
      await client.query(sql());
      await setVersion(match[1], false);
      console.error(`${Number(match[1])}/u ${file} (1ms)`);
    }
  } finally {
    await client.end();
  }
});
