import { execFile } from 'node:child_process';
import { readFile } from 'node:fs/promises';
import path from 'node:path';
import { promisify } from 'node:util';
import type { SecretsConfig } from '../config/types.js';
import { TenancyError } from '../errors.js';
import { readVariable } from '../util/environment.js';
import { describeThrown } from '../util/import-failure.js';
import { registerSecret, registerUrlSecrets } from '../util/redact.js';
import { readVault } from './vault.js';

/** What a reference leads to. */
export interface ResolvedSecret {
  readonly value: string;
  /** Where the store names the login too, as Vault's database engine does. */
  readonly user: string | null;
}

const EXEC_TIMEOUT_MS = 30_000;
const MOST_BYTES = 64 * 1024;

/**
 * Follows `env:NAME`, `file:PATH` (relative to the config), `exec:COMMAND ARGS` (no shell), `vault:PATH#key`, and what the config's own `secrets.resolve` knows. What is found is
 * blanked in all output from then on.
 * @throws TenancyError `TENANCY_SECRET_UNREADABLE`, without the secret
 */
export async function resolveReference(
  ref: string,
  { root, secrets }: { readonly root: string; readonly secrets: SecretsConfig | null },
): Promise<ResolvedSecret> {
  const [, scheme = '', rest = ''] = /^([a-z][a-z0-9+.-]*):([^]*)$/i.exec(ref) ?? [];
  try {
    const found = await read(scheme, rest, ref, root, secrets);
    if (found.value === '') throw new Error('it is empty');
    registerSecret(found.value);
    registerUrlSecrets(found.value);
    return found;
  } catch (error) {
    throw new TenancyError('TENANCY_SECRET_UNREADABLE', { ref, reason: describeThrown(error) }, { cause: error });
  }
}

async function read(scheme: string, rest: string, ref: string, root: string, secrets: SecretsConfig | null): Promise<ResolvedSecret> {
  switch (scheme) {
    case 'env':
      return plain(requireVariable(rest));
    case 'file':
      return plain(await readSecretFile(path.resolve(root, rest)));
    case 'exec':
      return plain(await runForSecret(rest, root));
    case 'vault':
      return readVault(rest, readVariable);
    default: {
      const resolve = secrets !== null && typeof secrets === 'object' && 'resolve' in secrets ? secrets.resolve : undefined;
      if (resolve === undefined) throw new Error(`nothing here knows what ${scheme === '' ? 'that' : `${scheme}:`} means`);
      const found: unknown = await resolve(ref);
      if (typeof found !== 'string') throw new Error('secrets.resolve gave no text');
      return plain(found);
    }
  }
}

function plain(value: string): ResolvedSecret {
  // What most programs and editors end a file or an answer with is no part of it.
  return { value: value.replace(/\r?\n$/, ''), user: null };
}

function requireVariable(name: string): string {
  const value = readVariable(name);
  if (value === undefined) throw new Error(`the variable ${name} is not set`);
  return value;
}

async function readSecretFile(file: string): Promise<string> {
  const content = await readFile(file, 'utf8');
  if (content.length > MOST_BYTES) throw new Error('it is larger than 64 KiB');
  return content;
}

/** What it says on stdout may be the secret, also where it fails: only stderr is told. */
async function runForSecret(command: string, root: string): Promise<string> {
  const [file, ...args] = splitWords(command);
  if (file === undefined) throw new Error('it names no command');
  try {
    const { stdout } = await promisify(execFile)(file, args, {
      cwd: root,
      timeout: EXEC_TIMEOUT_MS,
      maxBuffer: MOST_BYTES,
      windowsHide: true,
    });
    return stdout;
  } catch (error) {
    const { code, stderr = '', killed } = error as { readonly code?: unknown; readonly stderr?: string; readonly killed?: boolean };
    const said = stderr.trim().split('\n').at(-1) ?? '';
    const how =
      killed === true ? `was ended after ${EXEC_TIMEOUT_MS / 1000} s` : code === 'ENOENT' ? 'is not there' : `ended with ${String(code)}`;
    throw new Error(`${file} ${how}${said === '' ? '' : `: ${said}`}`);
  }
}

/** Words as a shell takes them apart, with quotes and nothing else of a shell's. */
function splitWords(command: string): string[] {
  const words = command.match(/(?:'[^']*'|"[^"]*"|[^\s'"])+/g) ?? [];
  return words.map((word) =>
    word.replace(/'([^']*)'|"([^"]*)"/g, (_, single: string | undefined, double: string | undefined) => single ?? double ?? ''),
  );
}
