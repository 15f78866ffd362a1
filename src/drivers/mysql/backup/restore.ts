import { createReadStream } from 'node:fs';
import path from 'node:path';
import { pipeline } from 'node:stream/promises';
import { execForTenant } from '../../../util/exec.js';
import type { BackupSource, BackupWork, TenantTarget } from '../../driver.js';
import { type EngineContext, readRows, withConnection } from '../engine-context.js';
import { quoteName } from '../quote.js';
import { writeOptionFile } from './option-file.js';
import { rebindDump } from './rebind.js';

const TOOL = 'mariadb';

/** Into the database of the target, whatever the one was called that was dumped. */
export async function restoreDatabase(
  context: EngineContext,
  target: TenantTarget,
  source: BackupSource,
  work: BackupWork & { readonly fence: number },
): Promise<void> {
  const { signal, log } = work;
  const tool = work.tools.paths[TOOL];
  if (tool === undefined) throw new TypeError(`${TOOL} was not checked`);
  const options = await writeOptionFile(context.address, TOOL, work);
  const accounts = await withConnection(context, signal, async (connection) => {
    const rows = await readRows<{ user: string; host: string }>(connection, 'SELECT User AS user, Host AS host FROM mysql.user');
    return new Set(rows.map(({ user, host }) => `${user}@${host}`));
  });
  const unowned: { readonly kind: string; readonly name: string }[] = [];
  const dump = rebindDump({
    tenant: target.marker.tenant,
    database: target.name,
    hasAccount: (user, host) => accounts.has(`${user}@${host}`),
    onUnowned: (kind, name) => unowned.push({ kind, name }),
  });
  // Without commands of the client's own, of which one runs a shell.
  const args = [`--defaults-extra-file=${options}`, '--binary-mode', '--batch', `--database=${target.name}`];
  const ended = new AbortController();
  const either = AbortSignal.any([signal, ended.signal]);
  // What the dump can't be made fit for ends the client; a client that ends first says itself why.
  const reading = pipeline(createReadStream(source.path), dump, { signal: either }).catch((error: unknown) => {
    if ((error as NodeJS.ErrnoException).code !== 'ERR_STREAM_PREMATURE_CLOSE') ended.abort(error);
  });
  try {
    await execForTenant(tool, args, { cwd: path.dirname(tool), env: {}, signal: either, input: dump, onOutput: log });
  } finally {
    dump.destroy();
    await reading;
  }
  await withConnection(context, signal, async (connection) => {
    const database = quoteName(target.name);
    for (const { kind, name } of unowned) {
      await connection.send(`ALTER ${kind} ${database}.${quoteName(name)} SQL SECURITY INVOKER`);
      log(`${name} runs with the rights of whoever calls it: its definer is gone`);
    }
    await connection.send(`UPDATE ${database}._tenancy_state SET fence = ? WHERE type = 'fence'`, [work.fence]);
  });
}
