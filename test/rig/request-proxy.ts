import type { TcpProxy, TcpProxyOptions } from './tcp-proxy.js';

/** A counting proxy in front of the server of a URL, whichever engine it is. On MongoDB the text of a request is its command and collection. */
export async function createRequestProxy(targetUrl: string, options: TcpProxyOptions = {}): Promise<TcpProxy> {
  const { protocol } = new URL(targetUrl);
  if (protocol === 'mysql:') return (await import('./mysql-proxy.js')).createMysqlProxy(targetUrl, options);
  if (protocol !== 'mongodb:') return (await import('./tcp-proxy.js')).createTcpProxy(targetUrl, options);
  const { createMongodbProxy } = await import('./mongodb-proxy.js');
  const { onRequest, ...rest } = options;
  return createMongodbProxy(targetUrl, {
    ...rest,
    onCommand: async ({ number, phase, connection, name, collection }) => {
      const sql = collection === null ? name : `${name} ${collection}`;
      return (await onRequest?.({ number, phase, connection, sql })) ?? 'forward';
    },
  });
}
