import { Socket } from 'node:net';
import { afterEach, describe, expect, test, vi } from 'vitest';
import { openRegistry } from '../../src/registry/index.js';
import { blindly, mongoMigration, useMongoHomes } from './mongodb-rig.js';
import { createMongodbSubject } from './registry-mongodb-rig.js';
import { register } from './registry-rig.js';

type Moment = 'before it is sent' | 'once it is sent';

/** Resets the connection of each of the next commits, while the client library waits for the socket to take what it has written. */
function resetCommits(moment: Moment, times: number): { readonly left: number } {
  const state = { left: times };
  const write = Socket.prototype.write as (this: Socket, ...args: unknown[]) => boolean;
  vi.spyOn(Socket.prototype, 'write').mockImplementation(function (this: Socket, ...args: unknown[]): boolean {
    const [chunk] = args;
    const isCommit = chunk instanceof Uint8Array && Buffer.from(chunk).includes('commitTransaction');
    if (!isCommit || state.left === 0) return write.apply(this, args);
    state.left -= 1;
    const reset = (): void => void this.destroy(Object.assign(new Error('write ECONNRESET'), { code: 'ECONNRESET', syscall: 'write' }));
    if (moment === 'before it is sent') setImmediate(reset);
    else write.call(this, chunk, reset);
    return false;
  });
  return state;
}

afterEach(() => void vi.restoreAllMocks());

describe.each<Moment>(['before it is sent', 'once it is sent'])('a commit whose connection is reset %s', (moment) => {
  const homes = useMongoHomes();

  test('comes through in the registry, once', async () => {
    const subject = await createMongodbSubject();
    const registry = await openRegistry({ url: subject.url, create: true, applicationName: subject.applicationName, maxConnections: 2 });
    try {
      const resets = resetCommits(moment, 2);
      await register(registry, 'acme');
      expect(resets.left).toBe(0);
      const rows = await registry.listTenants({}, { after: null, limit: 10 });
      expect(rows.map(({ id }) => id)).toEqual(['acme']);
    } finally {
      await registry.close();
      await subject.drop();
    }
  });

  test('comes through with a migration and its history, once', async () => {
    const target = await homes.create();
    const module = mongoMigration('a', {
      transaction: true,
      up: async (db, { session }) => void (await db.collection('counts').insertOne({ name: 'a' }, { session })),
    });
    const resets = resetCommits(moment, 2);
    await homes.within(target, (session) => session.applyMigrations([module], blindly()));
    expect(resets.left).toBe(0);
    expect(await homes.applied(target)).toEqual(['a']);
    expect(await homes.counts(target)).toEqual(['a']);
  });
});
