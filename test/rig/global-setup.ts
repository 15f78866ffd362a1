import net from 'node:net';
import { once } from 'node:events';
import type { TestProject } from 'vitest/node';
import { type PostgresVersion, type PrivateServer, startPrivateServer } from './private-server.js';

declare module 'vitest' {
  export interface ProvidedContext {
    /** Where workers ask for a server; see postgres.ts. */
    readonly rigPort: number;
  }
}

/** Starts each server that a test asks for, once for the whole run, and stops them all at its end. */
export default async function setup(project: TestProject): Promise<() => Promise<void>> {
  const servers = new Map<PostgresVersion, Promise<PrivateServer>>();
  const desk = net.createServer((socket) => {
    socket.setEncoding('utf8').on('error', () => socket.destroy());
    socket.once('data', (text) => {
      const version = String(text).trim() as PostgresVersion;
      const server = servers.get(version) ?? startPrivateServer(version);
      servers.set(version, server);
      server.then(
        ({ url, log }) => socket.end(JSON.stringify({ url, log })),
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
  };
}
