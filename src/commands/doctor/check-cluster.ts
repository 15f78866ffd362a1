import type { ClusterEngine, ClusterFacts } from '../../drivers/driver.js';
import { engineOf } from '../../drivers/names.js';
import { EXIT } from '../../errors/define.js';
import { TenancyError } from '../../errors.js';
import { type ConnectionBound, countFree, findFullest, listBounds } from '../../lifecycle/connection-bounds.js';
import type { Registry } from '../../registry/registry.js';
import type { DriverName } from '../../tenant.js';
import { checkVersion } from './check-version.js';
import { type Finding, failed, failedBy, ok, warning } from './findings.js';

/** For the registry and for looking around, on top of the tenants in flight. */
const SPARE_CONNECTIONS = 2;

export interface ClusterQuestions {
  readonly name: string;
  readonly engine: ClusterEngine;
  /** The most tenants that a run has in flight there. */
  readonly concurrency: number;
  /** Connections that each of them takes. */
  readonly each: number;
  readonly registry: Registry | null;
  /** Those that tenants there have, or would have. */
  readonly drivers: ReadonlySet<DriverName>;
}

/** One finding for the server itself; where it answers, one each for its identity, its privileges and its connections. */
export async function checkCluster(questions: ClusterQuestions): Promise<readonly Finding[]> {
  const { name, engine } = questions;
  try {
    const facts = await engine.readFacts();
    const identity = await checkIdentity(questions, facts).catch((error: unknown) => failedBy(`clusters.${name}.identity`, error));
    return [
      checkVersion(name, engine, facts.version),
      identity,
      ...checkPrivileges(questions, facts),
      checkConnections(questions, facts),
      ...listCaveats(questions),
    ];
  } catch (error) {
    return [failedBy(`clusters.${name}`, engine.describeUnreachable(error) ?? error)];
  }
}

/** What an engine can't promise, for the drivers in use: worth knowing before the first migration rather than after it. */
function listCaveats({ name, engine, drivers }: ClusterQuestions): readonly Finding[] {
  const mine = [...drivers].filter((driver) => engineOf(driver) === engine.engine);
  return mine.flatMap((driver) => engine.driver(driver).capabilities.caveats.map((caveat) => ok(`clusters.${name}.${driver}`, caveat)));
}

/** Compares only: a server that no tenant lives on yet is remembered by the first command that puts one there. */
async function checkIdentity({ name, engine, registry }: ClusterQuestions, { privileges }: ClusterFacts): Promise<Finding> {
  const check = `clusters.${name}.identity`;
  if (privileges.some(({ privilege, isGranted }) => /pg_control_system/.test(privilege) && !isGranted)) {
    return warning(check, 'not looked at: the login may not read it', 'see the privileges below');
  }
  const identity = await engine.readIdentity();
  const isKnown = registry !== null && (await registry.countTenants({ clusters: [name] })) > 0;
  if (!isKnown) return ok(check, `${identity}; no tenant lives there yet`);
  const answer = await registry.checkCluster(name, identity, { accept: false, dryRun: true });
  if (answer.status === 'new') return ok(check, `${identity}, which the next run remembers`);
  if (answer.status !== 'different') return ok(check, `${identity}, as its tenants know it`);
  const { message, hint } = new TenancyError('TENANCY_CLUSTER_CHANGED', { cluster: name, known: answer.known, found: identity });
  return failed(check, message, hint, EXIT.refused);
}

/** Of the drivers in use; a cluster that nothing points to may become anything, so there what is missing is only worth knowing. */
function checkPrivileges({ name, drivers }: ClusterQuestions, { privileges }: ClusterFacts): readonly Finding[] {
  const check = `clusters.${name}.privileges`;
  const relevant = drivers.size === 0 ? privileges : privileges.filter(({ driver }) => drivers.has(driver));
  const missing = relevant.filter(({ isGranted }) => !isGranted);
  if (missing.length === 0) return [ok(check, `all that ${listDrivers(relevant)} needs`)];
  const hint = [...new Set(missing.map((privilege) => privilege.hint))].join('; ');
  const detail = `${listDrivers(missing)} lacks ${[...new Set(missing.map(({ privilege }) => privilege))].join(' and ')}`;
  return [drivers.size === 0 ? warning(check, detail, hint) : failed(check, detail, hint)];
}

function listDrivers(privileges: ClusterFacts['privileges']): string {
  return [...new Set(privileges.map(({ driver }) => driver))].join(' and ');
}

/** By the narrowest of the bounds: the server's own, the login's, the database's. As a run counts before it begins, and a little more. */
function checkConnections({ name, concurrency, each, drivers }: ClusterQuestions, facts: ClusterFacts): Finding {
  const check = `clusters.${name}.connections`;
  if (facts.isPooled) return ok(check, "not counted: behind a pooler the server's connections aren't the run's");
  const needed = concurrency * each + SPARE_CONNECTIONS;
  const bounds = listBounds(facts, drivers);
  const narrowest = bounds.reduce((least, bound) => (bound.most < least.most ? bound : least));
  const fullest = findFullest(bounds);
  const tenants = `concurrency ${concurrency}${each === 1 ? '' : ` × ${each}, with those of the migrator,`}`;
  const describe = ({ by, most, inUse }: ConnectionBound): string =>
    `${inUse} of ${most}${by} in use; a run takes up to ${needed} (${tenants} + ${SPARE_CONNECTIONS})`;
  const countFitting = (connections: number): number => Math.floor((connections - SPARE_CONNECTIONS) / each);
  const most = countFitting(narrowest.most);
  if (most < concurrency) return failed(check, describe(narrowest), lower(name, most, narrowest.raise));
  const free = countFree(fullest);
  if (free >= needed) return ok(check, describe(bounds[0]));
  return warning(check, describe(fullest), lower(name, Math.max(1, countFitting(free)), 'end some of the others'));
}

/** Where not even one tenant at a time would fit, only the other way is left. */
function lower(name: string, most: number, otherwise: string): string {
  return most < 1 ? otherwise : `lower clusters.${name}.concurrency to ${most}, or ${otherwise}`;
}
