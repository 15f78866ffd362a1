import { writeFile } from 'node:fs/promises';
import path from 'node:path';
import { execForTenant } from '../../../util/exec.js';
import type { BackupWork } from '../../driver.js';

/** The address goes into a file that its owner alone may read: a command line is everybody's. */
export async function runTool(tool: 'mongodump' | 'mongorestore', uri: string, args: readonly string[], work: BackupWork): Promise<void> {
  const file = work.tools.paths[tool];
  if (file === undefined) throw new TypeError(`${tool} was not checked`);
  const config = path.join(work.scratch, `${tool}.yaml`);
  await writeFile(config, `uri: ${JSON.stringify(uri)}\n`, { mode: 0o600 });
  await execForTenant(file, [`--config=${config}`, ...args], { cwd: path.dirname(file), env: {}, signal: work.signal, onOutput: work.log });
}
