import { expect, test } from 'vitest';
import { assertDocument } from '../rig/events-schema.js';
import { createScene, type Scene } from './scene.js';

interface Break {
  readonly tenant: string | null;
  readonly damage: string;
  readonly from: number | null;
  readonly to: number | null;
}

interface Trail {
  readonly events: readonly {
    readonly place: number;
    readonly type: string;
    readonly data: { readonly touched?: readonly { readonly what: string; readonly migrations?: readonly { readonly name: string }[] }[] };
    readonly actor: { readonly user: string; readonly knownBy: string; readonly command: string; readonly pid: number };
    readonly login: string;
  }[];
}

async function readTrail(scene: Scene, id: string): Promise<Trail['events']> {
  return assertDocument<Trail>('auditTrail', (await scene.ok(['audit', 'show', id, '--json'])).stdout).events;
}

async function verify(scene: Scene, ...args: readonly string[]): Promise<{ readonly exitCode: number; readonly breaks: readonly Break[] }> {
  const { exitCode, stdout } = await scene.run(['audit', 'verify', ...args, '--json']);
  return { exitCode, breaks: assertDocument<{ breaks: readonly Break[] }>('auditVerify', stdout).breaks };
}

test('the trail says who did what to a tenant, from where, and which migrations', async (t) => {
  const scene = await createScene(t, {
    migrations: { '0001_a.sql': 'CREATE TABLE a (id int);\n', '0002_b.sql': 'CREATE TABLE b (id int);\n' },
    seeds: { '1.sql': 'INSERT INTO a VALUES (1);\n' },
    configExtra: 'hooks: { afterCreate: async () => undefined },',
  });
  await scene.ok(['tenant', 'provision', 'acme'], { env: { TENANCY_ACTOR: 'ada', GITHUB_ACTOR: 'octocat' } });
  await scene.ok(['tenant', 'protect', 'acme'], { env: { GITHUB_ACTOR: 'octocat' } });
  await scene.ok(['tenant', 'suspend', 'acme'], { env: { GITLAB_USER_LOGIN: 'grace' } });
  await scene.ok(['tenant', 'resume', 'acme']);
  await scene.ok(['tenant', 'unlock', 'acme']);

  const events = await readTrail(scene, 'acme');
  expect(events.map(({ place, type }) => [place, type])).toEqual([
    [1, 'tenant.registered'],
    [2, 'tenant.provisioning'],
    [3, 'tenant.activated'],
    [4, 'tenant.settled'],
    [5, 'tenant.protected'],
    [6, 'tenant.suspended'],
    [7, 'tenant.settled'],
    [8, 'tenant.resumed'],
    [9, 'tenant.settled'],
  ]);
  const [registered, , , settled, isProtected, suspended, cut] = events;
  expect(registered?.actor).toMatchObject({ user: 'ada', knownBy: 'TENANCY_ACTOR', command: 'tenant provision' });
  expect(isProtected?.actor).toMatchObject({ user: 'octocat', knownBy: 'GITHUB_ACTOR', command: 'tenant protect' });
  expect(suspended?.actor).toMatchObject({ user: 'grace', knownBy: 'GITLAB_USER_LOGIN' });
  expect(events.at(-1)?.actor.knownBy).toBe('os');
  const [{ role }] = (await scene.db.query<{ role: string }>('SELECT session_user AS role')) as [{ role: string }];
  expect(new Set(events.map(({ login }) => login))).toEqual(new Set([role]));
  expect(settled?.data.touched?.map(({ what }) => what)).toEqual(['create', 'hook:afterCreate', 'migrate', 'seed']);
  expect(settled?.data.touched?.[2]?.migrations?.map(({ name }) => name)).toEqual(['0001_a', '0002_b']);
  expect(cut?.data.touched?.map(({ what }) => what)).toEqual(['revoke']);
  expect((await scene.ok(['audit', 'show', 'acme'])).stdout).toContain('create, hook:afterCreate, migrate 2, seed');
  const { stdout } = await scene.ok(['audit', 'show']);
  expect(stdout).toContain('run.finished');
  expect(stdout).toContain('cluster.accepted');
});

test('what was begun and failed is told with the outcome', async (t) => {
  const scene = await createScene(t, {
    migrations: { '0001_a.sql': 'CREATE TABLE a (id int);\n', '0002_b.sql': 'SELECT 1 / 0;\n' },
  });
  expect((await scene.run(['tenant', 'provision', 'acme'])).exitCode).toBe(1);
  const touched = (await readTrail(scene, 'acme')).find(({ type }) => type === 'tenant.settled')?.data.touched;
  expect(touched?.at(-1)).toMatchObject({ what: 'migrate', isFailed: true, migrations: [{ name: '0001_a' }] });
});

test('what a process applied that was killed before it could tell is told by the next', async (t) => {
  const scene = await createScene(t, {
    migrations: { '0001_a.sql': 'CREATE TABLE a (id int);\n' },
    configExtra: "hooks: { afterMigrate: () => process.env.DIES && process.kill(process.pid, 'SIGKILL') },",
  });
  await scene.ok(['tenant', 'provision', 'acme']);
  await scene.write('migrations/0002_b.sql', 'CREATE TABLE b (id int);\n');
  const killed = await scene.run(['tenant', 'migrate', 'acme'], { env: { DIES: '1' } });
  expect(killed.exitCode).not.toBe(0);
  await scene.db.query('UPDATE tenancy.tenants SET lease_expires_at = now()');
  const [run] = await scene.db.query<{ id: string }>("SELECT id FROM tenancy.runs WHERE command = 'migrate'");

  await scene.ok(['tenant', 'migrate', 'acme']);
  expect((await readTrail(scene, 'acme')).at(-1)?.data.touched).toEqual([
    { what: 'migrate', isFound: true, detail: `by ${run?.id}`, migrations: [expect.objectContaining({ name: '0002_b' })] },
    { what: 'hook:afterMigrate' },
  ]);
  expect((await scene.ok(['audit', 'show', 'acme'])).stdout).toContain('migrate 1 (found), hook:afterMigrate');
});

test('whatever is changed by hand is found and named, and exits with 1', async (t) => {
  const scene = await createScene(t);
  const ids = ['edited', 'removed', 'inserted', 'cut', 'hidden', 'swapped', 'whole'];
  await scene.ok(['tenant', 'provision', ...ids]);
  await scene.ok(['tenant', 'suspend', 'hidden']);
  const { stdout: heads } = await scene.ok(['audit', 'show', '--heads', '--json']);
  assertDocument('auditHeads', heads);
  await scene.write('heads.json', heads);
  expect(await verify(scene, '--all', '--against', 'heads.json')).toEqual({ exitCode: 0, breaks: [] });

  const at = (tenant: string, place: number): string => `tenant = '${tenant}' AND place = ${place}`;
  await scene.db.query(`
    ALTER TABLE tenancy.events DISABLE TRIGGER ALL;
    UPDATE tenancy.events SET actor = jsonb_set(actor, '{user}', '"mallory"') WHERE ${at('edited', 2)};
    DELETE FROM tenancy.events WHERE ${at('removed', 3)};
    INSERT INTO tenancy.events (tenant, type, data) VALUES ('inserted', 'tenant.settled', '{}');
    DELETE FROM tenancy.events WHERE ${at('cut', 4)};
    DELETE FROM tenancy.events WHERE tenant = 'hidden' AND place > 4;
    UPDATE tenancy.audit_heads h SET place = 4, hash = e.hash FROM tenancy.events e WHERE h.chain = 'hidden' AND e.tenant = 'hidden' AND e.place = 4;
    UPDATE tenancy.events a SET type = b.type, data = b.data, at = b.at, run_id = b.run_id, actor = b.actor FROM tenancy.events b
     WHERE a.tenant = 'swapped' AND b.tenant = 'swapped' AND (a.place, b.place) IN ((2, 3), (3, 2));
    ALTER TABLE tenancy.events ENABLE TRIGGER ALL`);

  const { exitCode, breaks } = await verify(scene, '--all');
  expect(exitCode).toBe(1);
  expect(breaks.map(({ tenant, damage, from, to }) => [tenant, damage, from, to])).toEqual([
    ['cut', 'truncated', 4, 4],
    ['edited', 'edited', 2, 2],
    ['inserted', 'inserted', 0, 0],
    ['removed', 'removed', 3, 3],
    ['swapped', 'swapped', 2, 3],
    ['hidden', 'truncated', null, null],
  ]);
  const plain = await scene.run(['audit', 'verify', '--all']);
  expect(plain.exitCode).toBe(1);
  expect(plain.stdout).toContain('✖ edited: event 2 (tenant.provisioning) was edited (edited)');
  expect(plain.stdout).toContain('✖ cut: its newest event, 4, is missing (truncated)');
  expect(plain.stdout).toContain('broken in 6 places');

  // Each on its own, and the one that nobody has touched.
  expect(await verify(scene, 'whole')).toEqual({ exitCode: 0, breaks: [] });
  expect((await verify(scene, 'hidden')).breaks).toMatchObject([{ tenant: 'hidden', damage: 'truncated' }]);
  expect((await verify(scene, 'hidden', '--against', 'heads.json')).breaks[0]).toMatchObject({ damage: 'truncated', from: 5, to: 6 });
  // The run after it goes on with what is there.
  await scene.ok(['tenant', 'suspend', 'edited']);
  expect((await verify(scene, 'edited')).breaks).toMatchObject([{ damage: 'edited', from: 2 }]);
});

test('what can’t be verified is refused before a registry is asked', async (t) => {
  const scene = await createScene(t);
  await scene.ok(['tenant', 'provision', 'acme']);
  await scene.write('other.json', '{"heads": [{"tenant": "acme"}]}');
  const refused = [
    [[], 'the id of a tenant, or --all'],
    [['acme', '--all'], 'exclude each other'],
    [['--all', '--against', 'gone.json'], 'a file that is there'],
    [['--all', '--against', 'other.json'], 'audit show --heads --json'],
  ] as const;
  for (const [args, words] of refused) {
    const { exitCode, stderr } = await scene.run(['audit', 'verify', ...args]);
    expect(exitCode, args.join(' ')).toBe(2);
    expect(stderr).toContain(words);
  }
  const unknown = await scene.run(['audit', 'verify', 'acmee']);
  expect(unknown.exitCode).toBe(2);
  expect(unknown.stderr).toContain('acme');
  expect((await scene.run(['audit', 'show', 'acme', '--since', 'yesterday'])).exitCode).toBe(2);
});
