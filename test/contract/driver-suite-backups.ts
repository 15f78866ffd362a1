import { existsSync } from 'node:fs';
import { mkdtemp, open, rm } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { BackupDriver, BackupTools, TenantDriver, TenantTarget } from '../../src/drivers/driver.js';
import { isTenancyError } from '../../src/errors.js';
import type { Home, HomeWords } from './driver-suite.js';

interface BackupScene {
  readonly driver: TenantDriver;
  readonly words: HomeWords;
  /** Dropped after the test. */
  create(suffix: string): Promise<TenantTarget>;
  within<T>(home: TenantTarget, use: (home: Home) => Promise<T>): Promise<T>;
}

const never = new AbortController().signal;

/** The part of the conformance suite about backups. Where there is no tool for the server, that is said, and nothing else is promised. */
export function describeBackups(scene: () => BackupScene): void {
  describe('backups', () => {
    let folder: string;
    let backups: BackupDriver;
    let tools: BackupTools | null;

    beforeEach(async () => {
      folder = await mkdtemp(path.join(os.tmpdir(), 'backups-'));
      const { driver } = scene();
      if (driver.backups === undefined) throw new Error(`${driver.name} makes no backups`);
      ({ backups } = driver);
      tools = await backups.check({ purpose: 'dump', paths: {}, signal: never }).catch((error: unknown) => {
        const isSaid = isTenancyError(error, 'TENANCY_BACKUP_TOOL_MISSING') || isTenancyError(error, 'TENANCY_BACKUP_TOOL_REFUSED');
        if (!isSaid || error.hint === undefined) throw error;
        return null;
      });
    });
    afterEach(() => rm(folder, { recursive: true, force: true }));

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

    it('bring a home back under its own name and under another, with a marker and a fence of that one, and leave the first as it was', async () => {
      if (tools === null) return;
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

    it('are ended by an abort, and what they left is swept away, more than once', async () => {
      if (tools === null) return;
      const { driver, words, create, within } = scene();
      const home = await create('aborted');
      await within(home, (entered) => words.put(entered, 'things', 'kept'));
      const aborted = AbortSignal.abort(new Error('stop'));
      await expect(dump(home, aborted)).rejects.toThrow('stop');
      await backups.sweep(home, never);
      await backups.sweep(home, never);
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
