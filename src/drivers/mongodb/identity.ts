import type { Document } from 'mongodb';
import { codeOf } from './classify.js';
import { type EngineContext, isForbidden } from './engine-context.js';

const NO_REPLICATION_ENABLED = 76;

/**
 * What a deployment keeps through restarts, elections and new members; first of what there is to be read:
 *
 * - a replica set: `settings.replicaSetId` of its configuration, made by `rs.initiate` (two sets may well have one name);
 * - a sharded cluster: `clusterId` of `config.version`;
 * - a standalone server: the UUID of the collection `admin.system.version`, which `mongod` makes with its data folder;
 * - where the login may read none of these (the smaller tiers of Atlas): the name of the set, which is unique there.
 *
 * Reads only: a dry run asks it too. More rights may turn one into another, which then asks for `--accept-cluster`.
 */
export async function readIdentity({ client }: EngineContext): Promise<string> {
  const admin = client.db('admin');
  const hello = await admin.command({ hello: 1 });
  const isSharded = hello['msg'] === 'isdbgrid';
  const isReplicaSet = typeof hello['setName'] === 'string';
  if (isSharded) {
    const version = await attempt(client.db('config').collection('version').findOne());
    if (version?.['clusterId'] !== undefined) return `cluster ${String(version['clusterId'])}`;
  }
  if (isReplicaSet) {
    const answer = await attempt(admin.command({ replSetGetConfig: 1 }));
    const id = (answer?.['config'] as Document | undefined)?.['settings']?.replicaSetId;
    if (id !== undefined) return `replica set ${String(id)}`;
  }
  const uuid = await attempt(readSystemVersionId(client.db('admin')));
  if (uuid !== null) return `server ${uuid}`;
  if (isReplicaSet) return `replica set named ${String(hello['setName'])}`;
  throw new Error('the login may not read what tells this server from others: grant it clusterMonitor');
}

async function readSystemVersionId(admin: ReturnType<EngineContext['client']['db']>): Promise<string | null> {
  const [collection] = await admin.listCollections({ name: 'system.version' }).toArray();
  const uuid = (collection as Document | undefined)?.['info']?.uuid;
  return uuid === undefined ? null : String(uuid);
}

async function attempt<T>(promise: Promise<T>): Promise<T | null> {
  try {
    return await promise;
  } catch (error) {
    if (isForbidden(error) || codeOf(error) === NO_REPLICATION_ENABLED) return null;
    throw error;
  }
}
