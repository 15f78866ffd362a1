import { readFile } from 'node:fs/promises';
import path from 'node:path';
import { parseEnv } from 'node:util';
import { TenancyError } from '../errors.js';
import { explainReadError } from './find-config.js';

type Env = Readonly<Record<string, string | undefined>>;

/**
 * The environment with what the env files add: what is set already wins over all of them, and a later file over an earlier one.
 * Changes nothing outside; the format is that of `node --env-file`.
 * @throws TenancyError `TENANCY_ENV_FILE_UNREADABLE`.
 */
export async function loadEnvFiles(cwd: string, files: readonly string[], env: Env): Promise<Env> {
  const added: Record<string, string | undefined> = {};
  for (const name of files) {
    const file = path.resolve(cwd, name);
    const text = await readFile(file, 'utf8').catch((cause: unknown) => {
      throw new TenancyError('TENANCY_ENV_FILE_UNREADABLE', { file, reason: explainReadError(cause) }, { cause });
    });
    Object.assign(added, parseEnv(text.replace(/^\uFEFF/, '')));
  }
  const alreadySet = Object.fromEntries(Object.entries(env).filter(([, value]) => value !== undefined));
  return { ...added, ...alreadySet };
}
