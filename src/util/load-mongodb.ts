import { createRequire } from 'node:module';
import path from 'node:path';
import { TenancyError } from '../errors.js';

export type MongodbLibrary = typeof import('mongodb');

/**
 * MongoDB's own client library, as the project has it. It isn't bundled: what migrations and hooks make of it (an ObjectId, a Long) is
 * taken by a client of the same major only, and it is as large as all of the command line.
 *
 * @throws TenancyError `TENANCY_CLIENT_LIBRARY_MISSING`.
 */
export function loadMongodb(neededBy: string): MongodbLibrary {
  for (const from of [path.resolve('package.json'), import.meta.url]) {
    const require = createRequire(from);
    if (canResolve(require)) return require('mongodb') as MongodbLibrary;
  }
  throw new TenancyError('TENANCY_CLIENT_LIBRARY_MISSING', { packageName: 'mongodb', neededBy });
}

function canResolve(require: NodeJS.Require): boolean {
  try {
    require.resolve('mongodb');
    return true;
  } catch {
    // Not installed there, which is an answer.
    return false;
  }
}
