import { once } from 'node:events';
import net from 'node:net';
import { fileURLToPath } from 'node:url';
import type { TestProject } from 'vitest/node';
import { buildIfStale } from './build.js';
import type { MongoDeployment } from './mongodb/deployment.js';
import { startPrivateMariadb } from './private-mariadb.js';
import { type PostgresVersion, type PrivateServer, startPrivateServer } from './private-server.js';
import { openRunDirectory } from './run-directory.js';

declare module 'vitest' {
  export interface ProvidedContext {
    /** Where workers ask for what the whole run shares; see ask.ts. */
    readonly rigPort: number;
  }
}

const root = fileURLToPath(new URL('../..', import.meta.url));

/**
 * Provides what the whole run shares, each made when a test first asks for it: a server of each PostgreSQL major and
 * of each other engine, and the built command line. At the end it takes all of that away, and fails the run for what tests left behind.
 */
export default async function setup(project: TestProject): Promise<() => Promise<void>> {
  const runDirectory = openRunDirectory(root);
  const servers = new Map<string, Promise<PrivateServer>>();
  let build: Promise<void> | undefined;
  let mongodb: Promise<MongoDeployment> | undefined;

  async function provide(wanted: string): Promise<object> {
    if (wanted === 'build') {
      build ??= buildIfStale(root);
      await build;
      return {};
    }
    if (wanted === 'mongodb') {
      mongodb ??= import('./mongodb/deployment.js').then(({ startMongoDeployment }) => startMongoDeployment());
      const { url, label, isStandIn } = await mongodb;
      return { url, label, isStandIn };
    }
    const server = servers.get(wanted) ?? start(wanted);
    servers.set(wanted, server);
    const { url, log } = await server;
    return { url, log };
  }

  function start(wanted: string): Promise<PrivateServer> {
    if (wanted === 'mariadb') return startPrivateMariadb();
    return startPrivateServer(wanted as PostgresVersion);
  }

  const desk = net.createServer((socket) => {
    socket.setEncoding('utf8').on('error', () => socket.destroy());
    socket.once('data', (text) => {
      provide(String(text).trim()).then(
        (answer) => socket.end(JSON.stringify(answer)),
        (error: unknown) => socket.end(JSON.stringify({ error: String(error) })),
      );
    });
  });
  desk.listen(0, '127.0.0.1');
  await once(desk, 'listening');
  project.provide('rigPort', (desk.address() as net.AddressInfo).port);

  return async () => {
    desk.close();
    for (const server of servers.values()) await (await server.catch(() => undefined))?.stop();
    const mongo = await mongodb?.catch(() => undefined);
    await mongo?.stop();
    const left = await runDirectory.close();
    if (mongo !== undefined) console.log(mongo.label);
    if (left.length === 0) return;
    // vitest prints what a tear-down throws, and then calls the run a success.
    process.exitCode = 1;
    throw new Error(`the tests left behind:\n${left.join('\n')}`);
  };
}
