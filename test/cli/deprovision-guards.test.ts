import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { createTcpProxy, type TcpProxy } from '../rig/tcp-proxy.js';
import { createScene, type Scene } from './scene.js';

const WRITES = /\b(insert|update|delete|create|drop|alter|grant|revoke|comment on|truncate|terminate)\b/i;

let scene: Scene;
let proxy: TcpProxy;
let requests: string[] = [];
const cleanUps: (() => Promise<void>)[] = [];

beforeAll(async () => {
  scene = await createScene({ onTestFinished: (cleanUp) => cleanUps.push(cleanUp) }, (db) => ({
    config: `export default {
      clusters: { main: { url: process.env.THROUGH ?? ${JSON.stringify(db.url)} } },
      placement: ({ id }) => ({ cluster: 'main', driver: 'postgres-schema', name: 'tenant_' + id.toLowerCase() }),
      migrations: { directory: './migrations' },
      hooks: process.env.WITH_BACKUP ? { backup: () => {} } : {},
    };`,
  }));
  proxy = await createTcpProxy(scene.db.url, {
    onRequest: ({ phase, sql }) => {
      if (phase === 'before') requests.push(sql);
      return undefined;
    },
  });
  await scene.ok(['tenant', 'provision', 'acme', 'acme-2', 'Globex', 'vault']);
  await scene.ok(['tenant', 'protect', 'vault']);
  before = await scene.snapshot();
});

afterAll(async () => {
  await proxy.close();
  for (const cleanUp of cleanUps) await cleanUp();
});

/** What the refusals must leave as it is. */
let before: unknown;

beforeEach(() => {
  requests = [];
});

async function refuse(
  args: readonly string[],
  env: Readonly<Record<string, string>> = {},
): Promise<{ readonly code: string | undefined; readonly words: string }> {
  const run = await scene.json(['tenant', 'deprovision', ...args], { env: { THROUGH: proxy.url, ...env } });
  expect([args, run.exitCode]).toEqual([args, 4]);
  expect(requests.filter((sql) => WRITES.test(sql))).toEqual([]);
  const { error } = run.finished;
  return { code: error?.code, words: `${error?.message}\n${error?.hint ?? ''}` };
}

describe.concurrent('deprovision is refused before any connection is opened', () => {
  const sure = ['--skip-backup', '--confirm', 'acme'];
  test.each([
    ['--all', ['--all', ...sure], /--all/],
    ['--all beside an id', ['acme', '--all', ...sure], /--all/],
    ['a label', ['--label', 'plan=pro', ...sure], /there is no --label here/],
    ['a cluster', ['acme', '--cluster', 'main', ...sure], /there is no --cluster here/],
    ['a status', ['--status', 'active', ...sure], /there is no --status here/],
    ['two ids', ['acme', 'acme-2', ...sure], /exactly one/],
    ['the same id twice', ['acme', 'acme', ...sure], /exactly one/],
    ['no id', sure, /no tenant was named/],
    ['an empty id', ['', '--skip-backup', '--confirm', ''], /empty/],
    ['a blank id', [' ', ...sure], /" "/],
    ['a glob', ['acme*', ...sure], /"\*"/],
    ['another glob', ['?cme', ...sure], /"\?"/],
    ['ids on stdin', ['-', ...sure], /starts with _ or -/],
    ['a path', ['../acme', ...sure], /"\."/],
    ['a list', ['acme,acme-2', ...sure], /","/],
    ['no backup', ['acme', '--confirm', 'acme'], /backup hook[^]*--skip-backup/],
    ['no backup, for an unknown tenant', ['nobody', '--confirm', 'nobody'], /--skip-backup/],
  ])('for %s', async (_, args, words) => {
    const refused = await refuse(args);
    expect(refused.code).toBe('TENANCY_DEPROVISION_REFUSED');
    expect(refused.words).toMatch(words);
    expect(proxy.connectionCount).toBe(0);
  });
});

describe('deprovision is refused after reading the registry only', () => {
  test.each([
    ['an unknown id', ['acmee', '--skip-backup', '--confirm', 'acmee'], /did you mean acme\b/],
    ['another case', ['ACME', '--skip-backup', '--confirm', 'ACME'], /did you mean acme\b/],
    ['another case the other way', ['globex', '--skip-backup', '--confirm', 'globex'], /did you mean Globex/],
    ['a protected tenant', ['vault', '--skip-backup', '--confirm', 'vault'], /protected[^]*tenancy tenant unprotect vault/],
    ['nobody to ask', ['acme', '--skip-backup'], /confirmed[^]*--confirm acme/],
    ['--yes instead of a confirmation', ['acme', '--skip-backup', '--yes'], /--confirm acme/],
    ['a confirmation of another tenant', ['acme', '--skip-backup', '--confirm', 'acme-2'], /"acme-2" is not "acme"/],
    ['a confirmation in another case', ['acme', '--skip-backup', '--confirm', 'Acme', '--yes'], /"Acme" is not "acme"/],
    ['an empty confirmation', ['acme', '--skip-backup', '--confirm', ''], /"" is not "acme"/],
  ])('for %s', async (_, args, words) => {
    const refused = await refuse(args);
    expect(refused.words).toMatch(words);
    expect(requests.length).toBeGreaterThan(0);
  });

  test('for a protected tenant in a dry run too, and with a backup hook', async () => {
    expect((await refuse(['vault', '--dry-run'], { WITH_BACKUP: '1' })).words).toContain('protected');
  });

  test('and TENANCY_YES confirms nothing either', async () => {
    expect((await refuse(['acme', '--skip-backup'], { TENANCY_YES: '1' })).code).toBe('TENANCY_CONFIRMATION_MISSING');
  });
});

test('nothing of what was refused left a trace', async () => {
  expect(await scene.snapshot()).toEqual(before);
});

test('the same refusals in words are one sentence and what to type next', async () => {
  const { exitCode, stdout, stderr } = await scene.run(['tenant', 'deprovision', 'ACME', '--skip-backup', '--confirm', 'ACME']);
  expect([exitCode, stdout]).toEqual([4, '']);
  expect(stderr).toBe('✖ deprovision refused: no tenant is registered as ACME\n  → did you mean acme?\n');
});

test('an unknown option is a wrong command line, never an id', async () => {
  const run = await scene.json(['tenant', 'deprovision', 'acme', '--skip-backups', '--confirm', 'acme']);
  expect([run.exitCode, run.finished.error?.code]).toEqual([2, 'TENANCY_COMMAND_LINE_REJECTED']);
  expect(run.finished.error?.message).toContain('--skip-backup');
  const { exitCode, stderr } = await scene.run(['tenant', 'deprovision', '-acme']);
  expect([exitCode, stderr]).toEqual([2, expect.stringContaining('no id begins with one')]);
});

test('a dry run says what would be done and writes nothing', async () => {
  const run = await scene.json(['tenant', 'deprovision', 'acme', '--skip-backup', '--dry-run'], { env: { THROUGH: proxy.url } });
  expect(run.exitCode).toBe(0);
  expect(run.of('tenant.planned')).toMatchObject([
    { tenant: 'acme', name: 'tenant_acme', steps: ['guard', 'cut-access', 'drop', 'verify', 'tombstone'] },
  ]);
  expect(requests.filter((sql) => WRITES.test(sql))).toEqual([]);
  expect(await scene.snapshot()).toEqual(before);
});
