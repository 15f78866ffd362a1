import { createHash, randomUUID } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { escapeId } from 'mysql2';
import { TenancyError } from '../../errors.js';
import { listMigrationFiles, type RegistryMigration } from '../migration-files.js';
import type { RegistryConnection } from './connection.js';
import { damaged, REGISTRY_TABLES, refuseRemains } from './damage.js';
import { isColumnThere, isMissingDatabase, isMissingTable, isTriggerRefused } from './failures.js';
import type { MysqlSession } from './session.js';

const LOCK_TIMEOUT_S = 10;

/** Makes sure of the registry's tables and gives the registry's id. One round trip where there is nothing to do. */
export async function ensureRegistry(db: RegistryConnection, create: boolean): Promise<string> {
  // The files are looked for while the server answers.
  const [state, known] = await Promise.all([readState(db), listMigrationFiles('mysql')]);
  if (state === null && !create) throw new TenancyError('TENANCY_REGISTRY_NOT_FOUND', { where: db.place.where });
  const knownVersion = known.at(-1)?.version ?? 0;
  if (state !== null && state.version > knownVersion) {
    throw new TenancyError('TENANCY_REGISTRY_NEWER', { where: db.place.where, registryVersion: state.version, knownVersion });
  }
  if (state?.version === knownVersion) return state.id;
  if (state === null && !db.isDatabaseNamed) await createDatabase(db);
  await db.withSession((session) => migrate(session, known, db));
  return ensureRegistry(db, false);
}

interface RegistryState {
  readonly id: string;
  readonly version: number;
}

/**
 * Another process may be making the registry between two of our questions, so that one of them says "not yet" and the next "already". That
 * happens twice at most, when it begins and when it is done: what looks like somebody else's tables three times is.
 */
const LOOKS = 3;

const REMAINS: ReadonlySet<string> = new Set(['TENANCY_REGISTRY_SCHEMA_TAKEN', 'TENANCY_REGISTRY_DAMAGED']);

async function readState(db: RegistryConnection): Promise<RegistryState | null> {
  for (let look = 1; ; look += 1) {
    try {
      return await lookForState(db);
    } catch (error) {
      if (look >= LOOKS || !(error instanceof TenancyError) || !REMAINS.has(error.code)) throw error;
    }
  }
}

async function lookForState(db: RegistryConnection): Promise<RegistryState | null> {
  try {
    const [row] = await db.read<{ id: string | null; version: number | null }>(
      `SELECT (SELECT r.id FROM tenancy_registry r) AS id,
              (SELECT MAX(m.version) FROM tenancy_registry_migrations m WHERE m.applied_at IS NOT NULL) AS version`,
    );
    // The first migration is under way, or was interrupted.
    if (row?.version == null) return null;
    if (row.id === null) throw damaged(db, 'tenancy_registry has lost its row');
    return { id: row.id, version: row.version };
  } catch (error) {
    if (isMissingDatabase(error) && !db.isDatabaseNamed) return null;
    if (!isMissingTable(error)) throw error;
    if (!(await isBeingMade(db))) await refuseRemains(db);
    return null;
  }
}

/** Whether the first migration has begun and hasn't ended: then it is no damage that tables are missing. */
async function isBeingMade(db: RegistryConnection): Promise<boolean> {
  try {
    const rows = await db.read<{ applied_at: Date | null }>('SELECT applied_at FROM tenancy_registry_migrations');
    return rows.every(({ applied_at: at }) => at === null);
  } catch (error) {
    if (isMissingTable(error)) return false;
    throw error;
  }
}

async function createDatabase(db: RegistryConnection): Promise<void> {
  const sql = `CREATE DATABASE IF NOT EXISTS ${escapeId(db.place.database, true)} CHARACTER SET utf8mb4 COLLATE utf8mb4_bin`;
  await db.withSession((session) => session.send([{ sql }]), null);
}

/**
 * All pending migrations, under a lock of the session: of many first uses at once one does the work and the others find it done.
 * DDL commits by itself, so that what a crash interrupts is begun again, each statement of it finding its work done or doing it.
 */
async function migrate(session: MysqlSession, known: readonly RegistryMigration[], db: RegistryConnection): Promise<void> {
  const lock = `tenancy.${createHash('sha256').update(db.place.database).digest('hex').slice(0, 40)}`;
  const [[taken] = []] = await session.send([{ sql: 'SELECT GET_LOCK(?, ?) AS taken', params: [lock, LOCK_TIMEOUT_S] }]);
  if (taken?.taken !== 1) {
    const reason = `another process has been making or upgrading it for ${LOCK_TIMEOUT_S} s`;
    throw new TenancyError('TENANCY_REGISTRY_UNREACHABLE', { where: db.place.where, reason });
  }
  try {
    const applied = await beginHistory(session, db);
    for (const migration of known.filter(({ version }) => version > applied)) await apply(session, migration);
  } finally {
    // A lost connection gives it back as well.
    if (session.isUsable) await session.send([{ sql: 'DO RELEASE_LOCK(?)', params: [lock] }]);
  }
}

/** The table that tells comes first: with a row that isn't applied yet, what is there is told from a damaged registry. */
async function beginHistory(session: MysqlSession, db: RegistryConnection): Promise<number> {
  const listed = 'SELECT table_name AS name FROM information_schema.tables WHERE table_schema = DATABASE() AND table_name IN (?)';
  const [there = []] = await session.send([{ sql: listed, params: [REGISTRY_TABLES] }]);
  const isBegun = there.some(({ name }) => name === 'tenancy_registry_migrations');
  if (!isBegun && there.length > 0) {
    const collections = there.map(({ name }) => String(name)).join(', ');
    throw new TenancyError('TENANCY_REGISTRY_SCHEMA_TAKEN', { where: db.place.where, collections });
  }
  await session.send([
    {
      sql: `CREATE TABLE IF NOT EXISTS tenancy_registry_migrations (version INT NOT NULL PRIMARY KEY, name VARCHAR(190) NOT NULL, applied_at DATETIME(6))
        ENGINE=InnoDB DEFAULT CHARACTER SET utf8mb4 COLLATE utf8mb4_bin`,
    },
  ]);
  const newest = 'SELECT COALESCE(MAX(version), 0) AS version FROM tenancy_registry_migrations WHERE applied_at IS NOT NULL';
  const [[row] = []] = await session.send([{ sql: newest }]);
  return Number(row?.version ?? 0);
}

async function apply(session: MysqlSession, { version, name, file }: RegistryMigration): Promise<void> {
  const record = 'INSERT INTO tenancy_registry_migrations (version, name) VALUES (?, ?) ON DUPLICATE KEY UPDATE name = VALUES(name)';
  await session.send([{ sql: record, params: [version, name] }]);
  for (const sql of splitStatements(await readFile(file, 'utf8'))) {
    await session.send([{ sql }]).catch((error: unknown) => {
      const isDone = /^ALTER TABLE \S+\s+ADD COLUMN/.test(sql) && isColumnThere(error);
      const isLeftOut = /^(CREATE|DROP) TRIGGER/.test(sql) && isTriggerRefused(error);
      if (!isDone && !isLeftOut) throw error;
    });
  }
  await session.send([
    {
      sql: 'INSERT INTO tenancy_registry (id) SELECT ? FROM DUAL WHERE NOT EXISTS (SELECT 1 FROM tenancy_registry r)',
      params: [randomUUID()],
    },
    { sql: 'UPDATE tenancy_registry_migrations SET applied_at = UTC_TIMESTAMP(6) WHERE version = ?', params: [version] },
  ]);
}

/** Our own files: comments have lines of their own, and a statement ends with a line. */
function splitStatements(text: string): readonly string[] {
  return text
    .replaceAll(/^ *--.*$/gm, '')
    .split(/;\s*(?:\n|$)/)
    .map((statement) => statement.trim())
    .filter((statement) => statement !== '');
}
