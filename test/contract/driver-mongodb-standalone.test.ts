import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { ClusterEngine, TenantDriver, TenantTarget } from '../../src/drivers/driver.js';
import { openClusterEngine } from '../../src/drivers/index.js';
import { type StandIn, startStandIn } from '../rig/mongodb/server.js';
import { markerOf, sessionOptions } from './driver-suite.js';
import { blindly, countedInMongo, never } from './mongodb-rig.js';

/** A server that belongs to no replica set, and asks for no login, as `mongod` starts by default: no transactions, no writes that may be repeated. */
describe('a standalone MongoDB', () => {
  let server: StandIn;
  let engine: ClusterEngine;
  let driver: TenantDriver;
  const target: TenantTarget = { name: 'tenant_acme', marker: markerOf('acme') };

  beforeAll(async () => {
    server = await startStandIn({ member: 'standalone' });
    engine = await open();
    driver = engine.driver('mongodb-database');
  });
  afterAll(async () => {
    await engine.close();
    await server.stop();
  });

  const open = (): Promise<ClusterEngine> =>
    openClusterEngine({ cluster: 'main', url: server.url, maxConnections: 2, extensionsSchema: 'x', applicationName: 'standalone' });

  it('keeps tenants, from their creation to their drop', async () => {
    expect(await driver.create(target, never)).toBe('created');
    const steps = [countedInMongo('a'), countedInMongo('b')];
    await driver.withSession(target, sessionOptions(), (session) => session.applyMigrations(steps, blindly()));
    await driver.withSession(target, sessionOptions(), (session) => session.revertMigrations(steps.slice(1), blindly()));
    const { applied } = await driver.withSession(target, sessionOptions(), (session) => session.readHistory());
    expect(applied.map(({ name }) => name)).toEqual(['a']);
    expect(await driver.cutAccess(target, never)).toMatchObject({ isEnforced: false });
    expect(await driver.drop(target, never)).toBe('dropped');
    expect(await driver.probe(target)).toEqual({ status: 'absent' });
  });

  it('says of a migration that asks for a transaction that there is none', async () => {
    await driver.create(target, never);
    const module = countedInMongo('a', { transaction: true });
    await expect(
      driver.withSession(target, sessionOptions(), (session) => session.applyMigrations([module], blindly())),
    ).rejects.toMatchObject({ code: 'TENANCY_MIGRATION_FAILED', message: expect.stringMatching(/a standalone server has none/) });
    await driver.drop(target, never);
  });

  it('is told from others by what its data folder is, without writing to it', async () => {
    const identity = await engine.readIdentity();
    expect(identity).toMatch(/^server [0-9a-f-]{36}$/);
    const again = await open();
    expect(await again.readIdentity()).toBe(identity);
    await again.close();
    expect((await engine.readFacts()).privileges.every(({ isGranted }) => isGranted)).toBe(true);
    expect(await driver.list({ after: null, limit: 10 })).toEqual([]);
  });
});
