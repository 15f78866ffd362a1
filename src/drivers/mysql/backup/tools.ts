import { TenancyError } from '../../../errors.js';
import type { BackupCheck, BackupTools } from '../../driver.js';
import { findTools } from '../../find-tool.js';
import { type EngineContext, readRow, withConnection } from '../engine-context.js';

type Flavour = 'MariaDB' | 'MySQL';

interface Version {
  readonly flavour: Flavour;
  readonly text: string;
  readonly major: number;
  readonly minor: number;
}

interface Tool extends Version {
  readonly path: string;
}

/** As each server's own packages call them. */
const NAMES = { 'mariadb-dump': ['mariadb-dump', 'mysqldump'], mariadb: ['mariadb', 'mysql'] } as const;

const INSTALL: Readonly<Record<Flavour, string>> = {
  MariaDB: 'apt install mariadb-client (or brew install mariadb)',
  MySQL: 'apt install mysql-client (or brew install mysql-client)',
};

/**
 * The dump and the client of the server's own make, which know all of its syntax; where none of that make is here, the other's. One of its own that is older than
 * the server isn't made up for by the other's, which knows even less of it.
 * @throws TenancyError `TENANCY_BACKUP_TOOL_MISSING`, `TENANCY_BACKUP_TOOL_REFUSED`
 */
export async function checkTools(context: EngineContext, { purpose, paths, signal }: BackupCheck): Promise<BackupTools> {
  const server = await withConnection(context, signal, async (connection) => {
    const row = await readRow<{ version: string }>(connection, 'SELECT VERSION() AS version');
    return parseVersion(row?.version ?? '') ?? { flavour: 'MySQL' as const, text: '', major: 0, minor: 0 };
  });
  const { cluster } = context;
  const install = INSTALL[server.flavour];
  const find = async (tool: keyof typeof NAMES): Promise<Tool> => {
    const found: Tool[] = [];
    for await (const one of findTools(NAMES[tool], { configured: paths[tool], signal })) {
      const version = parseVersion(one.text);
      if (version !== null) found.push({ ...version, path: one.path });
    }
    const own = found.filter(({ flavour }) => flavour === server.flavour);
    const chosen = own.length > 0 ? own.find((version) => knows(version, server)) : found[0];
    if (chosen !== undefined) return chosen;
    const [old] = own;
    if (old !== undefined) {
      const reason = `${tool} ${old.text} (${old.path}) is too old for ${server.flavour} ${server.text}`;
      throw new TenancyError('TENANCY_BACKUP_TOOL_REFUSED', { cluster, tool, reason, install });
    }
    const where = paths[tool] === undefined ? 'on PATH' : `at ${paths[tool]}`;
    const named = tool === 'mariadb-dump' ? 'mysqldump' : 'mysql';
    throw new TenancyError('TENANCY_BACKUP_TOOL_MISSING', { cluster, tool, where: `${where} (nor ${named})`, install });
  };
  const [dump, client] = [await find('mariadb-dump'), await find('mariadb')];
  const main = purpose === 'dump' ? dump : client;
  const name =
    purpose === 'dump'
      ? `${dump.flavour === 'MariaDB' ? 'mariadb-dump' : 'mysqldump'}`
      : `${client.flavour === 'MariaDB' ? 'mariadb' : 'mysql'}`;
  return {
    engineVersion: server.text,
    described: `${name} ${main.text} (${main.path})`,
    version: main.text,
    paths: { 'mariadb-dump': dump.path, mariadb: client.path },
    flavours: { 'mariadb-dump': dump.flavour, mariadb: client.flavour },
  };
}

/** `10.11.19-MariaDB`, `mysqldump  Ver 8.0.36 for Linux`, `mariadb-dump from 11.4.2-MariaDB, client 10.19`. */
function parseVersion(text: string): Version | null {
  const [, version] = /(\d+\.\d+\.\d+)/.exec(text) ?? [];
  if (version === undefined) return null;
  const [major = 0, minor = 0] = version.split('.').map(Number);
  return { flavour: /mariadb/i.test(text) ? 'MariaDB' : 'MySQL', text: version, major, minor };
}

/**
 * Both makers add kinds of objects in a second number (MariaDB 10.3 sequences, MySQL 9.2 libraries), and an older dump leaves out without a word what it
 * hasn't heard of. Within one the third tells corrections apart.
 */
function knows(tool: Version, server: Version): boolean {
  return tool.major > server.major || (tool.major === server.major && tool.minor >= server.minor);
}
