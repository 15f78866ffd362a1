import { spawn } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { closeSync, existsSync, openSync, readFileSync } from 'node:fs';
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { createRequire } from 'node:module';
import os from 'node:os';
import path from 'node:path';
import process from 'node:process';
import { setTimeout as delay } from 'node:timers/promises';
import { pathToFileURL } from 'node:url';
import { type Db, MongoClient } from 'mongodb';
import { canaryPassword, freePort } from '../private-server.js';
import { startWatchdog } from '../watchdog.js';

/** A `mongod` on the PATH, or the one that the package `mongodb-memory-server` has brought, if somebody installed it. */
export async function findMongod(): Promise<string | null> {
  const folders = (process.env['PATH'] ?? '').split(path.delimiter).filter((folder) => folder !== '');
  const onPath = folders.map((folder) => path.join(folder, 'mongod')).find((file) => existsSync(file));
  return onPath ?? (await findInMemoryServer());
}

async function findInMemoryServer(): Promise<string | null> {
  try {
    const entry = createRequire(import.meta.url).resolve('mongodb-memory-server-core');
    process.env['MONGOMS_RUNTIME_DOWNLOAD'] ??= 'false';
    const { MongoBinary } = (await import(pathToFileURL(entry).href)) as { MongoBinary: { getPath(): Promise<string> } };
    return await MongoBinary.getPath();
  } catch {
    // Not installed, or without a binary.
    return null;
  }
}

/** Starts a replica set of one member on a free port, with authentication and test commands, its data in a temporary folder. */
export async function startMongod(binary: string): Promise<{ url: string; stop(): Promise<void> }> {
  const directory = await mkdtemp(path.join(os.tmpdir(), 'tenancy-test-mongodb-'));
  const [data, keyFile, log] = ['data', 'key', 'server.log'].map((name) => path.join(directory, name)) as [string, string, string];
  await mkdir(data);
  await writeFile(keyFile, randomBytes(96).toString('base64'), { mode: 0o400 });
  const port = await freePort();
  const args = ['--dbpath', data, '--port', String(port), '--bind_ip', '127.0.0.1', '--replSet', 'rs0', '--keyFile', keyFile];
  const output = openSync(log, 'a');
  const child = spawn(binary, [...args, '--setParameter', 'enableTestCommands=1', '--setParameter', 'ttlMonitorSleepSecs=1'], {
    detached: true,
    stdio: ['ignore', output, output],
    cwd: directory,
  });
  closeSync(output);
  const ended = new Promise<boolean>((resolve) => {
    child.once('error', () => resolve(false));
    child.once('exit', () => resolve(false));
  });
  const watchdog = child.pid === undefined ? undefined : startWatchdog(directory, child.pid);
  const stop = async (): Promise<void> => {
    child.kill('SIGINT');
    await ended;
    watchdog?.kill('SIGKILL');
    await rm(directory, { recursive: true, force: true });
  };
  if (!(await Promise.race([initiate(port), ended]))) {
    const words = readFileSync(log, 'utf8').slice(-4000);
    await stop();
    throw new Error(`the private mongod did not start:\n${words}`);
  }
  return { url: `mongodb://root:${canaryPassword}@127.0.0.1:${port}/?directConnection=true&authSource=admin`, stop };
}

/** As long as there is no user, who comes from localhost may make the first, and initiate the set before. */
async function initiate(port: number): Promise<boolean> {
  const client = new MongoClient(`mongodb://127.0.0.1:${port}/?directConnection=true&serverSelectionTimeoutMS=30000`);
  try {
    const admin = client.db('admin');
    await admin.command({ replSetInitiate: { _id: 'rs0', members: [{ _id: 0, host: `127.0.0.1:${port}` }] } });
    if (!(await becomesPrimary(admin))) return false;
    await admin.command({ createUser: 'root', pwd: canaryPassword, roles: ['root'] });
    return true;
  } finally {
    await client.close();
  }
}

async function becomesPrimary(admin: Db): Promise<boolean> {
  for (let attempt = 0; attempt < 600; attempt++) {
    if ((await admin.command({ hello: 1 }))['isWritablePrimary'] === true) return true;
    await delay(50);
  }
  return false;
}
