import { existsSync } from 'node:fs';
import { mkdtemp, open, rm } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { BackupDriver, BackupTools, TenantDriver, TenantTarget } from '../../src/drivers/driver.js';
import { isTenancyError, type TenancyError } from '../../src/errors.js';
import { skipWithout } from '../rig/require.js';
import type { Home, HomeWords } from './driver-suite.js';

interface BackupScene {
  readonly driver: TenantDriver;
  readonly words: HomeWords;
  /** Dropped after the test. */
  create(suffix: string): Promise<TenantTarget>;
  within<T>(home: TenantTarget, use: (home: Home) => Promise<T>): Promise<T>;
}

/** MongoDB's tools may be missing: the client library writes their format too. */
const TOOLS = { 'pg_dump-custom': 'postgresql-client', 'mysqldump-sql': 'mariadb-client', 'mongodump-folder': 'mongodb' } as const;

const never = new AbortController().signal;

/** The part of the conformance suite about backups. Where there is no tool for the server, that is said, and the rest is not run. */
export function describeBackups(scene: () => BackupScene): void {
  describe('backups', () => {
    let folder: string;
    let backups: BackupDriver;
    let tools: BackupTools | null;
    /** What there is instead of them. */
    let refusal: TenancyError;

    beforeEach(async () => {
      folder = await mkdtemp(path.join(os.tmpdir(), 'backups-'));
      const { driver } = scene();
      if (driver.backups === undefined) throw new Error(`${driver.name} makes no backups`);
      ({ backups } = driver);
      tools = await backups.check({ purpose: 'dump', paths: {}, signal: never }).catch((error: unknown) => {
        const isSaid = isTenancyError(error, 'TENANCY_BACKUP_TOOL_MISSING') || isTenancyError(error, 'TENANCY_BACKUP_TOOL_REFUSED');
        if (!isSaid || error.hint === undefined) throw error;
        refusal = error;
        return null;
      });
    });
    afterEach(() => rm(folder, { recursive: true, force: true }));

    const skipWithoutTools = (skip: (note: string) => never): void => {
      if (tools !== null) return;
      // Older than this server: another suite has a server of its version.
      if (refusal.code === 'TENANCY_BACKUP_TOOL_REFUSED') skip(refusal.message);
      skipWithout(TOOLS[backups.format], skip);
    };
    const workOf = (signal: AbortSignal = never) => {
      if (tools === null) throw new Error('there are no tools');
      return { tools, scratch: folder, lockTimeoutMs: 5_000, signal, log: () => undefined };
    };
    async function dump(home: TenantTarget, signal?: AbortSignal): Promise<string> {
      const file = path.join(folder, 'dump');
      if (!backups.isFolder) await (await open(file, 'wx', 0o600)).close();
      await backups.dump(home, file, workOf(signal));
      return file;
    }

    it('bring a home back under its own name and under another, with a marker and a fence of that one, and leave the first as it was', async ({
      skip,
    }) => {
      skipWithoutTools(skip);
      const { driver, words, create, within } = scene();
      const home = await create('backed_up');
      await within(home, (entered) => words.put(entered, 'things', 'kept'));
      const file = await dump(home);
      const copy = await create('copied');
      const source = { path: file, name: home.name };
      await backups.restore(copy, source, { ...workOf(), fence: 1 });
      for (const each of [home, copy]) expect(await within(each, (entered) => words.values(entered, 'things'))).toEqual(['kept']);
      expect(await driver.probe(copy)).toEqual({ status: 'ours', isEmpty: false });
      expect(await driver.probe(home)).toEqual({ status: 'ours', isEmpty: false });
      expect((await driver.withSession(copy, sessionOf(1), (session) => session.readHistory())).fence).toBeLessThanOrEqual(1);
      await driver.drop(home, never);
      await driver.create(home, never);
      await backups.restore(home, source, { ...workOf(), fence: 1 });
      expect(await within(home, (entered) => words.values(entered, 'things'))).toEqual(['kept']);
    });

    it('are ended by an abort, and what they left is swept away, more than once', async ({ skip }) => {
      skipWithoutTools(skip);
      const { driver, words, create, within } = scene();
      const home = await create('aborted');
      await within(home, (entered) => words.put(entered, 'things', 'kept'));
      const aborted = AbortSignal.abort(new Error('stop'));
      await expect(dump(home, aborted)).rejects.toThrow('stop');
      await backups.sweep(home, never);
      await backups.sweep(home, never);
      expect(await backups.stop(home, never)).toBe(false);
      expect(await driver.probe(home)).toEqual({ status: 'ours', isEmpty: false });
    });

    it('are not begun without the tool that is named', async () => {
      const name = { 'pg_dump-custom': 'pg_dump', 'mysqldump-sql': 'mariadb-dump', 'mongodump-folder': 'mongodump' }[backups.format];
      const paths = { [name]: path.join(folder, 'nowhere') };
      expect(existsSync(paths[name] ?? '')).toBe(false);
      await expect(backups.check({ purpose: 'dump', paths, signal: never })).rejects.toMatchObject({ code: 'TENANCY_BACKUP_TOOL_MISSING' });
    });
  });
}

function sessionOf(fence: number) {
  return { fence, runId: 'run-1', lockTimeoutMs: 5_000, statementTimeoutMs: null, signal: new AbortController().signal };
}
