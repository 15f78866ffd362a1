import { createServer, type IncomingMessage } from 'node:http';
import type { AddressInfo } from 'node:net';
import { createTenancy } from 'tenancy-cli';
import { type Answer, signUp } from './sign-up.ts';
import config from './tenancy.config.ts';

const tenancy = await createTenancy(config, { root: import.meta.dirname });

const server = createServer(async (request, response) => {
  const { status, body } = await handle(request).catch((error: unknown): Answer => {
    console.error(error);
    return { status: 500, body: { error: 'something went wrong' } };
  });
  const headers = { 'content-type': 'application/json', ...(status === 503 ? { 'retry-after': '5' } : {}) };
  response.writeHead(status, headers).end(`${JSON.stringify(body)}\n`);
});

async function handle(request: IncomingMessage): Promise<Answer> {
  const key = request.headers['idempotency-key'];
  const id = new URL(request.url ?? '', 'http://localhost').searchParams.get('id');
  if (request.method !== 'POST' || typeof key !== 'string' || id === null) {
    return { status: 400, body: { error: 'POST /signup?id=…, with an Idempotency-Key' } };
  }
  return signUp(tenancy, id, key);
}

server.listen(Number(process.env.PORT ?? 3000), '127.0.0.1', () => {
  console.log(`http://127.0.0.1:${(server.address() as AddressInfo).port}`);
});

// Answers what is under way, then gives back connections and an embedded server that nobody else uses.
process.once('SIGTERM', () => server.close(() => void tenancy.close()));
