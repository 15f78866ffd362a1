import { connect, listFiles, main, recordCall } from './tool.mjs';

recordCall('flyway');
await main(async () => {
  const { FLYWAY_URL, FLYWAY_USER, FLYWAY_PASSWORD, FLYWAY_LOCATIONS, FLYWAY_DEFAULT_SCHEMA = 'public', FLYWAY_TABLE } = process.env;
  const url = new URL(FLYWAY_URL.replace(/^jdbc:/, ''));
  const rest = url.searchParams.get('currentSchema');
  url.searchParams.delete('currentSchema');
  url.username = encodeURIComponent(FLYWAY_USER);
  url.password = encodeURIComponent(FLYWAY_PASSWORD);
  const client = await connect(url.href, [`"${FLYWAY_DEFAULT_SCHEMA}"`, rest].filter(Boolean).join(', '));
  try {
    const table = `"${FLYWAY_DEFAULT_SCHEMA}"."${FLYWAY_TABLE}"`;
    await client.query(`CREATE TABLE IF NOT EXISTS ${table} (installed_rank int PRIMARY KEY, version varchar(50), description varchar(200) NOT NULL,
      type varchar(20) NOT NULL, script varchar(1000) NOT NULL, checksum int, installed_by varchar(100) NOT NULL, installed_on timestamp NOT NULL DEFAULT now(),
      execution_time int NOT NULL, success boolean NOT NULL)`);
    const insert = (version, description, script) =>
      client.query(
        `INSERT INTO ${table} SELECT coalesce(max(installed_rank), 0) + 1, $1, $2, 'SQL', $3, 0, current_user, now(), 1, true FROM ${table}`,
        [version, description, script],
      );
    const { rows } = await client.query(`SELECT version FROM ${table}`);
    const directory = FLYWAY_LOCATIONS.replace(/^filesystem:/, '');
    const versioned = listFiles(directory, /^V([\d._]+)__(.*)\.sql$/).map((found) => ({
      ...found,
      version: found.match[1].replaceAll('_', '.'),
    }));
    versioned.sort((a, b) => a.version.localeCompare(b.version, 'en', { numeric: true }));
    for (const { file, match, sql, version } of versioned.filter((one) => !rows.some((row) => row.version === one.version))) {
      await client.query(sql().replaceAll(/\$\{(\w+)\}/g, (_, name) => process.env[`FLYWAY_PLACEHOLDERS_${name.toUpperCase()}`]));
      await insert(version, match[2].replaceAll('_', ' '), file);
    }
    for (const { file, match, sql } of listFiles(directory, /^R__(.*)\.sql$/)) {
      await client.query(sql());
      await insert(null, match[1], file);
    }
    console.log(JSON.stringify({ success: true }));
  } finally {
    await client.end();
  }
});
