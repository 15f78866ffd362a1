import { createServer, type IncomingMessage } from 'node:http';
import type { AddressInfo } from 'node:net';

/** What a path answers with; of several, one a request, and the last ever after. */
export type VaultAnswer = { readonly status: number; readonly body?: unknown; readonly location?: string };

export interface TestVault {
  readonly address: string;
  /** Each request as it came: path, token, namespace. */
  readonly requests: readonly { readonly path: string; readonly token: string; readonly namespace: string }[];
  answer(path: string, ...answers: readonly VaultAnswer[]): void;
  close(): Promise<void>;
}

/** What KV version 2 answers (Vault's API, Read secret version). */
export function kvVersion2(data: Readonly<Record<string, unknown>> | null): VaultAnswer {
  const deletion_time = data === null ? '2026-01-01T00:00:00Z' : '';
  const metadata = { created_time: '2026-01-01T00:00:00Z', custom_metadata: null, deletion_time, destroyed: false, version: 2 };
  return {
    status: data === null ? 404 : 200,
    body: { request_id: '1', lease_id: '', renewable: false, lease_duration: 0, data: { data, metadata } },
  };
}

/** A server that answers as Vault's HTTP API is documented to; a wrong token gets 403 as there. */
export async function startTestVault(token: string): Promise<TestVault> {
  const requests: { path: string; token: string; namespace: string }[] = [];
  const answers = new Map<string, VaultAnswer[]>();
  const header = (request: IncomingMessage, name: string): string => String(request.headers[name] ?? '');
  const server = createServer((request, response) => {
    const path = request.url ?? '';
    requests.push({ path, token: header(request, 'x-vault-token'), namespace: header(request, 'x-vault-namespace') });
    const known = answers.get(path) ?? [{ status: 404, body: { errors: [] } }];
    const answer =
      header(request, 'x-vault-token') === token
        ? ((known.length > 1 ? known.shift() : known[0]) ?? { status: 500 })
        : { status: 403, body: { errors: ['permission denied'] } };
    response.writeHead(answer.status, {
      'content-type': 'application/json',
      ...('location' in answer && answer.location !== undefined ? { location: answer.location } : {}),
    });
    response.end(JSON.stringify(answer.body ?? {}));
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  return {
    address: `http://127.0.0.1:${port}`,
    requests,
    answer: (path, ...given) => void answers.set(path, [...given]),
    close: () =>
      new Promise((resolve) => {
        server.closeAllConnections();
        server.close(() => resolve());
      }),
  };
}
