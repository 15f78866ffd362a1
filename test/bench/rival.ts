// What tenancy is measured against, in a process of its own: `rival.mjs SIDE URL TENANTS CONCURRENCY`.
import process from 'node:process';
import pLimit from 'p-limit';
import { Pool, type PoolClient } from 'pg';
import { benchMigrations } from './bench-migrations.js';
import { createPeer, isPeer } from './rival-peers.js';

const [kind = '', url = '', tenants = '0', concurrency = '1'] = process.argv.slice(2);
const limit = pLimit(Number(concurrency));
const names = Array.from({ length: Number(tenants) }, (_, index) => `tenant_t${String(index).padStart(4, '0')}`);

if (isPeer(kind)) {
  const migrate = await createPeer(kind, url);
  await Promise.all(names.map((schema) => limit(() => migrate(schema))));
} else await runPooled(kind === 'umzug' ? await createUmzugLoop() : sendOneMessage);

async function runPooled(migrate: (client: PoolClient, schema: string) => Promise<void>): Promise<void> {
  const pool = new Pool({ connectionString: url, max: Number(concurrency), application_name: 'rival' });
  await Promise.all(
    names.map((schema) =>
      limit(async () => {
        const client = await pool.connect();
        try {
          await migrate(client, schema);
        } finally {
          client.release();
        }
      }),
    ),
  );
  await pool.end();
}

/** The same SQL and the same history rows as tenancy's, one message a tenant, and nothing besides. */
async function sendOneMessage(client: PoolClient, schema: string): Promise<void> {
  const message = benchMigrations.map(
    ({ name, sql }) => `BEGIN; SET LOCAL search_path = "${schema}", extensions; SET LOCAL lock_timeout = 5000;
${sql}
;INSERT INTO "${schema}"._rival_history (name, checksum, duration_ms, run_id) VALUES ('${name}', '${'0'.repeat(64)}', 1, 'rival'); COMMIT;`,
  );
  const history = `CREATE TABLE "${schema}"._rival_history (name text PRIMARY KEY, checksum text NOT NULL, applied_at timestamptz NOT NULL DEFAULT now(), duration_ms int NOT NULL, run_id text);`;
  await client.query(history + message.join('\n'));
}

/** A plain loop of umzug: for each file BEGIN, the file, the history row, COMMIT, a round trip each. */
async function createUmzugLoop(): Promise<(client: PoolClient, schema: string) => Promise<void>> {
  const { Umzug } = await import('umzug');
  return async (client, schema) => {
    const table = `"${schema}"._rival_history`;
    await client.query(`CREATE TABLE IF NOT EXISTS ${table} (name text PRIMARY KEY)`);
    await client.query(`SET search_path = "${schema}", extensions`);
    const umzug = new Umzug({
      migrations: benchMigrations.map(({ name, sql }) => ({
        name,
        up: async () => {
          await client.query('BEGIN');
          await client.query(sql);
        },
      })),
      storage: {
        executed: async () => (await client.query<{ name: string }>(`SELECT name FROM ${table}`)).rows.map((row) => row.name),
        logMigration: async ({ name }) => {
          await client.query(`INSERT INTO ${table} (name) VALUES ($1)`, [name]);
          await client.query('COMMIT');
        },
        unlogMigration: async () => undefined,
      },
      logger: undefined,
    });
    await umzug.up();
  };
}
