import { readFile } from 'node:fs/promises';
import type pg from 'pg';
import { TenancyError } from '../../errors.js';
import { listMigrationFiles, type RegistryMigration } from '../migration-files.js';
import type { RegistryConnection } from './connection.js';
import { refuseRemains } from './damage.js';
import { sqlStateOf } from './failures.js';

/** Any number will do that is ours alone in this database: "tenancy" in ASCII. */
const MIGRATION_LOCK = '32762643847147385';

/** Makes sure of the registry's schema and gives the registry's id. One round trip where there is nothing to do. */
export async function ensureRegistry(db: RegistryConnection, create: boolean): Promise<string> {
  // The files are looked for while the server answers.
  const [state, known] = await Promise.all([readState(db), listMigrationFiles('postgres')]);
  if (state === null && !create) throw new TenancyError('TENANCY_REGISTRY_NOT_FOUND', { where: db.place.where });
  const knownVersion = known.at(-1)?.version ?? 0;
  if (state !== null && state.version > knownVersion) {
    throw new TenancyError('TENANCY_REGISTRY_NEWER', { where: db.place.where, registryVersion: state.version, knownVersion });
  }
  if (state?.version === knownVersion) return state.id;
  await db.withClient((client) => migrate(client, known, db.place.where));
  return ensureRegistry(db, false);
}

async function readState(db: RegistryConnection): Promise<{ id: string; version: number } | null> {
  try {
    const [row] = await db.query<{ id: string; version: number }>(
      'SELECT r.id, (SELECT max(version) FROM tenancy.registry_migrations) AS version FROM tenancy.registry r',
      [],
    );
    if (row !== undefined) return row;
    throw new TenancyError('TENANCY_REGISTRY_DAMAGED', { where: db.place.where, damage: 'tenancy.registry has lost its row' });
  } catch (error) {
    if (sqlStateOf(error) !== '42P01') throw error; // undefined_table, also where there is no such schema
    await refuseRemains(db);
    return null;
  }
}

/**
 * All pending migrations in one transaction, under an advisory lock of that transaction (a lock of the session would leak behind a PgBouncer):
 * of many first uses at once one does the work and the others find it done.
 */
async function migrate(client: pg.PoolClient, known: readonly RegistryMigration[], where: string): Promise<void> {
  // Read committed whatever the server's default is: what is read after the wait for the lock must be of after the wait.
  await client.query('BEGIN ISOLATION LEVEL READ COMMITTED READ WRITE');
  await client.query('SELECT pg_advisory_xact_lock($1::bigint)', [MIGRATION_LOCK]);
  const applied = await readAppliedVersion(client, where);
  for (const migration of known.filter(({ version }) => version > applied)) {
    await client.query(await readFile(migration.file, 'utf8'));
    await client.query('INSERT INTO tenancy.registry_migrations (version, name) VALUES ($1, $2)', [migration.version, migration.name]);
  }
  await client.query('COMMIT');
}

/** 0 for a new registry, whose schema is made here (or was made, empty, for a user who may not make one). */
async function readAppliedVersion(client: pg.PoolClient, where: string): Promise<number> {
  const { rows } = await client.query<{ schema: string | null; registry: string | null; relations: number }>(
    `SELECT to_regnamespace('tenancy')::text AS schema, to_regclass('tenancy.registry_migrations')::text AS registry,
            (SELECT count(*) FROM pg_catalog.pg_class WHERE relnamespace = to_regnamespace('tenancy')::oid) AS relations`,
  );
  const [found] = rows;
  if (found?.registry != null) {
    const answer = await client.query<{ version: number | null }>('SELECT max(version) AS version FROM tenancy.registry_migrations');
    return answer.rows[0]?.version ?? 0;
  }
  if ((found?.relations ?? 0) > 0) throw new TenancyError('TENANCY_REGISTRY_SCHEMA_TAKEN', { where });
  if (found?.schema == null) await client.query('CREATE SCHEMA tenancy');
  return 0;
}
