import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { createRequire } from 'node:module';
import process from 'node:process';
import { fileURLToPath } from 'node:url';
import { canaryPassword } from '../private-server.js';
import { findMongod, startMongod } from './mongod.js';

/** A MongoDB for the whole run, or what stands in for one. */
export interface MongoDeployment {
  /** Of a user that may do all. */
  readonly url: string;
  /** What it is, in words for the end of the run. */
  readonly label: string;
  readonly isStandIn: boolean;
  stop(): Promise<void>;
}

/** That which TENANCY_TEST_MONGODB_URL names, a `mongod` that is installed, or the stand-in. `main`: the stand-in's, for a bundle that is elsewhere. */
export async function startMongoDeployment(main = fileURLToPath(new URL('main.ts', import.meta.url))): Promise<MongoDeployment> {
  const given = process.env['TENANCY_TEST_MONGODB_URL'];
  if (given !== undefined && given !== '') {
    return { url: given, label: 'MongoDB: that of TENANCY_TEST_MONGODB_URL', isStandIn: false, stop: () => Promise.resolve() };
  }
  const mongod = await findMongod();
  if (mongod !== null) return { ...(await startMongod(mongod)), label: `MongoDB: ${mongod}`, isStandIn: false };
  if ((process.env['TENANCY_TEST_REQUIRE'] ?? '').split(',').some((name) => name.trim() === 'mongodb')) {
    throw new Error('TENANCY_TEST_REQUIRE names mongodb, and there is neither TENANCY_TEST_MONGODB_URL nor a mongod');
  }
  return startStandInProcess(main);
}

/** In a process of its own, so that what keeps a test busy doesn't keep the server from answering. */
async function startStandInProcess(main: string): Promise<MongoDeployment> {
  const jiti = createRequire(import.meta.url)
    .resolve('jiti/package.json')
    .replace('package.json', 'lib/jiti-cli.mjs');
  const { NODE_OPTIONS: _options, ...env } = process.env;
  const child = spawn(process.execPath, [jiti, main], {
    stdio: ['pipe', 'pipe', 'inherit'],
    env: { ...env, TENANCY_STAND_IN_ROOT: `root:${canaryPassword}` },
  });
  const url = await firstLine(child);
  const exited = once(child, 'exit');
  return {
    url,
    label: 'MongoDB: stand-in, set TENANCY_TEST_MONGODB_URL for a real one',
    isStandIn: true,
    stop: async () => {
      child.stdin?.end();
      await exited;
    },
  };
}

function firstLine(child: ChildProcess): Promise<string> {
  return new Promise((resolve, reject) => {
    let text = '';
    child.once('error', reject);
    child.once('exit', (code) => reject(new Error(`the stand-in for MongoDB ended with ${code}`)));
    child.stdout?.on('data', (chunk) => {
      text += String(chunk);
      if (text.includes('\n')) resolve(text.slice(0, text.indexOf('\n')));
    });
  });
}
