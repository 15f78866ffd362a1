import { beforeEach, describe, expect, it } from 'vitest';
import type { AccessChange, Presence, TenantDriver, TenantTarget } from '../../src/drivers/driver.js';
import type { DriverUnderTest, Home } from './driver-suite.js';

interface RetentionScene {
  readonly under: DriverUnderTest;
  /** Dropped after the test. */
  create(suffix: string): Promise<TenantTarget>;
  within<T>(home: TenantTarget, use: (home: Home) => Promise<T>): Promise<T>;
  target(suffix: string): TenantTarget;
  /** What was created isn't there any more. */
  forget(): void;
}

const never = new AbortController().signal;

/** The part of the conformance suite about homes that are kept and not to be reached. */
export function describeRetention(scene: () => RetentionScene): void {
  describe('retain', () => {
    let driver: TenantDriver;
    let under: DriverUnderTest;
    let create: RetentionScene['create'];
    let within: RetentionScene['within'];
    beforeEach(() => {
      ({ under, create, within } = scene());
      ({ driver } = under);
    });

    const retainedBy = (operation: string): Presence => ({ status: 'retained', by: operation });

    it('closes a home with all in it, once, and is taken back whole', async () => {
      const home = await create('kept');
      await within(home, (inside) => under.words.put(inside, 'a', 'x'));
      const first = await driver.retain(home, 'op-1', never);
      expect(await driver.probe(home)).toEqual(retainedBy('op-1'));
      expect(await driver.retain(home, 'op-1', never)).toMatchObject({ isEnforced: first.isEnforced });
      expect(await driver.planDrop(home)).toEqual([]);
      const listed = (await driver.list({ after: null, limit: 10_000 })).filter(
        ({ marker }) => marker?.operation === home.marker.operation,
      );
      expect(listed).toEqual([
        driver.capabilities.isSharedDatabase
          ? { name: expect.stringMatching(/^tenancy_retained_/), marker: home.marker, isSetAside: true }
          : { name: home.name, marker: home.marker },
      ]);
      for (const isOver of [false, true]) await driver.unretain(home, { operation: 'op-1', isOver }, never);
      expect(await driver.probe(home)).toEqual({ status: 'ours', isEmpty: false });
      expect(await within(home, (inside) => under.words.values(inside, 'a'))).toEqual(['x']);
    });

    it('lets nobody in where that is enforced, and ends who is there', async () => {
      const home = await create('shut');
      await within(home, (inside) => under.words.put(inside, 'a', 'x'));
      let change: AccessChange | null = null;
      const inside = within(home, async (session) => {
        await under.words.values(session, 'a');
        change = await driver.retain(home, 'op-1', never);
        return under.words.values(session, 'a');
      });
      const answer = await inside.catch(() => 'refused');
      const { isEnforced, detail } = change as unknown as AccessChange;
      expect(detail).not.toBe('');
      if (!isEnforced) return expect(answer).toEqual(['x']);
      expect(answer).toBe('refused');
      await expect(within(home, (later) => under.words.values(later, 'a'))).rejects.toThrow();
      await driver.unretain(home, { operation: 'op-1', isOver: true }, never);
      expect(await within(home, (later) => under.words.values(later, 'a'))).toEqual(['x']);
    });

    it('is dropped as it is, and leaves nothing', async () => {
      const home = await create('purged');
      await within(home, (inside) => under.words.put(inside, 'a', 'x'));
      await driver.retain(home, 'op-1', never);
      expect(await driver.drop(home, never)).toBe('dropped');
      expect(await driver.drop(home, never)).toBe('absent');
      expect(await driver.probe(home)).toEqual({ status: 'absent' });
    });

    it("leaves alone what isn't ours, or isn't there", async () => {
      const home = await create('not_ours');
      const stranger = { ...home, marker: { ...home.marker, operation: 'a-later-one' } };
      for (const other of [stranger, scene().target('nowhere')]) {
        await expect(driver.retain(other, 'op-1', never)).rejects.toMatchObject({ code: 'TENANCY_ACCESS_REFUSED' });
        await expect(driver.unretain(other, { operation: 'op-1', isOver: true }, never)).rejects.toMatchObject({
          code: 'TENANCY_ACCESS_REFUSED',
        });
      }
      expect(await driver.probe(home)).toEqual({ status: 'ours', isEmpty: true });
    });

    it('knows a late attempt of an operation that is over', async () => {
      const home = await create('late');
      await driver.retain(home, 'op-1', never);
      await driver.unretain(home, { operation: 'op-1', isOver: true }, never);
      await expect(driver.retain(home, 'op-1', never)).rejects.toMatchObject({ code: 'TENANCY_STATE_MOVED' });
      expect(await driver.probe(home)).toEqual({ status: 'ours', isEmpty: true });
      await driver.retain(home, 'op-2', never);
      await expect(driver.unretain(home, { operation: 'op-1', isOver: true }, never)).rejects.toMatchObject({
        code: 'TENANCY_STATE_MOVED',
      });
      await expect(driver.retain(home, 'op-1', never)).rejects.toMatchObject({ code: 'TENANCY_STATE_MOVED' });
      expect(await driver.probe(home)).toEqual(retainedBy('op-2'));
      // Opened for a moment only, it remembers the one before.
      await driver.unretain(home, { operation: 'op-2', isOver: false }, never);
      await expect(driver.retain(home, 'op-1', never)).rejects.toMatchObject({ code: 'TENANCY_STATE_MOVED' });
      await driver.retain(home, 'op-2', never);
      expect(await driver.probe(home)).toEqual(retainedBy('op-2'));
    });

    it('refuses to come back where somebody else has the name meanwhile', async () => {
      const home = await create('squatted');
      await driver.retain(home, 'op-1', never);
      // Only where it is kept under another name can there be anybody else.
      if (!driver.capabilities.isSharedDatabase) return;
      await under.createUnmarked(home.name);
      await expect(driver.unretain(home, { operation: 'op-1', isOver: true }, never)).rejects.toMatchObject({
        code: 'TENANCY_NAME_TAKEN',
      });
      expect(await driver.probe(home)).toEqual(retainedBy('op-1'));
      expect(await driver.drop(home, never)).toBe('dropped');
      expect(await driver.probe(home)).toEqual({ status: 'unmarked', isEmpty: true });
      // What has the name now is nothing that the driver would drop.
      scene().forget();
    });
  });
}
