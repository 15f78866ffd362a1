import { cp, rename, rm } from 'node:fs/promises';
import path from 'node:path';
import { type Binaries, binaryPath } from './find-binaries.js';
import { exists, type ServerRecord, type WayName } from './layout.js';
import { type Account, type Command, currentAccount, platform, randomToken, runCommand, unprivilegedAccount } from './machine.js';

/**
 * How the server's programs are run. PostgreSQL refuses to run as root, so root has it run by an unprivileged user, who
 * must reach both the binaries and the data, also in a folder that only root may enter. In the order in which we try:
 *
 * - `direct`: as ourselves, when we are not root;
 * - `setpriv`: as nobody, keeping the one capability to pass any folder. The securebit keeps access(2), by which initdb
 *   asks, from answering as if the capability were not there. A container's default capabilities suffice;
 * - `unshare`: as root, who only seems to be nobody in a user namespace. A container's seccomp may forbid it;
 * - `copy`: as nobody, with the binaries and the data in a folder that anyone may enter.
 */
export interface Way {
  readonly name: WayName;
  /** Who owns the data. */
  readonly account: Account | undefined;
}

/** The ways that are worth trying for a new database, the best first. */
export async function listWays(): Promise<readonly [Way, ...Way[]]> {
  const account = currentAccount();
  if (account?.uid !== 0) return [{ name: 'direct', account }];
  const nobody = await unprivilegedAccount();
  const copy: Way = { name: 'copy', account: nobody };
  if (platform !== 'linux') return [copy];
  return [{ name: 'setpriv', account: nobody }, { name: 'unshare', account }, copy];
}

/** The way in which an existing database is run, whoever starts it now. */
export function wayOf(record: ServerRecord): Way {
  return { name: record.way, account: record.account };
}

/** Wraps a program so that it runs in the way. */
export async function commandFor(
  way: Way,
  program: { native: string; name: 'initdb' | 'postgres'; args: readonly string[] },
): Promise<Command> {
  const file = binaryPath(program.native, program.name);
  const isRoot = currentAccount()?.uid === 0;
  if (way.name === 'setpriv') {
    const { uid, gid } = way.account ?? (await unprivilegedAccount());
    const capability = '-all,+dac_override';
    const becoming = [`--reuid=${uid}`, `--regid=${gid}`, '--clear-groups', '--securebits=+no_setuid_fixup'];
    const keeping = [`--inh-caps=${capability}`, `--ambient-caps=${capability}`];
    return { file: 'setpriv', args: [...becoming, ...keeping, file, ...program.args] };
  }
  if (way.name === 'unshare') {
    const { uid, gid } = await unprivilegedAccount();
    return { file: 'unshare', args: ['--user', `--map-user=${uid}`, `--map-group=${gid}`, file, ...program.args] };
  }
  return { file, args: program.args, ...(isRoot && way.account !== undefined && { account: way.account }) };
}

/** Where the way finds its binaries: in the package, or for `copy` in a copy beside the data, made when it is missing. */
export async function placeBinaries(way: Way, binaries: Binaries, data: string): Promise<string> {
  if (way.name !== 'copy') return binaries.native;
  const place = path.join(path.dirname(data), `native-${binaries.version}`);
  if (await exists(place)) return place;
  const staging = `${place}.${randomToken(4)}`;
  await cp(binaries.native, staging, { recursive: true, verbatimSymlinks: true });
  // npm may have run under a umask that keeps everybody else out.
  await runCommand({ file: 'chmod', args: ['-R', 'a+rX', staging] });
  await rename(staging, place).catch(async (error: unknown) => {
    await rm(staging, { recursive: true, force: true });
    if (!(await exists(place))) throw error;
  });
  return place;
}
