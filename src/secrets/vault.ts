import { readFile } from 'node:fs/promises';
import { homedir } from 'node:os';
import path from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { registerSecret } from '../util/redact.js';
import type { ResolvedSecret } from './resolve-reference.js';

const TIMEOUT_MS = 10_000;
const ATTEMPTS = 3;
const DELAY_MS = 200;

type ReadVariable = (name: string) => string | undefined;

/**
 * `PATH#key`, the path as Vault's HTTP API has it: `secret/data/tenants/acme#password` (KV version 2), `kv/acme#password` (version 1),
 * `database/static-creds/acme#password` (the database engine, which names the user too). Says who asks by VAULT_TOKEN or `~/.vault-token`, in VAULT_NAMESPACE
 * where that is set.
 */
export async function readVault(reference: string, variable: ReadVariable): Promise<ResolvedSecret> {
  const [, secretPath = '', key = ''] = /^([^#]+)#([^#]+)$/.exec(reference) ?? [];
  if (secretPath === '' || key === '') throw new Error('expected vault:PATH#key, such as vault:secret/data/tenants/acme#password');
  const address = variable('VAULT_ADDR');
  if (address === undefined || address === '') throw new Error('VAULT_ADDR is not set');
  const url = new URL(`${address.replace(/\/+$/, '')}/v1/${secretPath.replace(/^\/+/, '').split('/').map(encodeURIComponent).join('/')}`);
  const token = await findToken(variable);
  const namespace = variable('VAULT_NAMESPACE');
  const headers = {
    'X-Vault-Token': token,
    'X-Vault-Request': 'true',
    ...(namespace === undefined || namespace === '' ? {} : { 'X-Vault-Namespace': namespace }),
  };
  return pick(await ask(url, headers), secretPath, key);
}

async function findToken(variable: ReadVariable): Promise<string> {
  const given = variable('VAULT_TOKEN') ?? (await readFile(path.join(homedir(), '.vault-token'), 'utf8').catch(() => ''));
  const token = given.trim();
  if (token === '') throw new Error('VAULT_TOKEN is not set, and there is no ~/.vault-token');
  registerSecret(token);
  return token;
}

async function ask(url: URL, headers: Readonly<Record<string, string>>): Promise<unknown> {
  for (let attempt = 1; ; attempt++) {
    const answer = await send(url, headers).catch((error: unknown) => (error instanceof Error ? error : new Error(String(error))));
    if (!(answer instanceof Error)) {
      if (answer.ok) return answer.json();
      // Too many requests; sealed, in standby, or behind a proxy that has lost it.
      const isPassing = answer.status === 429 || answer.status >= 500;
      if (!isPassing || attempt >= ATTEMPTS) throw new Error(await explain(answer));
    } else if (attempt >= ATTEMPTS) throw new Error(`Vault can't be reached at ${url.origin} (${reasonOf(answer)})`);
    await delay(DELAY_MS * attempt);
  }
}

/** A standby sends its callers on to the active node. The token goes along, though never from an encrypted connection to a plain one. */
async function send(url: URL, headers: Readonly<Record<string, string>>): Promise<Response> {
  const options = { headers, redirect: 'manual' as const, signal: AbortSignal.timeout(TIMEOUT_MS) };
  const answer = await fetch(url, options);
  const location = answer.status === 307 || answer.status === 308 ? answer.headers.get('location') : null;
  if (location === null) return answer;
  const next = new URL(location, url);
  if (url.protocol === 'https:' && next.protocol !== 'https:')
    throw new Error(`it sends its callers on to ${next.origin}, which isn't encrypted`);
  return fetch(next, options);
}

async function explain(answer: Response): Promise<string> {
  const said = await answer.json().then(
    (body) => ((body as { readonly errors?: unknown }).errors ?? []) as unknown[],
    () => [],
  );
  const detail = said.length === 0 ? '' : `: ${said.map(String).join('; ').slice(0, 300)}`;
  const meaning =
    answer.status === 403 ? 'the token may not read that' : answer.status === 404 ? 'there is nothing at that path' : 'Vault says no';
  return `${meaning} (${answer.status}${detail})`;
}

function reasonOf(error: Error): string {
  return error.cause instanceof Error ? error.cause.message : error.message;
}

/** Version 2 of KV wraps what it keeps, beside what it knows of it. */
function pick(body: unknown, secretPath: string, key: string): ResolvedSecret {
  const { data } = (body ?? {}) as { readonly data?: Readonly<Record<string, unknown>> | null };
  const isWrapped = typeof data?.['data'] === 'object' && typeof data['metadata'] === 'object';
  const fields = (isWrapped ? data['data'] : data) as Readonly<Record<string, unknown>> | null | undefined;
  if (fields === null || fields === undefined) throw new Error(`${secretPath} was deleted`);
  const value = fields[key];
  if (typeof value !== 'string') {
    throw new Error(`${secretPath} has no text under ${key}, only ${Object.keys(fields).join(', ') || 'nothing'}`);
  }
  const user = fields['username'];
  return { value, user: typeof user === 'string' && user !== '' ? user : null };
}
