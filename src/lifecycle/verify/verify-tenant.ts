import type { HomeInspection, Presence } from '../../drivers/driver.js';
import { describeWayBack } from '../../errors/lost-home.js';
import { TenancyError } from '../../errors.js';
import type { Lease, Tenant, TenantStatus } from '../../tenant.js';
import { unreachable } from '../../util/unreachable.js';
import { nextOfUnfinished } from '../retained.js';
import type { TenantScope, TenantWork, WorkResult } from '../run-context.js';
import { sessionOptions } from '../session-options.js';
import { runStep } from '../steps.js';
import { MIGRATABLE } from '../transitions.js';
import { checkForeignVersion, checkHistory } from './check-history.js';
import { checkLogins, checkRights } from './check-rights.js';
import { checkStructure } from './check-structure.js';
import { FindingBook, type FixMode, type NewFinding } from './finding-book.js';
import type { Reference, ReferenceHomes } from './reference-homes.js';

export interface VerifyTenantOptions {
  readonly mode: FixMode;
  /** Null: structures are not compared. */
  readonly references: ReferenceHomes | null;
  /** The lease that was on the tenant when it was listed, where nobody renewed it any more. */
  leaseLeftOn(id: string): Lease | null;
  /** Told how many findings a tenant had. */
  onFindings(counts: { readonly left: number; readonly fixed: number }): void;
}

/** Compares one tenant with what the registry says of it. Its lease is held, so that nobody changes either meanwhile. */
export function createVerifyWork(options: VerifyTenantOptions): TenantWork {
  return async (scope) => {
    const { tenant, run } = scope;
    const book = new FindingBook(run.emit, options.mode);
    const place = { tenant: tenant.id, cluster: tenant.cluster, driver: tenant.driver, name: tenant.name };
    let clearsError = false;
    await runStep(scope, 'verify', async () => {
      const left = options.leaseLeftOn(tenant.id);
      if (left !== null) await book.add(place, describeLease(tenant, left));
      for await (const finding of findAll(scope, options.references)) {
        const isFixed = await book.add(place, finding);
        if (isFixed && finding.code === 'error-stale') clearsError = true;
      }
      return book.all === 0 ? { status: 'done-before' } : { detail: `${book.all} finding${book.all === 1 ? '' : 's'}` };
    });
    options.onFindings({ left: book.left, fixed: book.fixed });
    return toResult(tenant, book, clearsError);
  };
}

function toResult({ id, schemaVersion }: Tenant, book: FindingBook, clearsError: boolean): WorkResult {
  const base = { from: schemaVersion, to: schemaVersion, clearsError };
  if (book.left > 0) {
    const error = new TenancyError('TENANCY_TENANT_DRIFTED', { tenant: id, findings: book.left, sentences: book.sentences });
    return { ...base, outcome: 'unverified', error };
  }
  return { ...base, outcome: book.fixed > 0 ? 'applied' : 'up-to-date' };
}

async function* findAll(scope: TenantScope, references: ReferenceHomes | null): AsyncGenerator<NewFinding> {
  const { tenant, driver, target } = scope;
  const presence = await driver.probe(target);
  yield* describeOperation(tenant);
  const absence = describePresence(scope, presence);
  if (absence !== null) yield absence;
  // What isn't the tenant's is never entered, and what is half made or half dropped has no more to tell.
  if (presence.status !== 'ours' || !ENTERED.includes(tenant.status)) return;
  const history = await driver.withSession(target, sessionOptions(scope), (session) => session.readHistory());
  const inHistory = [...checkHistory(scope, history), ...(await checkForeignVersion(scope))];
  yield* inHistory;
  const isSound = inHistory.length === 0;
  // Of what a tenant says wrongly that it has, no reference could be made.
  const isTold = inHistory.every(({ code }) => code === 'version-skewed' || code === 'migration-out-of-order');
  const reference = references === null || !isTold ? null : await references.find(scope, history.applied);
  const home = await inspect(scope, reference);
  yield* checkStructure(scope, home, reference);
  yield* checkRights(scope, home, reference);
  yield* await checkLogins(scope, home);
  if (isSound && isErrorStale(scope, history)) yield describeStaleError(scope);
}

function inspect({ driver, target, signal }: TenantScope, reference: Reference | null): Promise<HomeInspection> {
  return driver.inspect(target, { structure: reference?.status === 'made' }, signal);
}

const ENTERED: readonly TenantStatus[] = [...MIGRATABLE, 'provisioning', 'failed'];

function describePresence({ tenant, driver, target }: TenantScope, presence: Presence): NewFinding | null {
  const { id, name, cluster, status } = tenant;
  const kind = driver.capabilities.isSharedDatabase ? 'schema' : 'database';
  const isGone = status === 'deprovisioned';
  // Of one that is on its way in or out, the operation is what is to be finished.
  const isUnderWay = !isGone && status !== 'retained' && !MIGRATABLE.includes(status);
  switch (presence.status) {
    case 'absent':
      if (isGone || isUnderWay) return null;
      return {
        code: 'home-missing',
        message: `${id} is ${status}, but the ${kind} ${name} is not on cluster ${cluster}`,
        repair: describeWayBack(id, status === 'retained'),
      };
    case 'other': {
      if (isGone) return null;
      const { marker } = presence;
      const owner = marker.registry !== target.marker.registry ? `tenant ${marker.tenant} of another registry` : `tenant ${marker.tenant}`;
      const whose = marker.tenant === id && marker.registry === target.marker.registry ? `an earlier life of ${id}` : owner;
      return {
        code: 'home-foreign',
        message: `${id}: the ${kind} ${name} carries the mark of ${whose}`,
        repair: `find out who put it there; if it is ${id}'s all the same, put its mark back: ${driver.markCommand(target)}`,
      };
    }
    case 'unmarked':
      if (isGone) return null;
      return {
        code: 'home-unmarked',
        message: `${id}: the ${kind} ${name} has lost its mark, so that nothing is done to it`,
        repair: `if it is ${id}'s, put the mark back: ${driver.markCommand(target)}`,
      };
    case 'partial':
      if (isUnderWay) return null;
      return {
        code: 'home-partial',
        message: `${id} is ${status}, but the ${kind} ${name} is half made, or half dropped`,
        repair: isGone
          ? `drop what is left of ${name} by hand`
          : `${describeWayBack(id, status === 'retained')}; where what is left can't be backed up any more, add --skip-backup`,
      };
    case 'retained':
      if (status === 'retained' || isUnderWay) return null;
      if (isGone) return describeLeft(id, kind, name);
      return {
        code: 'home-partial',
        message: `${id} is ${status}, but the ${kind} ${name} is closed, as of a tenant that is retained`,
        repair: `\`tenancy tenant deprovision ${id} --retain 30d\` has it retained in the registry too; then \`tenancy tenant undelete ${id}\` brings it back`,
      };
    case 'ours':
      if (status === 'retained') {
        return {
          code: 'home-partial',
          message: `${id} is retained, but the ${kind} ${name} is open: an undelete was interrupted`,
          repair: `\`tenancy tenant undelete ${id}\` finishes it`,
        };
      }
      if (!isGone) return null;
      return describeLeft(id, kind, name);
    default:
      return unreachable(presence);
  }
}

function describeLeft(id: string, kind: string, name: string): NewFinding {
  return {
    code: 'home-left',
    message: `${id} is deprovisioned, but the ${kind} ${name} is there still, with its mark`,
    repair: `look into it, then drop ${name} by hand`,
  };
}

/** Its lease is held now, and so nobody else is at it. */
function* describeOperation(tenant: Tenant): Generator<NewFinding> {
  const { id, status, lastError } = tenant;
  if (status === 'deprovisioned' || status === 'retained' || MIGRATABLE.includes(status)) return;
  const why = lastError === null ? '' : `, after: ${lastError.message}`;
  const message = status === 'pending' ? `${id} was registered, and never begun` : `${id} is ${status}, and nobody is at it${why}`;
  yield { code: 'operation-unfinished', message, repair: nextOfUnfinished(tenant) };
}

function describeLease(tenant: Tenant, { host, since }: Lease): NewFinding {
  return {
    code: 'lease-left',
    message: `${tenant.id}: its lease was left by a process on ${host} that has died, which had it since ${since.toISOString()}; it was taken over and given back`,
    repair: null,
  };
}

function isErrorStale({ tenant, run }: TenantScope, history: Parameters<typeof checkHistory>[1]): boolean {
  if (tenant.lastError === null || !MIGRATABLE.includes(tenant.status)) return false;
  const drift = run.migrator.forDriver(tenant.driver).findDrift(history);
  return drift !== null && drift.pending.length === 0 && history.progress === null;
}

function describeStaleError({ tenant }: TenantScope): NewFinding {
  return {
    code: 'error-stale',
    message: `${tenant.id} has every migration, and a failure is recorded of it still: ${tenant.lastError?.message ?? ''}`,
    repair: `tenancy tenant repair ${tenant.id}`,
    fix: async () => 'cleared',
  };
}
