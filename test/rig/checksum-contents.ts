import { checksumContents } from './home-checksum.js';
import type { Sandbox } from './sandbox.js';

/** What a backup of a sandbox's tenant has to bring back, on whichever engine; see `checksumContents`. */
export async function checksumContentsOf({ driver, url, prefix }: Pick<Sandbox, 'driver' | 'url' | 'prefix'>, id: string): Promise<string> {
  const name = prefix + id;
  if (driver === 'mysql-database') return (await import('./mysql-checksum.js')).checksumMysqlContents(url, name);
  if (driver === 'mongodb-database') return (await import('./mongodb-checksum.js')).checksumMongoContents(url, name);
  return checksumContents(url, { driver, name });
}
