import path from 'node:path';
import { createTenancy } from '../../src/create-tenancy.js';
import type { Tenancy } from '../../src/tenancy.js';
import type { DriverName } from '../../src/tenant.js';
import { checkInvariants } from '../rig/check-invariants.js';
import { createProject, type TestProject } from '../rig/project.js';
import type { Attack } from './isolation-attacks.js';

/** Names that a pattern, a comparison without case or a prefix would take for one another. */
const IDS = ['a_b', 'aXb', 'a_bc', 'test_x'] as const;

export interface Fleet {
  readonly tenancy: Tenancy;
  readonly urls: ReadonlyMap<string, string>;
  nameOf(id: string): string;
  loginOf(id: string): Promise<string>;
  /** Removes the tenants; fails where anything isn't as it should be, before or after. */
  close(): Promise<void>;
}

export async function openFleet(url: string, registryUrl: string, driver: DriverName, prefix: string, migration: string): Promise<Fleet> {
  const extension = driver === 'mongodb-database' ? 'mjs' : 'sql';
  const project: TestProject = await createProject({ migrations: { [`0001_things.${extension}`]: migration } });
  const nameOf = (id: string): string => `${prefix}${id.toLowerCase()}`;
  const tenancy = await createTenancy(
    {
      registry: { url: registryUrl },
      clusters: { main: { url, concurrency: 4 } },
      placement: ({ id }) => ({ cluster: 'main', driver, name: nameOf(id) }),
      migrations: { directory: path.join(project.directory, 'migrations') },
      isolation: 'role',
      secrets: { directory: './secrets' },
    },
    { root: project.directory },
  );
  const report = await tenancy.provision(IDS);
  if (report.exitCode !== 0) throw new Error(JSON.stringify(report.failed));
  const urls = new Map<string, string>();
  for (const id of IDS) urls.set(id, await tenancy.connectionUrl(id));
  return {
    tenancy,
    urls,
    nameOf,
    loginOf: async (id) => (await tenancy.find(id)).login?.current ?? '',
    close: async () => {
      try {
        for (const id of IDS) await tenancy.deprovision(id, { confirm: id, skipBackup: true });
      } finally {
        await tenancy.close();
      }
      await checkInvariants({ adminUrl: url, registryUrl, homePrefix: prefix });
      await project.remove();
    },
  };
}

/** Of whom nothing may be reached, and by whom. */
export const PAIRS = IDS.flatMap((attacker) => IDS.filter((victim) => victim !== attacker).map((victim) => [attacker, victim] as const));

export async function attackOf(
  fleet: Fleet,
  [attacker, victim]: readonly [string, string],
  session: number,
  admin: string,
): Promise<Attack> {
  const otherLogin = await fleet.loginOf(victim);
  return {
    own: fleet.nameOf(attacker),
    other: fleet.nameOf(victim),
    ownLogin: await fleet.loginOf(attacker),
    otherLogin,
    otherGroup: otherLogin.slice(0, -2),
    session,
    admin,
  };
}

/** What each of the attacks came to, of those that weren't refused for want of the right: PostgreSQL's 42501, MySQL's `denied`, MongoDB's 13. */
export async function findUnrefused(attacks: Readonly<Record<string, () => Promise<unknown>>>): Promise<string[]> {
  const found: string[] = [];
  for (const [what, attempt] of Object.entries(attacks)) {
    const failed = await attempt().then(
      () => null,
      (error: { readonly code?: string | number; readonly message: string }) => error,
    );
    if (failed === null) found.push(`${what}: succeeded`);
    else if (!isRefusal(failed)) found.push(`${what}: ${failed.code} ${failed.message}`);
  }
  return found;
}

function isRefusal({ code, message }: { readonly code?: string | number; readonly message: string }): boolean {
  return code === '42501' || code === 13 || /denied|not owner of thread|cross-database references are not implemented/.test(message);
}

export function send(statements: readonly string[], query: (sql: string) => Promise<unknown>): Record<string, () => Promise<unknown>> {
  return Object.fromEntries(statements.map((sql) => [sql, () => query(sql)]));
}
