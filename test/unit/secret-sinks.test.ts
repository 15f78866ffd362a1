import { chmod, lstat, mkdir, mkdtemp, readdir, readFile, rm, symlink, writeFile } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { createPassword } from '../../src/secrets/password.js';
import { createSecretSink } from '../../src/secrets/secret-sink.js';

let root: string;
beforeEach(async () => {
  root = await mkdtemp(path.join(os.tmpdir(), 'sinks-'));
});
afterEach(() => rm(root, { recursive: true, force: true }));

const use = { signal: new AbortController().signal, log: () => undefined };
const secret = { tenant: 'acme', login: 't_1_a', password: 'canary-of-a-sink' };

test('a password is long, fit for a URL, and never the same', () => {
  const made = new Set(Array.from({ length: 100 }, createPassword));
  expect(made.size).toBe(100);
  for (const password of made) expect(password).toMatch(/^[A-Za-z0-9_-]{40}$/);
});

describe('files', () => {
  const open = (directory = path.join(root, 'secrets')) => createSecretSink({ directory }, root);

  test("are their owner's alone, named by a reference from the config on, and not for the project's history", async () => {
    expect(await open().store(secret, use)).toBe('file:secrets/acme.t_1_a');
    const file = path.join(root, 'secrets/acme.t_1_a');
    expect(await readFile(file, 'utf8')).toBe(secret.password);
    expect((await lstat(file)).mode & 0o777).toBe(0o600);
    expect((await lstat(path.dirname(file))).mode & 0o777).toBe(0o700);
    expect((await readdir(path.dirname(file))).sort()).toEqual(['.gitignore', 'acme.t_1_a']);
    const elsewhere = await mkdtemp(path.join(os.tmpdir(), 'elsewhere-'));
    await chmod(elsewhere, 0o700);
    expect(await open(elsewhere).store(secret, use)).toBe(`file:${elsewhere}/acme.t_1_a`);
    await rm(elsewhere, { recursive: true });
  });

  test('take the place of what is there, and a link is replaced and not followed', async () => {
    const sink = open();
    await sink.store({ ...secret, password: 'the one before' }, use);
    await sink.store(secret, use);
    const target = path.join(root, 'target');
    await writeFile(target, 'untouched');
    const file = path.join(root, 'secrets/acme.t_1_a');
    // Of an attempt that was killed, and of somebody who means harm.
    await rm(file);
    await symlink(target, file);
    await symlink(target, path.join(root, 'secrets/.acme.t_1_a.part'));
    await sink.store(secret, use);
    expect(await readFile(target, 'utf8')).toBe('untouched');
    expect((await lstat(file)).isSymbolicLink()).toBe(false);
    expect(await readFile(file, 'utf8')).toBe(secret.password);
  });

  test('are refused in a directory that others may use, or that is a link', async () => {
    await mkdir(path.join(root, 'open'), { mode: 0o755 });
    await chmod(path.join(root, 'open'), 0o755);
    await expect(open(path.join(root, 'open')).store(secret, use)).rejects.toMatchObject({
      code: 'TENANCY_SECRETS_UNSAFE',
      hint: expect.stringMatching(/chmod 700/),
    });
    await mkdir(path.join(root, 'real'), { mode: 0o700 });
    await symlink(path.join(root, 'real'), path.join(root, 'link'));
    await expect(open(path.join(root, 'link')).store(secret, use)).rejects.toMatchObject({ code: 'TENANCY_SECRETS_UNSAFE' });
    await writeFile(path.join(root, 'file'), '');
    await expect(open(path.join(root, 'file')).store(secret, use)).rejects.toMatchObject({ code: 'TENANCY_SECRET_NOT_STORED' });
  });

  test('are removed once, and only those that this sink stored', async () => {
    const sink = open();
    const ref = await sink.store(secret, use);
    expect(await sink.remove({ ...secret, ref }, use)).toBe('removed');
    expect(await sink.remove({ ...secret, ref }, use)).toBe('absent');
    expect(await sink.remove({ ...secret, ref: 'vault:elsewhere#x' }, use)).toBe('kept');
  });
});

describe('a command', () => {
  const script = (body: string): readonly string[] => [process.execPath, '-e', body, '{tenant}', '{login}'];

  test('is handed the password on its standard input, and in no argument and no variable', async () => {
    const body = `let p=''; process.stdin.on('data', (d) => p += d).on('end', () => require('fs').writeFileSync('got.json', JSON.stringify({ p, argv: process.argv.slice(1), env: process.env })))`;
    const sink = createSecretSink({ command: script(body), ref: 'vault:secret/data/{tenant}/{login}#password' }, root);
    expect(await sink.store(secret, use)).toBe('vault:secret/data/acme/t_1_a#password');
    const got = JSON.parse(await readFile(path.join(root, 'got.json'), 'utf8'));
    expect([got.p, got.argv]).toEqual([secret.password, ['acme', 't_1_a']]);
    expect(JSON.stringify([got.argv, got.env])).not.toContain(secret.password);
    expect([got.env.TENANCY_TENANT, got.env.TENANCY_LOGIN]).toEqual(['acme', 't_1_a']);
    expect(await sink.remove({ ...secret, ref: null }, use)).toBe('kept');
  });

  test('that fails is told, and there is one for removing', async () => {
    const failing = createSecretSink({ command: script(`console.error('vault is sealed'); process.exit(2)`), ref: 'env:{login}' }, root);
    await expect(failing.store(secret, use)).rejects.toMatchObject({
      code: 'TENANCY_SECRET_NOT_STORED',
      message: expect.stringMatching(/vault is sealed/),
    });
    const sink = createSecretSink(
      { command: script(''), ref: 'env:{login}', remove: script(`require('fs').writeFileSync('gone', process.argv.slice(1).join())`) },
      root,
    );
    expect(await sink.remove({ ...secret, ref: null }, use)).toBe('removed');
    expect(await readFile(path.join(root, 'gone'), 'utf8')).toBe('acme,t_1_a');
  });
});

describe('a function', () => {
  test('returns a reference, which may not be the password', async () => {
    expect(await createSecretSink(async ({ login }) => `vault:secret/data/${login}#password`, root).store(secret, use)).toBe(
      'vault:secret/data/t_1_a#password',
    );
    for (const returned of [secret.password, `mine:${secret.password}`, undefined, 'no scheme']) {
      const sink = createSecretSink({ store: (async () => returned) as never }, root);
      const error = await sink.store(secret, use).catch((thrown: Error) => thrown);
      expect(error).toMatchObject({ code: 'TENANCY_SECRET_NOT_STORED' });
      expect(String((error as Error).message)).not.toContain(secret.password);
    }
  });

  test('is told what is to be removed', async () => {
    const removed: unknown[] = [];
    const sink = createSecretSink({ store: () => 'mine:x', remove: (gone) => removed.push(gone) }, root);
    expect(await sink.remove({ tenant: 'acme', login: 't_1_a', ref: 'mine:x' }, use)).toBe('removed');
    expect(removed).toEqual([{ tenant: 'acme', login: 't_1_a', ref: 'mine:x' }]);
  });
});
