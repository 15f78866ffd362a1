import { once } from 'node:events';
import net from 'node:net';
import { fileURLToPath } from 'node:url';
import type { TestProject } from 'vitest/node';
import { buildIfStale } from './build.js';
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
 * Provides what the whole run shares, each made when a test first asks for it: a server of each PostgreSQL major, and
 * the built command line. At the end it takes all of that away, and fails the run for what tests left behind.
 */
export default async function setup(project: TestProject): Promise<() => Promise<void>> {
  const runDirectory = openRunDirectory(root);
  const servers = new Map<PostgresVersion, Promise<PrivateServer>>();
  let build: Promise<void> | undefined;

  async function provide(wanted: string): Promise<object> {
    if (wanted === 'build') {
      build ??= buildIfStale(root);
      await build;
      return {};
    }
    const version = wanted as PostgresVersion;
    const server = servers.get(version) ?? startPrivateServer(version);
    servers.set(version, server);
    const { url, log } = await server;
    return { url, log };
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
    const left = await runDirectory.close();
    if (left.length === 0) return;
    // vitest prints what a tear-down throws, and then calls the run a success.
    process.exitCode = 1;
    throw new Error(`the tests left behind:\n${left.join('\n')}`);
  };
}
