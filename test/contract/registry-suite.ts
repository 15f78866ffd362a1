import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { OpenRegistryOptions, Registry } from '../../src/registry/registry.js';
import { describeAudit } from './registry-suite-audit.js';
import { describeBackups } from './registry-suite-backups.js';
import { describeRunControl } from './registry-suite-control.js';
import { describeLeases } from './registry-suite-leases.js';
import { describePreparedHomes } from './registry-suite-prepared.js';
import { describeRuns } from './registry-suite-runs.js';
import { describeShards } from './registry-suite-shards.js';
import { describeTenants } from './registry-suite-tenants.js';

/** A place where there is no registry yet, on a real server. */
export interface RegistrySubject {
  readonly url: string;
  open(options?: Partial<OpenRegistryOptions>): Promise<Registry>;
  /** Changes the trail behind the registry's back, as somebody with every right on it can. */
  readonly tamper: Tamper;
  /** Takes everything away again, and fails on a connection that was left open. */
  drop(): Promise<void>;
}

/** What can be done to a trail by hand. */
export interface Tamper {
  edit(tenant: string, place: number): Promise<void>;
  remove(tenant: string, place: number): Promise<void>;
  /** One that looks like the newest, without a place in the chain. */
  insert(tenant: string): Promise<void>;
  /** Removes the newest events, up to and with this one; with `hidesIt` the registry's head of the chain is set back too. */
  truncate(tenant: string, from: number, options: { readonly hidesIt: boolean }): Promise<void>;
  /** Exchanges what two events say. */
  swap(tenant: string, one: number, other: number): Promise<void>;
}

/** What a registry guarantees, whatever the store: a part of the contract in `src/registry/registry.ts`. */
export function describeRegistry(name: string, createSubject: () => Promise<RegistrySubject>): void {
  describe(name, () => {
    let subject: RegistrySubject;
    let registry: Registry;
    beforeAll(async () => {
      subject = await createSubject();
      registry = await subject.open({ create: true });
    });
    afterAll(async () => {
      await registry.close();
      await subject.drop();
    });

    describe('opening', () => {
      test('gives the same id each time, and a place without a password', async () => {
        const again = await subject.open();
        expect(again.id).toBe(registry.id);
        expect(again.id).toMatch(/^[0-9a-f-]{36}$/);
        const { password } = new URL(subject.url);
        if (password !== '') expect(again.where).not.toContain(password);
        await again.close();
        await again.close();
      });

      test('without create, where there is none, says where it looked', async () => {
        const empty = await createSubject();
        await expect(empty.open()).rejects.toMatchObject({ code: 'TENANCY_REGISTRY_NOT_FOUND', exitCode: 2 });
        await expect(empty.open()).rejects.toThrow(new URL(empty.url).host);
        await empty.drop();
      });

      test('by eight at once makes one', async () => {
        const empty = await createSubject();
        const opened = await Promise.all(Array.from({ length: 8 }, () => empty.open({ create: true })));
        expect(new Set(opened.map(({ id }) => id)).size).toBe(1);
        await Promise.all(opened.map((each) => each.close()));
        await empty.drop();
      });
    });

    describe('clusters', () => {
      test('are remembered, and another server behind the same name is told until it is accepted', async () => {
        expect(await registry.checkCluster('main', 'server-1', { accept: false })).toEqual({ status: 'new' });
        expect(await registry.checkCluster('main', 'server-1', { accept: false })).toEqual({ status: 'same' });
        expect(await registry.checkCluster('main', 'server-2', { accept: false })).toEqual({ status: 'different', known: 'server-1' });
        expect(await registry.checkCluster('main', 'server-2', { accept: true })).toEqual({ status: 'accepted' });
        expect(await registry.checkCluster('main', 'server-2', { accept: true })).toEqual({ status: 'same' });
      });

      test('are new to one of twenty who ask at once', async () => {
        const clients = await Promise.all(Array.from({ length: 5 }, () => subject.open()));
        const answers = await Promise.all(
          Array.from({ length: 20 }, (_, index) => clients[index % 5]?.checkCluster('raced', 'server-1', { accept: index % 2 === 0 })),
        );
        expect(answers.filter((answer) => answer?.status === 'new')).toHaveLength(1);
        expect(answers.filter((answer) => answer?.status === 'same')).toHaveLength(19);
        await Promise.all(clients.map((client) => client.close()));
      });
    });

    describeTenants(() => ({ registry, subject }));
    describeShards(() => ({ registry, subject }));
    describeLeases(() => ({ registry, subject }));
    describeRuns(() => ({ registry, subject }));
    describeRunControl(() => ({ registry, subject }));
    describePreparedHomes(() => ({ registry, subject }));
    describeBackups(() => ({ registry, subject }));
    // Last: all that the others did has to verify.
    describeAudit(() => ({ registry, subject }));
  });
}
