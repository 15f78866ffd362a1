import { describe, expect, onTestFinished, test } from 'vitest';
import { queryMysql } from '../rig/mysql.js';
import type { TestProject } from '../rig/project.js';
import { describeOn } from '../rig/require.js';
import { createMongoScene, createMysqlScene, createPostgresScene, type EngineScene, openSceneProject } from './engine-scene.js';
import { type JsonRun, readJsonRun } from './scene.js';
import { listFindings } from './verify-findings.js';

interface VerifyProject extends TestProject {
  json(args: readonly string[]): Promise<JsonRun>;
  /** With `--exit-code`. */
  verify(...args: readonly string[]): Promise<JsonRun>;
}

async function openProject(scene: EngineScene, configExtra = ''): Promise<VerifyProject> {
  const project = await openSceneProject(scene, configExtra);
  const json = async (args: readonly string[]): Promise<JsonRun> => readJsonRun(await project.run(['--json', ...args]));
  return { ...project, json, verify: (...args) => json(['tenant', 'verify', ...args, '--exit-code']) };
}

/** The same on each engine. */
function describeVerify(createScene: () => Promise<EngineScene>): void {
  test('has no finding on tenants that are as they were made, after a rollback too', { timeout: 120_000 }, async () => {
    const scene = await createScene();
    const project = await openProject(scene);
    // Names that differ in a wildcard alone, or need quotation marks.
    const ids = ['a_b', 'axb', 'a-b', '9', 'select'];
    expect((await project.json(['tenant', 'provision', ...ids])).exitCode).toBe(0);
    const first = await project.verify('--all');
    expect([first.exitCode, first.of('tenant.finding').map(({ message }) => message), first.finished.counts['up-to-date']]).toEqual([
      0,
      [],
      ids.length,
    ]);
    for (const [file, text] of Object.entries(scene.migrations.second)) await project.write(`migrations/${file}`, text);
    // Behind is not broken, and each history has a reference of its own.
    expect((await project.json(['tenant', 'migrate', 'a_b', 'axb'])).exitCode).toBe(0);
    expect(listFindings(await project.verify('--all'))).toEqual([]);
    expect((await project.json(['tenant', 'rollback', 'axb', '--to', '0001'])).exitCode).toBe(0);
    expect((await project.json(['tenant', 'migrate', '--all'])).exitCode).toBe(0);
    expect((await project.json(['tenant', 'suspend', '9'])).exitCode).toBe(0);
    const last = await project.verify('--all');
    expect([last.exitCode, listFindings(last), last.finished.counts['up-to-date']]).toEqual([0, [], ids.length]);
    expect(await scene.listHomes()).toHaveLength(ids.length);
  });

  test('finds what was changed by hand, and nothing once it is mended as it was told', { timeout: 120_000 }, async () => {
    const scene = await createScene();
    const project = await openProject(scene);
    const home = (id: string): string => `${scene.prefix}${id}`;
    expect((await project.json(['tenant', 'provision', 'fine', 'gone', 'other', 'edited', 'grown'])).exitCode).toBe(0);
    await scene.dropHome(home('gone'));
    await scene.markForeign(home('other'));
    await scene.setChecksum(home('edited'), '0001_accounts', '0'.repeat(64));
    await scene.obstruct(home('grown'));

    const found = await project.verify('--all', '--fix');
    expect([found.exitCode, listFindings(found).filter((line) => !line.startsWith('structure-unchecked'))]).toEqual([
      3,
      ['history-changed edited found', 'home-foreign other found', 'home-missing gone found', 'structure-differs grown found'],
    ]);
    const repairs = new Map(found.of('tenant.finding').map((finding) => [finding.code, finding]));
    expect(repairs.get('structure-differs')?.message).toMatch(/grown: (table|collection) projects is not of the migrations/);

    const [, mark = ''] = /put its mark back: (.*)$/.exec(repairs.get('home-foreign')?.repair ?? '') ?? [];
    await scene.type(home('other'), mark);
    const [, checksum = ''] = /back to ([0-9a-f]{64})$/.exec(repairs.get('history-changed')?.repair ?? '') ?? [];
    await scene.setChecksum(home('edited'), '0001_accounts', checksum);
    await scene.clear(home('grown'));
    expect((await project.json(['tenant', 'deprovision', 'gone', '--skip-backup', '--confirm', 'gone'])).exitCode).toBe(0);
    const clean = await project.verify('--all');
    expect([clean.exitCode, listFindings(clean)]).toEqual([0, []]);
  });

  test('finds a home that is retained and that the registry has forgotten, and leaves it', { timeout: 120_000 }, async () => {
    const scene = await createScene();
    const project = await openProject(scene);
    expect((await project.json(['tenant', 'provision', 'kept'])).exitCode).toBe(0);
    const retain = ['tenant', 'deprovision', 'kept', '--retain', '30d', '--skip-backup', '--confirm', 'kept'];
    expect((await project.json(retain)).exitCode).toBe(0);
    expect(listFindings(await project.verify('--all'))).toEqual([]);
    await scene.forget('kept');
    const found = await project.verify('--all', '--fix');
    expect([found.exitCode, listFindings(found)]).toEqual([3, [`orphan-home ${scene.prefix}kept found`]]);
    expect(await scene.listHomes()).toHaveLength(1);
  });
}

/** `told`: what is told of the logins of a tenant that is gone from the registry and from the server, where that isn't `orphan-login`. */
function describeLogins(createScene: () => Promise<EngineScene>, told = 'orphan-login'): void {
  test('finds the logins of a tenant that the registry has forgotten, and drops them where nothing is left for them', {
    timeout: 120_000,
  }, async () => {
    const scene = await createScene();
    const project = await openProject(scene, `isolation: 'role', secrets: { directory: './secrets' },`);
    expect((await project.json(['tenant', 'provision', 'known', 'gone', 'forgotten'])).exitCode).toBe(0);
    expect(listFindings(await project.verify('--all'))).toEqual([]);
    const urls = new Map<string, string>();
    for (const id of ['known', 'gone', 'forgotten'])
      urls.set(id, (await project.run(['tenant', 'show', id, '--reveal-url'])).stdout.trim());
    const canLogIn = (id: string): Promise<boolean> =>
      scene.logIn(urls.get(id) ?? '').then(
        () => true,
        () => false,
      );
    expect(await Promise.all(['known', 'gone', 'forgotten'].map(canLogIn))).toEqual([true, true, true]);

    await scene.dropHome(`${scene.prefix}gone`);
    for (const id of ['gone', 'forgotten']) await scene.forget(id);
    const found = await project.verify('--all');
    const codesOf = (run: JsonRun): string[] =>
      run
        .of('tenant.finding')
        .map(({ code, status }) => `${code} ${status}`)
        .sort();
    expect([found.exitCode, codesOf(found)]).toEqual([3, ['orphan-home found', 'orphan-login found', `${told} found`].sort()]);
    for (const { repair } of found.of('tenant.finding')) expect(repair).not.toBeNull();

    const fixed = await project.verify('--all', '--fix');
    expect([fixed.exitCode, codesOf(fixed)]).toEqual([3, ['orphan-home found', 'orphan-login found', `${told} fixed`].sort()]);
    // A home that stands, forgotten or not, is used by somebody.
    expect([await canLogIn('known'), await canLogIn('forgotten')]).toEqual([true, true]);
    const again = await project.verify('--all');
    expect(codesOf(again)).toEqual(['orphan-home found', 'orphan-login found']);
    expect(await scene.countLogins()).toBe(2);
  });
}

/** On the tenant `a_b`, beside `axb`; and a login that is called as another tenant's would be. */
const STRANGER = `t_${'0123456789abcdef'.repeat(2).slice(0, 24)}_a`;

describeOn('mariadb', () => {
  test('takes nothing away, of a drop that was begun, that the registry does not know and that has something in it', {
    timeout: 120_000,
  }, async () => {
    const scene = await createMysqlScene();
    const project = await openProject(scene);
    expect((await project.json(['tenant', 'provision', 'kept'])).exitCode).toBe(0);
    await scene.type('', `UPDATE _tenancy.homes SET state = 'dropping' WHERE name = '${scene.prefix}kept'`);
    await scene.forget('kept');
    const found = await project.verify('--all', '--fix');
    expect([found.exitCode, listFindings(found)]).toEqual([3, ['draft-left kept found', `orphan-home ${scene.prefix}kept found`]]);
    expect(await scene.countAccounts(`${scene.prefix}kept`)).toBe(1);
  });

  test('finds grants whose pattern covers another tenant, and what the ledger has kept of operations that are over', {
    timeout: 120_000,
  }, async () => {
    const scene = await createMysqlScene();
    const project = await openProject(scene);
    const name = (id: string): string => `${scene.prefix}${id}`;
    const sql = (text: string): Promise<void> => scene.type('', text);
    expect((await project.json(['tenant', 'provision', 'a_b', 'axb', 'gone'])).exitCode).toBe(0);
    expect(listFindings(await project.verify('--all'))).toEqual([]);
    const user = name('app');
    await sql(`CREATE USER '${user}'@'%', '${STRANGER}'@'%'`);
    onTestFinished(() => queryMysql(scene.clusterUrl, `DROP USER IF EXISTS '${STRANGER}'@'%'`).then(() => undefined));
    await sql(`GRANT SELECT ON \`${name('a_b')}\`.* TO '${user}'@'%'`);
    await sql(`GRANT SELECT ON \`${name('axb').replaceAll('_', '\\_')}\`.* TO '${STRANGER}'@'%'`);
    await sql(
      `INSERT INTO _tenancy.homes (name, tenant, registry, operation, state) SELECT '${name('half')}', tenant, registry, 'another', 'creating' FROM _tenancy.homes WHERE name = '${name('gone')}'`,
    );
    const found = await project.verify('--all');
    expect(listFindings(found)).toEqual(['draft-left gone found', 'rights-pattern a_b found', 'rights-stranger axb found']);
    expect(found.of('tenant.finding').find(({ code }) => code === 'rights-pattern')?.message).toContain(`also covers ${name('axb')}`);
    const fixed = await project.verify('--all', '--fix');
    expect([fixed.exitCode, listFindings(fixed)]).toEqual([
      3,
      ['draft-left gone fixed', 'rights-pattern a_b found', 'rights-stranger axb fixed'],
    ]);
    const [, revoke = ''] =
      /then (REVOKE .*)$/.exec(fixed.of('tenant.finding').find(({ code }) => code === 'rights-pattern')?.repair ?? '') ?? [];
    await sql(revoke);
    const clean = await project.verify('--all');
    expect([clean.exitCode, listFindings(clean)]).toEqual([0, []]);
    expect(await scene.listHomes()).toHaveLength(3);
  });
});

describe('postgres', () => {
  describeVerify(createPostgresScene);
  describeLogins(createPostgresScene);
});
describeOn('mariadb', () => {
  describeVerify(createMysqlScene);
  // The ledger's row of the home tells of them, and they go with it.
  describeLogins(createMysqlScene, 'draft-left');
});
describeOn('mongodb', () => {
  describeVerify(createMongoScene);
  describeLogins(createMongoScene);
});
