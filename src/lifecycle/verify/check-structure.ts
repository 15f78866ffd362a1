import type { HomeInspection } from '../../drivers/driver.js';
import type { TenantScope } from '../run-context.js';
import { touch } from '../touches.js';
import { compareStructure } from './compare-structure.js';
import type { NewFinding } from './finding-book.js';
import type { Reference } from './reference-homes.js';

/** Differences of one tenant that are told one by one. */
const MOST = 20;

/** What is in a tenant, beside what its migrations make of an empty home. */
export function checkStructure(scope: TenantScope, home: HomeInspection, reference: Reference | null): readonly NewFinding[] {
  return [...checkIndexes(scope, home), ...(reference === null ? [] : checkAgainst(scope, home, reference))];
}

function checkAgainst(scope: TenantScope, home: HomeInspection, reference: Reference): readonly NewFinding[] {
  const { tenant } = scope;
  if (reference.status === 'none') {
    const { reason, next } = reference;
    return [{ code: 'structure-unchecked', message: `${tenant.id}: its structure is not checked: ${reason}`, repair: next }];
  }
  const differences = compareStructure(home, reference.structure, { isOpen: mayBeAddedTo(scope) });
  const repair = `write what is meant into a migration, for all tenants; undo by hand in ${tenant.name} what isn't`;
  const findings = differences
    .slice(0, MOST)
    .map((difference): NewFinding => ({ code: 'structure-differs', message: `${tenant.id}: ${difference}`, repair }));
  const more = differences.length - MOST;
  if (more > 0) findings.push({ code: 'structure-differs', message: `${tenant.id}: and ${more} more differences`, repair });
  return findings;
}

/** These hooks may make something in a tenant that its migrations know nothing of. */
export function mayBeAddedTo({ run: { config }, tenant }: TenantScope): boolean {
  const { hooks } = config;
  const isOwnCreate = hooks.create !== undefined && hooks.create.isOwnOf !== tenant.driver;
  return (
    isOwnCreate ||
    hooks.afterCreate !== undefined ||
    hooks.beforeMigrate !== undefined ||
    hooks.afterMigrate !== undefined ||
    hooks.afterSeed !== undefined
  );
}

function checkIndexes(scope: TenantScope, { invalidIndexes }: HomeInspection): readonly NewFinding[] {
  const { tenant, driver, target, signal, run } = scope;
  return invalidIndexes.slice(0, MOST).map(({ name, table, canMend }) => ({
    code: 'index-invalid',
    message: `${tenant.id}: the index ${name} of table ${table} is invalid, as a build leaves it that was broken off, and is not used`,
    repair: `REINDEX INDEX CONCURRENTLY ${name}`,
    ...(canMend && driver.mend
      ? {
          fix: async () => {
            await run.leases.makeSure(tenant.id);
            const detail =
              (await driver.mend?.(target, { type: 'index', name }, { lockTimeoutMs: run.limits.lockTimeoutMs, signal })) ?? '';
            touch(scope, { what: 'repair', detail: `${name}: ${detail}` });
            return detail;
          },
        }
      : {}),
  }));
}
