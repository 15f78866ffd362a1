import { createReadStream, createWriteStream } from 'node:fs';
import { appendFile } from 'node:fs/promises';
import path from 'node:path';
import { pipeline } from 'node:stream/promises';
import { execForTenant } from '../../../util/exec.js';
import type { BackupWork, TenantTarget } from '../../driver.js';
import type { EngineContext } from '../engine-context.js';
import { createHistoryTables } from '../migrate/history-tables.js';
import { writeOptionFile } from './option-file.js';

const TOOL = 'mariadb-dump';

/** Tables of ours that a home has from its first moment, with its marker and its fence in it: those are of its own life. */
const STATE = '_tenancy_state';

/**
 * SQL that names no database, so that it can be loaded into any: everything in one snapshot, then what our history has beside the migrations (seeds, and a
 * statement that was interrupted), without whose it is.
 */
export async function dumpDatabase(context: EngineContext, target: TenantTarget, file: string, work: BackupWork): Promise<void> {
  const options = await writeOptionFile(context.address, TOOL, work);
  const isMariadb = work.tools.flavours?.[TOOL] === 'MariaDB';
  const common = [
    // First, or it isn't read.
    `--defaults-extra-file=${options}`,
    '--single-transaction',
    '--quick',
    '--hex-blob',
    '--no-tablespaces',
    '--skip-add-locks',
    '--default-character-set=utf8mb4',
    ...(isMariadb ? [] : ['--set-gtid-purged=OFF', '--column-statistics=0']),
  ];
  await run(
    [...common, '--routines', '--triggers', '--events', `--ignore-table=${target.name}.${STATE}`, `--result-file=${file}`, target.name],
    work,
  );
  const rest = path.join(work.scratch, 'state.sql');
  const where = "--where=type NOT IN ('marker', 'fence')";
  await run(
    [
      ...common,
      '--no-create-info',
      '--skip-triggers',
      '--complete-insert',
      '--replace',
      where,
      `--result-file=${rest}`,
      target.name,
      STATE,
    ],
    work,
  );
  await appendFile(file, `\n${createHistoryTables(null).join(';\n')};\n`);
  await pipeline(createReadStream(rest), createWriteStream(file, { flags: 'a' }), { signal: work.signal });
}

async function run(args: readonly string[], { tools, signal, log }: BackupWork): Promise<void> {
  const tool = tools.paths[TOOL];
  if (tool === undefined) throw new TypeError(`${TOOL} was not checked`);
  await execForTenant(tool, args, { cwd: path.dirname(tool), env: {}, signal, onOutput: log });
}
