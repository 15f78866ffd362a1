import type { HomeInspection, HomeRight } from '../../drivers/driver.js';
import { loginNames } from '../../drivers/login-names.js';
import type { TenantScope } from '../run-context.js';
import { touch } from '../touches.js';
import { mayBeAddedTo } from './check-structure.js';
import { rightKey } from './compare-structure.js';
import type { NewFinding } from './finding-book.js';
import type { Reference } from './reference-homes.js';

const MOST = 20;

/** A login or a group of some tenant's, as `loginNames` names them; behind it the host or the database that it is defined in. */
const TENANTS_LOGIN = /^(t_[0-9a-f]{24})(?:_[ab])?(?:@.*)?$/;

/**
 * Rights on the home that a fresh one doesn't have. Without one to compare with, what everybody may is told, and left.
 * Those of a single role may have been given to it on purpose, by a hook or by hand: a note.
 */
export function checkRights(scope: TenantScope, home: HomeInspection, reference: Reference | null): readonly NewFinding[] {
  const { tenant, target } = scope;
  const own = loginNames(target.marker).group;
  const expected = reference?.status === 'made' ? reference.structure.rights : null;
  const findings: NewFinding[] = [];
  for (const right of home.rights) {
    const [, group] = TENANTS_LOGIN.exec(right.grantee ?? '') ?? [];
    if (group === own) continue;
    if (group !== undefined) {
      findings.push({
        code: 'rights-stranger',
        message: `${tenant.id}: ${right.grantee}, a login of another tenant's, has ${right.right}`,
        repair: right.revoke,
        ...mendRight(scope, right),
      });
    } else if (!isExpected(scope, right, expected)) findings.push(...describeRight(scope, right, expected !== null));
  }
  return findings.slice(0, MOST);
}

function isExpected({ tenant, driver }: TenantScope, right: HomeRight, expected: ReadonlySet<string> | null): boolean {
  const { engine, isSharedDatabase } = driver.capabilities;
  const isOpenDatabase = engine === 'postgres' && !isSharedDatabase;
  // Whose access was cut, or who has a login of its own, is not open to everybody, as every new database of PostgreSQL's is.
  const isClosed = tenant.status === 'suspended' || tenant.login !== null;
  if (isOpenDatabase && isClosed && right.grantee === null && right.right === 'CONNECT on the database') return false;
  if (expected !== null) return expected.has(rightKey(right));
  return right.grantee === null && isOpenDatabase;
}

function describeRight(scope: TenantScope, right: HomeRight, isCompared: boolean): readonly NewFinding[] {
  const { tenant } = scope;
  const { grantee, covers, revoke } = right;
  if (covers !== undefined)
    return [
      { code: 'rights-pattern', message: `${tenant.id}: ${grantee} has ${right.right}, which also covers ${covers}`, repair: revoke },
    ];
  if (grantee === null) {
    return [
      {
        code: 'rights-public',
        message: `${tenant.id}: everybody has ${right.right} (PUBLIC)`,
        repair: revoke,
        ...(isCompared ? mendRight(scope, right) : {}),
      },
    ];
  }
  if (!isCompared || mayBeAddedTo(scope)) return [];
  return [
    {
      code: 'rights-granted',
      message: `${tenant.id}: ${grantee} has ${right.right}, which no migration gives`,
      repair: `if it is not meant: ${revoke}`,
    },
  ];
}

function mendRight(scope: TenantScope, right: HomeRight): Pick<NewFinding, 'fix'> {
  const { driver, target, signal, run, tenant } = scope;
  const { mend } = driver;
  if (!mend) return {};
  return {
    fix: async () => {
      await run.leases.makeSure(tenant.id);
      const detail = await mend(target, { type: 'right', right }, { lockTimeoutMs: run.limits.lockTimeoutMs, signal });
      touch(scope, { what: 'revoke', detail });
      return detail;
    },
  };
}

/** The tenant's own logins: there, fit to be used, and shut out while it is suspended. */
export async function checkLogins(scope: TenantScope, home: HomeInspection): Promise<readonly NewFinding[]> {
  const { tenant, driver, target, signal, run } = scope;
  const { logins } = driver;
  if (tenant.login === null || tenant.login.current === null || !logins) return [];
  const { current } = tenant.login;
  const found = await logins.list(target);
  const login = found.find(({ name }) => name === current);
  if (login === undefined) {
    return [
      {
        code: 'login-missing',
        message: `${tenant.id}: its login ${current} is not on cluster ${tenant.cluster}`,
        repair: `${tenant.status === 'suspended' ? `\`tenancy tenant resume ${tenant.id}\` first, then ` : ''}\`tenancy tenant rotate ${tenant.id}\` makes the other one, with a new password`,
      },
    ];
  }
  const findings: NewFinding[] = [];
  const isSuspended = tenant.status === 'suspended';
  if (isSuspended && found.some(({ isLocked }) => !isLocked)) {
    findings.push({
      code: 'login-open',
      message: `${tenant.id} is suspended, and its login can log in all the same`,
      repair: `\`tenancy tenant verify ${tenant.id} --fix\` locks it`,
      fix: async () => {
        await run.leases.makeSure(tenant.id);
        const locked = await logins.lock(target, null, signal);
        touch(scope, { what: 'revoke', detail: `locked ${locked.join(', ')}` });
        return `locked: ${locked.join(', ')}`;
      },
    });
  } else if (!isSuspended && login.isLocked) {
    findings.push({
      code: 'login-missing',
      message: `${tenant.id} is ${tenant.status}, and its login ${current} can't log in`,
      repair: `\`tenancy tenant verify ${tenant.id} --fix\` lets it in again`,
      fix: async () => {
        await run.leases.makeSure(tenant.id);
        await logins.unlock(target, [current], signal);
        touch(scope, { what: 'grant', detail: `unlocked ${current}` });
        return `${current} can log in again`;
      },
    });
  }
  // What was taken from one that is suspended is given back when it is resumed.
  if (home.lacking.length > 0 && !isSuspended) {
    findings.push({
      code: 'login-rights',
      message: `${tenant.id}: its login lacks ${home.lacking.join(', ')}`,
      repair: `\`tenancy tenant verify ${tenant.id} --fix\` gives its rights once more`,
      fix: async () => {
        await run.leases.makeSure(tenant.id);
        await logins.grant(target, signal);
        touch(scope, { what: 'grant', detail: 'the rights of its login' });
        return 'its rights were given once more';
      },
    });
  }
  return findings;
}
