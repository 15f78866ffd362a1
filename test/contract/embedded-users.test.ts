import { spawnSync } from 'node:child_process';
import { chmod, chown, mkdir, mkdtemp, readdir, readFile, rm, stat, symlink } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import process from 'node:process';
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import {
  type ActorOptions,
  buildActor,
  endActors,
  installWithoutScripts,
  isRoot,
  makeEnterableDirectory,
  provideNode,
  root,
  startActor,
} from './embedded-actor.js';

const nobody = { uid: 65534, gid: 65534 };

afterEach(endActors);

async function readRecord(directory: string): Promise<Record<string, unknown>> {
  return JSON.parse(await readFile(path.join(directory, 'server/record.json'), 'utf8')) as Record<string, unknown>;
}

describe('an ordinary user', () => {
  let project: string;
  let installed: string;
  let user: ActorOptions;

  beforeAll(async () => {
    const account = isRoot ? nobody : undefined;
    project = account === undefined ? await mkdtemp(path.join(os.tmpdir(), 'embedded-')) : await makeEnterableDirectory(account);
    installed = await installWithoutScripts(project, account);
    const node = account === undefined ? process.execPath : await provideNode(project, account);
    user = { program: await buildActor(project), node, env: { HOME: project }, ...(account && { account }) };
    await chmod(user.program, 0o644);
  });

  afterAll(async () => {
    await rm(project, { recursive: true, force: true });
  });

  test('runs it as themselves, from a package whose install scripts did not run', async () => {
    const library = path.join(installed, 'native/lib');
    const links = async (): Promise<number> =>
      (await readdir(library, { withFileTypes: true })).filter((entry) => entry.isSymbolicLink()).length;
    expect(await links()).toBe(0);
    const directory = path.join(project, '.tenancy/postgres');
    const actor = startActor(user);
    const { result, message } = await actor.ask('acquire', { directory, resolveFrom: project });
    expect(message).toBeUndefined();
    expect(result).toMatchObject({ wasStarted: true, directory: path.join(directory, 'server/data') });
    expect((await actor.ask('query', { text: 'SELECT 1 AS one' })).result).toEqual({ one: 1 });
    await actor.ask('release');
    expect((await readRecord(directory))['way']).toBe('direct');
    expect(await links()).toBeGreaterThan(0);
  });

  test('is told when they may not write to the folder', async () => {
    const closed = path.join(project, 'closed');
    await mkdir(closed, { mode: 0o555 });
    if (isRoot) await chown(closed, nobody.uid, nobody.gid);
    const answer = await startActor(user).ask('acquire', { directory: path.join(closed, 'postgres'), resolveFrom: project });
    expect(answer).toMatchObject({ code: 'TENANCY_EMBEDDED_FOLDER_DENIED', exitCode: 2 });
    expect(answer.message).toContain('this user may not read or write it');
  });

  test.runIf(isRoot)('may share what root runs in their folder, and owns it still', async () => {
    const directory = path.join(project, 'ours');
    const first = startActor(user);
    await first.ask('acquire', { directory, resolveFrom: project });
    await first.ask('release');
    const superuser = startActor({ program: user.program });
    expect((await superuser.ask('acquire', { directory, resolveFrom: project })).result).toMatchObject({ wasStarted: true });
    const again = startActor(user);
    expect((await again.ask('acquire', { directory, resolveFrom: project })).result).toMatchObject({ wasStarted: false });
    await superuser.ask('release');
    await again.ask('release');
    expect((await again.ask('status', { directory })).result).toMatchObject({ status: 'stopped' });
    expect((await stat(path.join(directory, 'server/data/postgresql.conf'))).uid).toBe(nobody.uid);
  });
});

describe.runIf(isRoot && process.platform === 'linux')('root, where only root may enter', () => {
  let scratch: string;
  let program: string;
  let openDirectory: string;

  beforeAll(async () => {
    scratch = await mkdtemp(path.join(os.tmpdir(), 'embedded-'));
    openDirectory = await makeEnterableDirectory(nobody);
    program = await buildActor(scratch);
  });

  afterAll(async () => {
    await rm(scratch, { recursive: true, force: true });
    await rm(openDirectory, { recursive: true, force: true });
  });

  /** A PATH on which only these programs are. */
  async function makePath(name: string, programs: readonly string[]): Promise<string> {
    const directory = path.join(scratch, `bin-${name}`);
    await mkdir(directory);
    for (const file of programs) {
      const found = spawnSync('sh', ['-c', `command -v ${file}`], { encoding: 'utf8' }).stdout.trim();
      if (found !== '') await symlink(found, path.join(directory, file));
    }
    return directory;
  }

  test.for([
    { way: 'setpriv', programs: ['setpriv', 'unshare', 'chmod'] },
    { way: 'unshare', programs: ['unshare', 'chmod'] },
    { way: 'copy', programs: ['chmod'] },
  ])('has it run by nobody by way of $way', async ({ way, programs }) => {
    const directory = path.join(scratch, `by ${way}/postgres`);
    const options = { directory, resolveFrom: root, openDirectory };
    const actor = startActor({ program, env: { PATH: await makePath(way, programs) } });
    const { result, message } = await actor.ask('acquire', options);
    expect(message).toBeUndefined();
    // What a container or a kernel setting forbids is passed over; setpriv and copy work everywhere.
    const record = await readRecord(directory);
    if (way !== 'unshare') expect(record['way']).toBe(way);
    const data = String(result?.['directory']);
    expect(data.startsWith(record['way'] === 'copy' ? openDirectory : directory)).toBe(true);
    expect(result?.['notices']).toEqual([`the data of embedded:${directory} is in ${data}`]);
    const { result: status } = await actor.ask('status', { directory });
    const identity = await readFile(`/proc/${String(status?.['pid'])}/status`, 'utf8');
    if (record['way'] !== 'unshare') expect(identity).toMatch(/^Uid:\s+65534\s+65534/m);
    await actor.ask('release');
    // The way is kept, whatever is on the PATH next time.
    const next = startActor({ program });
    expect((await next.ask('acquire', options)).result).toMatchObject({ wasStarted: true, directory: data, notices: [] });
    await next.ask('release');
    expect((await readRecord(directory))['way']).toBe(record['way']);
  });
});
