import { mongodbDatabaseOf } from '../../util/mongodb-url.js';
import type { Marker } from '../driver.js';
import { bareMarker } from '../marker.js';
import type { EngineContext } from './engine-context.js';
import { type HomeDocument, homeOf } from './home.js';

const NOT_HOMES = /^(admin|local|config|_?tenancy.*)$/i;

/** In the order of bytes. The server's own, ours, and the one that the cluster's URL names are left out. */
export async function listDatabases(
  context: EngineContext,
  { after, limit }: { readonly after: string | null; readonly limit: number },
): Promise<readonly { readonly name: string; readonly marker: Marker | null }[]> {
  const { databases } = await context.client.db('admin').command({
    listDatabases: 1,
    nameOnly: true,
    ...(after === null ? {} : { filter: { name: { $gt: after } } }),
  });
  const names = (databases as readonly { readonly name: string }[])
    .map(({ name }) => ({ name, bytes: Buffer.from(name) }))
    .filter(({ name }) => !NOT_HOMES.test(name) && name !== mongodbDatabaseOf(context.url))
    .sort((a, b) => Buffer.compare(a.bytes, b.bytes))
    .slice(0, limit);
  // A query each, as many at once as the pool has connections.
  return Promise.all(names.map(async ({ name }) => ({ name, marker: await readMarker(context, name) })));
}

async function readMarker(context: EngineContext, name: string): Promise<Marker | null> {
  const home = await homeOf(context, name).findOne<Pick<HomeDocument, 'tenant' | 'registry' | 'operation'>>(
    { _id: 'home' },
    { projection: { tenant: 1, registry: 1, operation: 1 } },
  );
  return home === null ? null : bareMarker(home);
}
