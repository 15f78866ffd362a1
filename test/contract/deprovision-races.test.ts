import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { Hooks, TenancyConfig } from '../../src/config/types.js';
import { createTenancy } from '../../src/create-tenancy.js';
import { TenancyError } from '../../src/errors.js';
import type { RunEvent } from '../../src/events.js';
import type { Tenancy } from '../../src/tenancy.js';
import type { DriverName } from '../../src/tenant.js';
import { createTestDatabase, type TestDatabase } from '../rig/postgres.js';

/** What happens to a deprovision that is interfered with half way, by a person or by another process. */
describe('a deprovision', { timeout: 60_000 }, () => {
  let database: TestDatabase;
  let root: string;
  const opened: Tenancy[] = [];

  beforeEach(async () => {
    [database, root] = await Promise.all([createTestDatabase(), mkdtemp(path.join(tmpdir(), 'tenancy-'))]);
  });
  afterEach(async () => {
    await Promise.all(opened.splice(0).map((tenancy) => tenancy.close()));
    await Promise.all([database.drop(), rm(root, { recursive: true, maxRetries: 5 })]);
  });

  async function open(driver: DriverName, hooks: Hooks = {}, onEvent?: (event: RunEvent) => void): Promise<Tenancy> {
    const { url, name } = database;
    const prefix = driver === 'postgres-schema' ? 'tenant_' : `${name}_`;
    const placement: TenancyConfig['placement'] = ({ id }) => ({ cluster: 'main', driver, name: prefix + id });
    const tenancy = await createTenancy(
      { registry: { url }, clusters: { main: { url } }, placement, hooks },
      { root, ...(onEvent ? { onEvent } : {}) },
    );
    opened.push(tenancy);
    return tenancy;
  }

  const isSchemaThere = async (name: string): Promise<boolean> =>
    (await database.query('SELECT FROM pg_namespace WHERE nspname = $1', [name])).length === 1;

  const canAnybodyConnect = async (name: string): Promise<boolean> => {
    const grants = `SELECT FROM pg_database, aclexplode(coalesce(datacl, acldefault('d', datdba))) a
      WHERE datname = $1 AND a.grantee = 0 AND a.privilege_type = 'CONNECT'`;
    return (await database.query(grants, [name])).length === 1;
  };

  const expireLeases = (): Promise<unknown> =>
    database.query('UPDATE tenancy.tenants SET lease_expires_at = clock_timestamp() WHERE lease_owner IS NOT NULL');

  it('that is stopped by its timeout during the backup gives access back with the status', async () => {
    const tenancy = await open('postgres-database', {
      backup: ({ signal }) => new Promise((_, reject) => signal.addEventListener('abort', () => reject(signal.reason))),
    });
    await tenancy.provision('acme');
    const report = await tenancy.deprovision('acme', { confirm: 'acme', limits: { timeoutMs: 2_000 } });
    expect(report).toMatchObject({ exitCode: 1, failed: [{ error: { code: 'TENANCY_TIMEOUT_REACHED' } }] });
    expect({ status: (await tenancy.find('acme')).status, isOpen: await canAnybodyConnect(`${database.name}_acme`) }).toEqual({
      status: 'active',
      isOpen: true,
    });
  });

  it('that is aborted during the backup gives access back with the status', async () => {
    const abort = new AbortController();
    const tenancy = await open('postgres-database', {
      backup: ({ signal }) => {
        queueMicrotask(() => abort.abort(new TenancyError('TENANCY_RUN_ABORTED', {})));
        return new Promise((_, reject) => signal.addEventListener('abort', () => reject(signal.reason), { once: true }));
      },
    });
    await tenancy.provision('acme');
    await tenancy.deprovision('acme', { confirm: 'acme', signals: { abort: abort.signal } });
    expect({ status: (await tenancy.find('acme')).status, isOpen: await canAnybodyConnect(`${database.name}_acme`) }).toEqual({
      status: 'active',
      isOpen: true,
    });
  });

  it('that has begun to drop is neither backed up nor called off any more, and says so', async () => {
    const first = await open('postgres-schema', {
      drop: async ({ db }) => {
        await db.query('DROP TABLE accounts');
        throw new Error('the disk is on fire');
      },
    });
    await first.provision('acme');
    await database.query('CREATE TABLE tenant_acme.accounts ()');
    await first.deprovision('acme', { confirm: 'acme', skipBackup: true });
    const events: RunEvent[] = [];
    const backup = () => {
      throw new Error('there is no table accounts');
    };
    const second = await open('postgres-schema', { backup }, (event) => events.push(event));
    expect(await second.deprovision('acme', { confirm: 'acme' })).toMatchObject({ exitCode: 0 });
    expect(events).toContainEqual(expect.objectContaining({ type: 'run.warned', code: 'TENANCY_BACKUP_OMITTED', tenant: 'acme' }));
    expect(await second.find('acme')).toMatchObject({ status: 'deprovisioned' });
  });

  it('does not drop a tenant that was protected while it was being backed up', async () => {
    let answer: boolean | null = null;
    const other = await open('postgres-schema');
    const tenancy = await open('postgres-schema', {
      backup: async () => {
        answer = await other.setProtected('acme', true).catch(() => null);
      },
    });
    await tenancy.provision('acme');
    const report = await tenancy.deprovision('acme', { confirm: 'acme' });
    // Either the protection was refused, or it holds.
    expect({ answer, isThere: await isSchemaThere('tenant_acme') }).not.toEqual({ answer: true, isThere: false });
    expect({ answer, exitCode: report.exitCode }).toEqual({ answer: null, exitCode: 0 });
  });

  it('is called off where a protection has come before the drop', async () => {
    const other = await open('postgres-database');
    const protect = () => database.query('UPDATE tenancy.tenants SET is_protected = true') as Promise<never>;
    const tenancy = await open('postgres-database', { backup: protect });
    await tenancy.provision('acme');
    const report = await tenancy.deprovision('acme', { confirm: 'acme' });
    expect(report).toMatchObject({ exitCode: 4, failed: [{ error: { code: 'TENANCY_DEPROVISION_REFUSED' } }] });
    expect(await other.find('acme')).toMatchObject({ status: 'active', isProtected: true, operation: null });
    expect(await canAnybodyConnect(`${database.name}_acme`)).toBe(true);
  });

  it('is refused where the home was given another name by hand', async () => {
    const tenancy = await open('postgres-schema');
    await tenancy.provision(['acme', 'gone']);
    await database.query('ALTER SCHEMA tenant_acme RENAME TO old_acme; DROP SCHEMA tenant_gone');
    const report = await tenancy.deprovision('acme', { confirm: 'acme', skipBackup: true });
    expect(report).toMatchObject({
      exitCode: 4,
      failed: [{ error: { code: 'TENANCY_DEPROVISION_REFUSED', message: expect.stringContaining('old_acme') } }],
    });
    expect((await tenancy.find('acme')).status).toBe('active');
    expect(await tenancy.deprovision('gone', { confirm: 'gone', skipBackup: true })).toMatchObject({ exitCode: 0 });
  });

  it('is backed up by the next command where a beforeDrop ended it: the home is whole', async () => {
    const broken = await open('postgres-schema', {
      beforeDrop: () => {
        throw new Error('a bill is open');
      },
    });
    await broken.provision('acme');
    expect((await broken.deprovision('acme', { confirm: 'acme', skipBackup: true })).exitCode).toBe(1);
    const backedUp: string[] = [];
    const other = await open('postgres-schema', { backup: ({ tenant }) => void backedUp.push(tenant.id) });
    expect(await other.deprovision('acme', { confirm: 'acme' })).toMatchObject({ exitCode: 0 });
    expect(backedUp).toEqual(['acme']);
  });

  it('does not drop after another has taken over and called it off', async () => {
    let wake = (): void => undefined;
    let reach = (): void => undefined;
    const reached = new Promise<void>((resolve) => (reach = resolve));
    const sleeper = await open('postgres-schema', {
      beforeDrop: () => {
        reach();
        return new Promise<void>((resolve) => (wake = resolve));
      },
    });
    await sleeper.provision('acme');
    const sleeping = sleeper.deprovision('acme', { confirm: 'acme', skipBackup: true });
    await reached;
    await expireLeases();
    const other = await open('postgres-schema', {
      backup: () => {
        throw new Error('there is no room');
      },
    });
    await other.deprovision('acme', { confirm: 'acme' });
    wake();
    const report = await sleeping;
    expect(await isSchemaThere('tenant_acme')).toBe(true);
    expect((await other.find('acme')).status).toBe('active');
    expect(report.exitCode).toBe(5);
  });
});
