import path from 'node:path';
import { TenancyError } from '../../../errors.js';
import { loadMongodb } from '../../../util/load-mongodb.js';
import type { BackupCheck, BackupSource, BackupTools, TenantTarget } from '../../driver.js';
import { type FoundTool, findTools } from '../../find-tool.js';
import { type EngineContext, settleRetryable } from '../engine-context.js';
import { readLayout } from './layout.js';

/** MongoDB's Database Tools have versions of their own since 100, each for all servers that are in support. */
const OLDEST = 100;

const INSTALL =
  'install the MongoDB Database Tools (mongodb.com/try/download/database-tools), or leave them out: without any the client library does it';

/**
 * mongodump and mongorestore where both are here; else what they do is done through the client library, in their format.
 * @throws TenancyError `TENANCY_BACKUP_TOOL_MISSING`, `TENANCY_BACKUP_TOOL_REFUSED`
 */
export async function checkTools(context: EngineContext, { purpose, paths, signal }: BackupCheck): Promise<BackupTools> {
  const { cluster } = context;
  await context.connect();
  const info = await context.client.db('admin').command({ buildInfo: 1 });
  const engineVersion = String(info['version'] ?? '');
  const find = async (tool: 'mongodump' | 'mongorestore'): Promise<FoundTool | null> => {
    for await (const found of findTools([tool], { configured: paths[tool], signal })) {
      if (found.major >= OLDEST) return found;
      const reason = `${tool} ${found.version} (${found.path}) is older than 100, the first that is for all servers`;
      throw new TenancyError('TENANCY_BACKUP_TOOL_REFUSED', { cluster, tool, reason, install: INSTALL });
    }
    if (paths[tool] === undefined) return null;
    throw new TenancyError('TENANCY_BACKUP_TOOL_MISSING', { cluster, tool, where: `at ${paths[tool]}`, install: INSTALL });
  };
  const [dump, restore] = [await find('mongodump'), await find('mongorestore')];
  const main = purpose === 'dump' ? dump : restore;
  // What one of them has written the other can be needed for: both, or neither.
  if (dump === null || restore === null || main === null) {
    return { engineVersion, described: "the client library, in mongodump's format", version: null, paths: {} };
  }
  return {
    engineVersion,
    described: `${purpose === 'dump' ? 'mongodump' : 'mongorestore'} ${main.version} (${main.path})`,
    version: main.version,
    paths: { mongodump: dump.path, mongorestore: restore.path },
  };
}

/**
 * A time series is a view of buckets, in a format of the server's own that mongodump knows.
 * @throws TenancyError `TENANCY_BACKUP_TOOL_MISSING`
 */
export async function checkHome(
  context: EngineContext,
  { name }: TenantTarget,
  { paths }: BackupTools,
  signal: AbortSignal,
): Promise<void> {
  if (paths['mongodump'] !== undefined) return;
  await context.connect();
  const [series] = await settleRetryable(context, signal, () =>
    context.client.db(name).listCollections({ type: 'timeseries' }, { nameOnly: false }).toArray(),
  );
  if (series === undefined) return;
  const where = `on PATH together with mongorestore, and the time series ${series.name} of ${name} can be dumped by it alone`;
  const install = 'the MongoDB Database Tools (mongodb.com/try/download/database-tools)';
  throw new TenancyError('TENANCY_BACKUP_TOOL_MISSING', { cluster: context.cluster, tool: 'mongodump', where, install });
}

/** Of what was dumped, as `checkHome` is of what is to be. @throws TenancyError `TENANCY_RESTORE_REFUSED` */
export async function checkSource(tenant: string, source: BackupSource, { paths }: BackupTools): Promise<void> {
  if (paths['mongorestore'] !== undefined) return;
  const dumped = await readLayout(loadMongodb('backups'), path.join(source.path, source.name));
  const series = dumped.find(({ metadata }) => metadata.type === 'timeseries');
  if (series === undefined) return;
  throw new TenancyError('TENANCY_RESTORE_REFUSED', {
    tenant,
    reason: `${series.metadata.collectionName} is a time series, which mongorestore alone can bring back`,
    next: 'install the MongoDB Database Tools, then run the same command again',
  });
}
