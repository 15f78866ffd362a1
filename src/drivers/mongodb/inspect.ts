import type { Document } from 'mongodb';
import type { HomeInspection, HomeRight, StructureItem, TenantTarget } from '../driver.js';
import { readStrangers } from './database-users.js';
import { type EngineContext, settleRetryable } from './engine-context.js';
import { HOME_COLLECTION } from './home.js';

export async function inspectDatabase(
  context: EngineContext,
  { name }: TenantTarget,
  { structure }: { readonly structure: boolean },
  signal: AbortSignal,
): Promise<HomeInspection> {
  return settleRetryable(context, signal, async () => ({
    nameInText: name,
    quotedName: JSON.stringify(name),
    // A build that was broken off leaves nothing: the server goes on with it, or takes it back.
    invalidIndexes: [],
    lacking: [],
    rights: await readHomeRights(context, name),
    structure: structure ? await readStructure(context, name) : null,
  }));
}

/** Collections with their options and validators, views with their pipelines, indexes. A collection is there from its first document on. */
async function readStructure({ client }: EngineContext, name: string): Promise<readonly StructureItem[]> {
  const db = client.db(name);
  const found = (await db.listCollections({}, { nameOnly: false }).toArray()) as unknown as readonly Document[];
  const items: StructureItem[] = [];
  for (const collection of found) {
    const [collectionName, type] = [String(collection['name']), String(collection['type'] ?? 'collection')];
    if (collectionName === HOME_COLLECTION || collectionName.startsWith('system.')) continue;
    const { validator, ...options } = (collection['options'] ?? {}) as Document;
    const isImplicit = type === 'collection' && Object.keys(options).length === 0 && validator === undefined;
    items.push({ kind: type, name: collectionName, of: null, definition: print(options), isImplicit });
    const of = `${type} ${collectionName}`;
    if (validator !== undefined) items.push({ kind: 'validator', name: collectionName, of, definition: print(validator) });
    if (type === 'view') continue;
    const indexes = (await db.collection(collectionName).listIndexes().toArray()) as readonly Document[];
    for (const { name: index, v: _, ns: __, ...spec } of indexes) {
      if (index !== '_id_') items.push({ kind: 'index', name: String(index), of, definition: print(spec) });
    }
  }
  return items.sort((a, b) => compare(a.of ?? '', b.of ?? '') || compare(a.kind, b.kind) || compare(a.name, b.name));
}

function compare(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0;
}

/** The order of keys is of meaning in an index, a validator and a pipeline, so that it stays. */
function print(value: unknown): string {
  return JSON.stringify(value);
}

/** Roles on this database of users of other databases but admin: of another tenant's, say. Nothing where the login may not look. */
async function readHomeRights(context: EngineContext, name: string): Promise<readonly HomeRight[]> {
  const strangers = await readStrangers(context, name);
  return strangers
    .filter(({ db }) => db !== 'admin')
    .flatMap(({ user, db, roles }) =>
      roles
        .filter((role) => role.db === name)
        .map(({ role }) => ({
          grantee: `${user}@${db}`,
          right: `the role ${role}`,
          revoke: `db.getSiblingDB(${JSON.stringify(db)}).revokeRolesFromUser(${JSON.stringify(user)}, [{role: ${JSON.stringify(role)}, db: ${JSON.stringify(name)}}])`,
        })),
    );
}
