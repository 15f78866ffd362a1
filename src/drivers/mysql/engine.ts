import { TenancyError } from '../../errors.js';
import type { ClusterEngine, OpenClusterOptions } from '../driver.js';

export async function openMysqlCluster({ cluster }: OpenClusterOptions): Promise<ClusterEngine> {
  throw new TenancyError('TENANCY_CLUSTER_URL_REJECTED', { cluster, reason: 'this engine is not in this version' });
}
