import { readdir } from 'node:fs/promises';
import path from 'node:path';
import { TenancyError } from '../../../errors.js';
import type { BackupCheck, BackupTools } from '../../driver.js';
import { type FoundTool, findTools } from '../../find-tool.js';
import type { EngineContext } from '../engine-context.js';
import { withClient } from '../engine-context.js';

/** Debian keeps each major in a folder of its own; what is on `PATH` there is a wrapper that picks one by rules of its own. */
const DEBIAN = '/usr/lib/postgresql';

/** From here on there is pg_read_all_data, without which a superuser can't lend a login the right to read and nothing else. */
const OLDEST_SERVER = 14;

/**
 * The oldest pg_dump that is as new as the server: an older one refuses, and what a newer one writes an older server may not understand.
 * @throws TenancyError `TENANCY_BACKUP_TOOL_MISSING`, `TENANCY_BACKUP_TOOL_REFUSED`
 */
export async function checkTools(context: EngineContext, { purpose, paths, signal, madeBy = null }: BackupCheck): Promise<BackupTools> {
  const server = await withClient(context, null, signal, async (client) => {
    const { rows } = await client.query<{ version: string; number: string; is_superuser: boolean }>(
      `SELECT current_setting('server_version') AS version, current_setting('server_version_num') AS number, rolsuper AS is_superuser
         FROM pg_roles WHERE rolname = current_user`,
    );
    return {
      version: rows[0]?.version ?? '',
      major: Math.floor(Number(rows[0]?.number) / 10_000),
      isSuperuser: rows[0]?.is_superuser ?? false,
    };
  });
  const { cluster } = context;
  const install = `apt install postgresql-client-${server.major} (from apt.postgresql.org where the system has none), or brew install libpq`;
  if (server.isSuperuser && server.major < OLDEST_SERVER) {
    const reason = `on PostgreSQL ${server.version} a superuser's login can't dump safely: code that lives in a tenant would run with its rights`;
    const advice = `give the cluster a login that is no superuser (or PostgreSQL ${OLDEST_SERVER})`;
    throw new TenancyError('TENANCY_BACKUP_TOOL_REFUSED', { cluster, tool: 'pg_dump', reason, install: advice });
  }
  const folders = await listDebianFolders();
  const find = async (tool: string): Promise<FoundTool> => {
    const wanted = tool === 'pg_restore' ? Math.max(server.major, Number.parseInt(madeBy ?? '0', 10)) : server.major;
    const found: FoundTool[] = [];
    for await (const one of findTools([tool], { configured: paths[tool], folders, signal })) found.push(one);
    const [best] = found.filter(({ major }) => major >= wanted).sort((a, b) => a.major - b.major);
    if (best !== undefined) return best;
    const [newest] = [...found].sort((a, b) => b.major - a.major);
    if (newest !== undefined) {
      const what = wanted > server.major ? `what pg_dump ${madeBy} has written` : `PostgreSQL ${server.version}`;
      const reason = `${tool} ${newest.version} (${newest.path}) is too old for ${what}`;
      throw new TenancyError('TENANCY_BACKUP_TOOL_REFUSED', { cluster, tool, reason, install });
    }
    const where = paths[tool] === undefined ? `on PATH or in ${DEBIAN}/*/bin` : `at ${paths[tool]}`;
    throw new TenancyError('TENANCY_BACKUP_TOOL_MISSING', { cluster, tool, where, install });
  };
  const [dump, restore] = [await find('pg_dump'), await find('pg_restore')];
  const main = purpose === 'dump' ? dump : restore;
  return {
    engineVersion: server.version,
    described: `${purpose === 'dump' ? 'pg_dump' : 'pg_restore'} ${main.version} (${main.path})`,
    version: main.version,
    paths: { pg_dump: dump.path, pg_restore: restore.path },
  };
}

async function listDebianFolders(): Promise<readonly string[]> {
  const names = await readdir(DEBIAN).catch(() => []);
  return names
    .filter((name) => /^\d+$/.test(name))
    .sort((a, b) => Number(a) - Number(b))
    .map((name) => path.join(DEBIAN, name, 'bin'));
}
