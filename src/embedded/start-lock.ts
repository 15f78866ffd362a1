import { open, readdir, rm, stat } from 'node:fs/promises';
import path from 'node:path';
import { folderDenied } from './layout.js';
import { currentProcess, isProcessAlive, now, type ProcessIdentity, pause, randomToken } from './machine.js';

/**
 * The lock of the one command that may make the database or start the server.
 *
 * A lock file of one fixed name has a race that can't be mended: of two commands that find it stale, the slower one
 * removes what is by then the faster one's new lock. Here each attempt makes a file of its own, whose name says who made
 * it, then lists the others, and holds the lock if no living process has one; else it takes its own back.
 *
 * At most one holds it. Suppose A and B both do, and A's file came first. B listed after it had made its own, so after
 * A's was there; A's was not taken back, since A holds; A is alive; so B saw it and did not take the lock.
 *
 * Nothing blocks. The file of a dead process is passed over, and as no name is ever used twice, anyone may sweep it
 * away with no race. Of several that see each other, all step back but the one whose name sorts first: it lets its file
 * stand and lists again for a moment, so they do not thwart each other for ever.
 *
 * Which process is meant stays certain though numbers are used again: the name holds its start time and the boot and
 * process table that they belong to. Without these (macOS, Windows) a file also counts as stale when it is older
 * than any start takes.
 */
export interface StartLock {
  release(): Promise<void>;
}

const UNSURE_AGE_MS = 5 * 60_000;
const LOOKS = 10;
const LOOK_INTERVAL_MS = 5;

/** Tries once; `undefined` when another command holds the lock or is just taking it. */
export async function tryStartLock(directory: string): Promise<StartLock | undefined> {
  if ((await listLiving(directory)).length > 0) return undefined;
  const { pid, startTicks, table } = currentProcess();
  const own = `starting-${pid}-${startTicks}-${table}-${randomToken(6)}`;
  const file = path.join(directory, own);
  try {
    await (await open(file, 'wx', 0o600)).close();
  } catch (error) {
    throw folderDenied(directory, error);
  }
  const release = (): Promise<void> => rm(file, { force: true });
  for (let look = 0; look < LOOKS; look += 1) {
    const others = (await listLiving(directory)).filter((name) => name !== own);
    if (others.length === 0) {
      await sweepDead(directory);
      return { release };
    }
    if (others.some((name) => name < own)) break;
    await pause(LOOK_INTERVAL_MS);
  }
  await release();
  return undefined;
}

/** The process that holds the lock, or is just trying to. */
export async function findStarter(directory: string): Promise<number | undefined> {
  const [name] = await listLiving(directory);
  return name === undefined ? undefined : parseName(name)?.pid;
}

function parseName(name: string): ProcessIdentity | undefined {
  const match = /^starting-(\d+)-(\d+)-([0-9a-f]+)-[0-9a-f]+$/.exec(name);
  const [, pid, startTicks, table] = match ?? [];
  if (pid === undefined || startTicks === undefined || table === undefined) return undefined;
  return { pid: Number(pid), startTicks, table };
}

async function listLiving(directory: string): Promise<string[]> {
  const living: string[] = [];
  for (const name of await readdir(directory)) {
    const identity = parseName(name);
    if (identity === undefined || !isProcessAlive(identity)) continue;
    if (identity.startTicks === '0' && (await isOld(path.join(directory, name)))) continue;
    living.push(name);
  }
  return living;
}

async function isOld(file: string): Promise<boolean> {
  const made = await stat(file).catch(() => undefined);
  return made === undefined || now() - made.mtimeMs > UNSURE_AGE_MS;
}

/** Safe at any time: who is dead stays dead, and nobody else's file ever gets the same name. */
async function sweepDead(directory: string): Promise<void> {
  for (const name of await readdir(directory)) {
    const identity = parseName(name);
    if (identity !== undefined && !isProcessAlive(identity)) await rm(path.join(directory, name), { force: true });
  }
}
