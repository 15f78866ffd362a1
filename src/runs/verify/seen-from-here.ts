import type { StrayScope } from './find-strays.js';

/** Whether what is seen here is what the registry has entered on `other`: the same server by another name. */
export function isSeenFromHere({ run, cluster, driver }: StrayScope, other: string): Promise<boolean> {
  return run.clusters.isOne(cluster, other, driver.capabilities.isSharedDatabase ? 'database' : 'server');
}
