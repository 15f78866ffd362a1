import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { createScene, type Scene } from '../cli/scene.js';
import { checkInvariants } from '../rig/check-invariants.js';
import { createTcpProxy, type TcpProxy } from '../rig/tcp-proxy.js';

const WRITES = /\b(insert|update|delete|create|drop|alter|grant|revoke|comment on|truncate|terminate)\b/i;

interface Refusal {
  readonly why: string;
  readonly args: readonly string[];
  /** The registry has to be read for it. */
  readonly reads?: true;
}

/** Said of both commands that remove a tenant; `gone` and `kept` are for one of them alone. */
function listRefusals(command: 'deprovision' | 'purge'): readonly Refusal[] {
  const sure = [...(command === 'deprovision' ? ['--skip-backup'] : ['--early']), '--confirm', 'acme'];
  const both: Refusal[] = [
    { why: '--all', args: ['--all', ...sure] },
    { why: '--all beside an id', args: ['acme', '--all', ...sure] },
    { why: 'a selection', args: ['--label', 'plan=pro', ...sure] },
    { why: 'a glob', args: ['acme*', ...sure] },
    { why: 'another glob', args: ['?cme', ...sure] },
    { why: 'nothing', args: sure },
    { why: 'an empty id', args: ['', ...sure] },
    { why: 'two ids', args: ['acme', 'globex', ...sure] },
    { why: 'ids on stdin', args: ['-', ...sure] },
    { why: 'SQL', args: ["acme'; DROP SCHEMA tenant_acme CASCADE; --", ...sure] },
    { why: 'another case', args: ['ACME', ...sure.slice(0, -1), 'ACME'], reads: true },
    { why: 'nobody', args: ['nobody', ...sure], reads: true },
    { why: 'a protected tenant', args: ['vault', ...sure.slice(0, -1), 'vault'], reads: true },
    { why: 'another id in the confirmation', args: ['acme', ...sure.slice(0, -1), 'globex'], reads: true },
    { why: 'CI, where nobody can be asked', args: ['acme', ...sure.slice(0, 1)], reads: true },
    { why: '--yes instead of a confirmation', args: ['acme', ...sure.slice(0, 1), '--yes'], reads: true },
  ];
  if (command === 'deprovision') return [...both, { why: 'no backup', args: ['acme', '--confirm', 'acme'] }];
  return [
    ...both,
    { why: 'one whose time is not over', args: ['acme', '--confirm', 'acme'], reads: true },
    { why: "one that isn't retained", args: ['globex', ...sure.slice(0, -1), 'globex'], reads: true },
  ];
}

describe.each(['deprovision', 'purge'] as const)('17 guards: %s is refused before any write reaches a server', (command) => {
  const cleanUps: (() => Promise<void>)[] = [];
  let scene: Scene;
  let proxy: TcpProxy;
  let requests: string[] = [];
  let before: unknown;

  beforeAll(async () => {
    scene = await createScene({ onTestFinished: (cleanUp) => cleanUps.push(cleanUp) }, (db) => ({
      config: `export default {
        clusters: { main: { url: process.env.THROUGH ?? ${JSON.stringify(db.url)} } },
        placement: ({ id }) => ({ cluster: 'main', driver: 'postgres-schema', name: 'tenant_' + id.toLowerCase() }),
        migrations: { directory: './migrations' },
      };`,
    }));
    proxy = await createTcpProxy(scene.db.url, {
      onRequest: ({ phase, sql }) => {
        if (phase === 'before') requests.push(sql);
        return undefined;
      },
    });
    await scene.ok(['tenant', 'provision', 'acme', 'globex', 'vault']);
    const retain = (id: string) => ['tenant', 'deprovision', id, '--retain', '30d', '--skip-backup', '--confirm', id];
    if (command === 'purge') for (const id of ['acme', 'vault']) await scene.ok(retain(id));
    await scene.ok(['tenant', 'protect', 'vault']);
    before = await scene.snapshot();
  });
  afterAll(async () => {
    await proxy.close();
    for (const cleanUp of cleanUps) await cleanUp();
  });

  const check = (): Promise<void> => checkInvariants({ adminUrl: scene.db.url, registryUrl: scene.db.url });

  // One after the other, since the requests of all are counted together.
  test.for(listRefusals(command))('for $why', async ({ args, reads }, { task }) => {
    requests = [];
    const connections = proxy.connectionCount;
    const run = await scene.json(['tenant', command, ...args], { env: { THROUGH: proxy.url } });
    expect([run.exitCode, run.finished.error?.code]).toEqual([4, expect.stringMatching(/^TENANCY_/)]);
    expect(requests.filter((sql) => WRITES.test(sql))).toEqual([]);
    expect(proxy.connectionCount > connections).toBe(reads === true);
    task.meta.points = { tried: 1, converged: 1 };
  });

  test('and all is as it was', async () => {
    expect(await scene.snapshot()).toEqual(before);
    await check();
    // The proof can fail: the same command, when it is allowed, writes.
    requests = [];
    const args = command === 'deprovision' ? ['globex', '--skip-backup', '--confirm', 'globex'] : ['acme', '--early', '--confirm', 'acme'];
    expect((await scene.json(['tenant', command, ...args], { env: { THROUGH: proxy.url } })).exitCode).toBe(0);
    expect(requests.some((sql) => WRITES.test(sql))).toBe(true);
    await check();
  });
});
