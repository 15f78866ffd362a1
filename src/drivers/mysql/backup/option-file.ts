import { writeFile } from 'node:fs/promises';
import path from 'node:path';
import type { MysqlAddress } from '../../../util/mysql-url.js';
import type { BackupWork } from '../../driver.js';

/** How a tool is to connect: in a file that its owner alone may read, since command lines are everybody's. */
export async function writeOptionFile(
  address: MysqlAddress,
  tool: string,
  { scratch, tools }: Pick<BackupWork, 'scratch' | 'tools'>,
): Promise<string> {
  const file = path.join(scratch, `${tool}.cnf`);
  const options = [...placeOf(address), ...encryptionOf(address, tools.flavours?.[tool] === 'MariaDB')];
  await writeFile(file, `[client]\n${options.join('\n')}\n`, { mode: 0o600 });
  return file;
}

function placeOf({ host, port, socketPath, user, password }: MysqlAddress): string[] {
  return [
    ...(socketPath === null ? [`host=${quote(host)}`, `port=${port}`, 'protocol=tcp'] : [`socket=${quote(socketPath)}`]),
    ...(user === '' ? [] : [`user=${quote(user)}`]),
    `password=${quote(password)}`,
    'default-character-set=utf8mb4',
  ];
}

/** The two makes say the same in different words. MariaDB's clients check certificates by themselves from 11.4 on. */
function encryptionOf({ sslMode, sslFiles }: MysqlAddress, isMariadb: boolean): string[] {
  const files = Object.entries(sslFiles).flatMap(([name, file]) =>
    file === null || sslMode === 'DISABLED' ? [] : [`ssl-${name}=${quote(file)}`],
  );
  if (!isMariadb) return [...files, `ssl-mode=${sslMode}`];
  if (sslMode === 'DISABLED') return ['skip-ssl'];
  const checks = sslMode === 'VERIFY_IDENTITY' || sslMode === 'VERIFY_CA';
  return [...files, 'ssl', checks ? 'ssl-verify-server-cert' : 'skip-ssl-verify-server-cert'];
}

function quote(value: string): string {
  const escaped = value
    .replaceAll('\\', '\\\\')
    .replaceAll('"', '\\"')
    .replaceAll('\n', '\\n')
    .replaceAll('\r', '\\r')
    .replaceAll('\t', '\\t');
  return `"${escaped}"`;
}
