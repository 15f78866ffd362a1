import path from 'node:path';
import { execForTenant } from '../../../util/exec.js';
import type { BackupWork } from '../../driver.js';

/** Everything is in the environment; what stands on the command line is everybody's to read. */
export async function runTool(
  tool: 'pg_dump' | 'pg_restore',
  args: readonly string[],
  { tools, signal, log }: Pick<BackupWork, 'tools' | 'signal' | 'log'>,
  environment: Readonly<Record<string, string>>,
): Promise<void> {
  const file = tools.paths[tool];
  if (file === undefined) throw new TypeError(`${tool} was not checked`);
  await execForTenant(file, args, { cwd: path.dirname(file), env: environment, signal, onOutput: log });
}
