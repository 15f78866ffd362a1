import { randomUUID } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { isDeepStrictEqual } from 'node:util';
import type { Document } from 'mongodb';
import { TenancyError } from '../../errors.js';
import { listMigrationFiles, type RegistryMigration } from '../migration-files.js';
import { anchorChains } from './audit-anchors.js';
import { PREFIX } from './collections.js';
import type { RegistryConnection } from './connection.js';
import { checkCollections, damaged, lacksAny, listCollections, refuseRemains, refuseStrangers } from './damage.js';
import type { RegistryDocument } from './documents.js';
import { codeOf } from './failures.js';
import { withMigrationLock } from './migration-lock.js';
import { fillShardKeys } from './shard-keys.js';

const NAMESPACE_EXISTS = 48;

/** Makes sure of the registry's collections and gives the registry's id. Two commands, at once, where there is nothing to do. */
export async function ensureRegistry(db: RegistryConnection, create: boolean): Promise<string> {
  // The files are looked for while the server answers.
  const [state, names, known] = await Promise.all([readState(db), listCollections(db), listMigrationFiles('mongodb')]);
  const knownVersion = known.at(-1)?.version ?? 0;
  if (state === null) await refuseToCreate(db, names, create);
  else if (state.version > knownVersion) {
    throw new TenancyError('TENANCY_REGISTRY_NEWER', { where: db.place.where, registryVersion: state.version, knownVersion });
  } else if (state.version === knownVersion) {
    // The two were asked for at once: another process may have come to the end of making it between the answers.
    if (lacksAny(names)) await checkCollections(db);
    return state.id;
  }
  await withMigrationLock(db, () => migrate(db, known));
  return ensureRegistry(db, false);
}

function readState({ collections, send }: RegistryConnection): Promise<RegistryDocument | null> {
  return send(() => collections.registry.findOne({ _id: 'registry' }));
}

/** One that another process makes at this moment, or died of, has its lock and no migration that is done: that is gone on with. */
async function refuseToCreate(db: RegistryConnection, names: readonly string[], create: boolean): Promise<void> {
  const entries = await db.send(() => db.collections.migrations.find({}).project<{ _id: unknown }>({ _id: 1 }).toArray());
  const isDone = entries.some(({ _id }) => _id !== 'lock');
  if (isDone && (await readState(db)) !== null) return;
  if (isDone || entries.length === 0) refuseRemains(db, names);
  if (isDone) throw damaged(db, 'tenancy.registry has lost its document');
  if (!create) throw new TenancyError('TENANCY_REGISTRY_NOT_FOUND', { where: db.place.where });
  if (entries.length === 0 && !hasJustBegun(names)) refuseStrangers(db, names);
}

/** The lock is written first, and its collection is listed before a majority, of which is read, has what is in it. */
function hasJustBegun(names: readonly string[]): boolean {
  return names.length === 1 && names[0] === `${PREFIX}registry_migrations`;
}

/** What was done and the version with the id are written last, and together: the first without the second is what a damaged registry looks like. */
async function migrate(db: RegistryConnection, known: readonly RegistryMigration[]): Promise<void> {
  const { migrations, registry } = db.collections;
  const applied = (await readState(db))?.version ?? 0;
  for (const migration of known.filter(({ version }) => version > applied)) {
    for (const command of await readCommands(migration)) {
      // No command of the server's: what it can't reckon is reckoned here.
      if (command['fill'] === 'shardKey') await fillShardKeys(db);
      else if (command['fill'] === 'auditChains') await anchorChains(db);
      else await db.send(() => run(db, command));
    }
    const { version, name } = migration;
    const entry = { id: { $ifNull: ['$id', randomUUID()] }, createdAt: { $ifNull: ['$createdAt', '$$NOW'] }, version };
    await db.transact(async (session) => {
      const upsert = { upsert: true, session };
      await migrations.updateOne({ _id: version }, [{ $set: { name, appliedAt: { $ifNull: ['$appliedAt', '$$NOW'] } } }], upsert);
      await registry.updateOne({ _id: 'registry' }, [{ $set: entry }], upsert);
    });
  }
}

/** In their order. Each of them bears being sent again. */
async function readCommands({ file }: RegistryMigration): Promise<readonly Document[]> {
  return (JSON.parse(await readFile(file, 'utf8')) as { readonly commands: readonly Document[] }).commands;
}

async function run(db: RegistryConnection, command: Document): Promise<void> {
  if (await isAsWanted(db, command)) return;
  try {
    await db.database.command({ ...command, writeConcern: { w: 'majority' } });
  } catch (error) {
    if (codeOf(error) !== NAMESPACE_EXISTS) throw error;
  }
}

/** A new registry's collections have their newest rules from the start: to change rules takes `dbAdmin`, to make a collection `readWrite`. */
async function isAsWanted({ database }: RegistryConnection, { collMod, validator }: Document): Promise<boolean> {
  if (collMod === undefined) return false;
  const [found] = await database.listCollections({ name: collMod as string }, { nameOnly: false }).toArray();
  return isDeepStrictEqual((found as { readonly options?: Document } | undefined)?.options?.['validator'], validator);
}
