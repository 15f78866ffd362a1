import type { ClusterEngine, EngineName } from '../../drivers/driver.js';
import { type Finding, failed, ok } from './findings.js';

interface Product {
  readonly name: string;
  /** The oldest that is supported, as `major` or `major.minor`. */
  readonly oldest: string;
}

/** MariaDB says so in its version; everything else that speaks its protocol is taken for MySQL. */
const PRODUCTS = {
  postgres: () => ({ name: 'PostgreSQL', oldest: '14' }),
  mysql: (version) => (/mariadb/i.test(version) ? { name: 'MariaDB', oldest: '10.6' } : { name: 'MySQL', oldest: '8.0' }),
  mongodb: () => ({ name: 'MongoDB', oldest: '5.0' }),
} satisfies Record<EngineName, (version: string) => Product>;

export function checkVersion(cluster: string, engine: ClusterEngine, version: string): Finding {
  const { name, oldest } = PRODUCTS[engine.engine](version);
  const number = version.replace(/-?mariadb.*/i, '');
  const at = `${name} ${number} at ${engine.where}`;
  if (compareVersions(number, oldest) >= 0) return ok(`clusters.${cluster}`, at);
  return failed(`clusters.${cluster}`, `${at} is too old`, `${name} ${oldest} or newer is supported`);
}

function compareVersions(a: string, b: string): number {
  const [left, right] = [a, b].map((version) => version.split('.').map((part) => Number.parseInt(part, 10) || 0));
  for (const [index, wanted] of (right ?? []).entries()) {
    const difference = (left?.[index] ?? 0) - wanted;
    if (difference !== 0) return difference;
  }
  return 0;
}
