import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { loadConfig } from '../../src/config/load.js';
import { resolveConfig } from '../../src/config/resolve.js';
import { isTenancyError } from '../../src/errors.js';
import type { TenancyError } from '../../src/errors.js';
import { parseTenantId } from '../../src/tenant.js';

let directory: string;

beforeEach(async () => {
  directory = await mkdtemp(path.join(tmpdir(), 'tenancy-config-'));
  // What jiti compiles is kept in here, and goes with it.
  await mkdir(path.join(directory, 'node_modules'));
});

afterEach(async () => {
  await rm(directory, { recursive: true, force: true });
});

const SOUND = `{ clusters: { main: { url: 'embedded:.tenancy/postgres' } }, placement: { cluster: 'main', driver: 'postgres-schema', name: 'tenant_{id}' }, migrations: { directory: './migrations/tenant' } }`;

async function write(name: string, text: string): Promise<void> {
  const file = path.join(directory, name);
  await mkdir(path.dirname(file), { recursive: true });
  await writeFile(file, text);
}

function load(options: { configPath?: string; env?: Record<string, string>; from?: string } = {}) {
  return loadConfig({ cwd: path.join(directory, options.from ?? '.'), command: 'tenant migrate', env: options.env ?? {}, configPath: options.configPath });
}

/** The error's message, with the directory of the test taken out. */
async function failure(loading: Promise<unknown>): Promise<string> {
  const error = await loading.then(() => undefined, (thrown: unknown) => thrown);
  if (!isTenancyError(error)) throw error instanceof Error ? error : new Error('nothing was thrown');
  expect(error.exitCode).toBe(2);
  return `${(error as TenancyError).code} ${error.message.replaceAll(directory, '~')}`;
}

describe('a sound config', () => {
  for (const name of ['tenancy.config.ts', 'tenancy.config.mts', 'tenancy.config.js', 'tenancy.config.mjs', '.tenancyrc.ts']) {
    it(`is read from ${name}`, async () => {
      await write(name, `export default ${SOUND}`);
      const loaded = await load();
      expect(loaded.file).toBe(path.join(directory, name));
      const config = resolveConfig(loaded);
      expect(config.clusters['main']?.url).toBe(`embedded:${directory}/.tenancy/postgres`);
      expect(config.registry.url).toBe(config.clusters['main']?.url);
      expect(config.place({ id: parseTenantId('Acme'), labels: {} })).toEqual({ cluster: 'main', driver: 'postgres-schema', name: 'tenant_acme' });
    });
  }
});

it('gives a syntax error its line and column', async () => {
  await write('tenancy.config.ts', 'export default {\n  a: 1\n  b: 2,\n}\n');
  expect(await failure(load())).toMatch(/^TENANCY_CONFIG_SYNTAX_REJECTED ~\/tenancy.config.ts:3/);
});

it('names the path of an unknown key and what may be meant', async () => {
  await write('tenancy.config.mjs', `export default { clusters: { main: { url: 'foo', concurency: 3 } }, placment: 1 }`);
  expect(await failure(load())).toMatchInlineSnapshot(`
    "TENANCY_CONFIG_REJECTED ~/tenancy.config.mjs: \`clusters.main.url\`: expected a URL such as postgres://… or embedded:DIR, got 'foo'
      also \`clusters.main.concurency\`: unknown key; did you mean \`concurrency\`?
      also \`placement\`: expected a function \`(tenant) => ({ cluster, driver, name })\`, or { cluster, driver, name: 'tenant_{id}' }
      also \`placment\`: unknown key; did you mean \`placement\`?"
  `);
});
