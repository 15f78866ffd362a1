import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { afterAll, afterEach, beforeAll, describe, expect, test, vi } from 'vitest';
import type { SecretsConfig } from '../../src/config/types.js';
import { resolveReference } from '../../src/secrets/resolve-reference.js';
import { redact } from '../../src/util/redact.js';
import { kvVersion2, startTestVault, type TestVault } from '../rig/vault.js';

let root: string;
beforeAll(async () => {
  root = await mkdtemp(path.join(os.tmpdir(), 'references-'));
});
afterAll(() => rm(root, { recursive: true, force: true }));
afterEach(() => vi.unstubAllEnvs());

const resolve = async (ref: string, secrets: SecretsConfig | null = null): Promise<string> =>
  (await resolveReference(ref, { root, secrets })).value;
const failing = (ref: string, secrets: SecretsConfig | null = null): Promise<unknown> =>
  resolve(ref, secrets).then(
    (value) => `found ${value}`,
    (error: Error) => error.message,
  );

describe('a reference', () => {
  test('to a variable is its value, without the end of its line, and blanked from then on', async () => {
    vi.stubEnv('ACME_PASSWORD', 'canary-of-a-variable\n');
    expect(await resolve('env:ACME_PASSWORD')).toBe('canary-of-a-variable');
    expect(redact('it is canary-of-a-variable')).toBe('it is ***');
    expect(await failing('env:NOT_SET_AT_ALL')).toContain('the variable NOT_SET_AT_ALL is not set');
    vi.stubEnv('EMPTY', '\n');
    expect(await failing('env:EMPTY')).toContain('it is empty');
  });

  test('to a file starts at the config', async () => {
    await writeFile(path.join(root, 'secret'), 'canary-of-a-file\r\n');
    expect(await resolve('file:secret')).toBe('canary-of-a-file');
    expect(await resolve(`file:${path.join(root, 'secret')}`)).toBe('canary-of-a-file');
    expect(await failing('file:no-such')).toContain('ENOENT');
  });

  test('to a command is what it says, without a shell, and of one that fails its stdout is not told', async () => {
    const node = process.execPath;
    expect(await resolve(`exec:${node} -e "process.stdout.write('canary ' + process.argv[1])" '$HOME; id'`)).toBe('canary $HOME; id');
    const failed = await failing(`exec:${node} -e "console.log('canary-half-said'); console.error('no such entry'); process.exit(3)"`);
    expect(failed).toContain('ended with 3: no such entry');
    expect(String(failed).replace(/exec:.*can't be read/, '')).not.toContain('canary-half-said');
    expect(await failing('exec:no-such-command-at-all x')).toContain('no-such-command-at-all is not there');
    expect(await failing('exec:')).toContain('names no command');
  });

  test('of a kind of its own is the function of the config to resolve', async () => {
    const secrets = { store: async () => 'mine:x', resolve: async (ref: string) => `canary of ${ref}` };
    expect(await resolve('mine:x', secrets)).toBe('canary of mine:x');
    expect(await failing('mine:x')).toContain('nothing here knows what mine: means');
    expect(await failing('nonsense')).toContain('nothing here knows what that means');
  });
});

describe('a reference to Vault', () => {
  let vault: TestVault;
  beforeAll(async () => {
    vault = await startTestVault('canary-token');
  });
  afterAll(() => vault.close());
  const at = (token = 'canary-token', namespace?: string): void => {
    vi.stubEnv('VAULT_ADDR', `${vault.address}/`);
    vi.stubEnv('VAULT_TOKEN', token);
    if (namespace !== undefined) vi.stubEnv('VAULT_NAMESPACE', namespace);
  };

  test('is a field of a secret in KV version 2, asked for with the token and in the namespace', async () => {
    at('canary-token', 'team/a');
    vault.answer('/v1/secret/data/tenants/acme', kvVersion2({ password: 'canary-of-vault', other: 1 }));
    expect(await resolveReference('vault:secret/data/tenants/acme#password', { root, secrets: null })).toEqual({
      value: 'canary-of-vault',
      user: null,
    });
    expect(vault.requests.at(-1)).toEqual({ path: '/v1/secret/data/tenants/acme', token: 'canary-token', namespace: 'team/a' });
    expect(await failing('vault:secret/data/tenants/acme#pasword')).toContain('has no text under pasword, only password, other');
    expect(redact('canary-token')).toBe('***');
  });

  test('of version 1, and of the database engine, which names the user too', async () => {
    at();
    vault.answer('/v1/kv/acme', { status: 200, body: { data: { password: 'canary-of-kv-1' } } });
    expect(await resolve('vault:kv/acme#password')).toBe('canary-of-kv-1');
    vault.answer('/v1/database/static-creds/acme', {
      status: 200,
      body: { data: { username: 'acme_static', password: 'canary-static', rotation_period: 86_400, ttl: 100 } },
    });
    expect(await resolveReference('vault:database/static-creds/acme#password', { root, secrets: null })).toEqual({
      value: 'canary-static',
      user: 'acme_static',
    });
    vault.answer('/v1/database/creds/acme', {
      status: 200,
      body: {
        lease_id: 'database/creds/acme/1',
        lease_duration: 3600,
        renewable: true,
        data: { username: 'v-acme-1', password: 'canary-lease' },
      },
    });
    expect(await resolveReference('vault:database/creds/acme#password', { root, secrets: null })).toMatchObject({ user: 'v-acme-1' });
  });

  test('is tried again where Vault is sealed or busy, and follows a standby to the active node', async () => {
    at();
    vault.answer(
      '/v1/secret/data/busy',
      { status: 503, body: { errors: ['Vault is sealed'] } },
      { status: 429 },
      kvVersion2({ p: 'canary-late' }),
    );
    expect(await resolve('vault:secret/data/busy#p')).toBe('canary-late');
    vault.answer('/v1/secret/data/standby', { status: 307, location: `${vault.address}/v1/secret/data/active` });
    vault.answer('/v1/secret/data/active', kvVersion2({ p: 'canary-active' }));
    expect(await resolve('vault:secret/data/standby#p')).toBe('canary-active');
    expect(vault.requests.at(-1)).toMatchObject({ token: 'canary-token' });
  });

  test('says what is wrong: a token, a path, a secret that was deleted, an address', async () => {
    at('another-token-of-canaries');
    expect(await failing('vault:secret/data/tenants/acme#password')).toContain('the token may not read that (403: permission denied)');
    at();
    expect(await failing('vault:secret/data/none#password')).toContain('there is nothing at that path (404)');
    vault.answer('/v1/secret/data/deleted', kvVersion2(null));
    expect(await failing('vault:secret/data/deleted#password')).toContain('there is nothing at that path');
    expect(await failing('vault:secret/data/x')).toContain('expected vault:PATH#key');
    vi.stubEnv('VAULT_ADDR', 'http://127.0.0.1:9');
    expect(await failing('vault:secret/data/x#y')).toContain("can't be reached at http://127.0.0.1:9");
    vi.stubEnv('VAULT_ADDR', '');
    expect(await failing('vault:secret/data/x#y')).toContain('VAULT_ADDR is not set');
  });
});
