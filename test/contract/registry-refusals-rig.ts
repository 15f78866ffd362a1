import { once } from 'node:events';
import net from 'node:net';
import { expect } from 'vitest';
import { TenancyError, type TenancyErrorCode } from '../../src/errors.js';
import { openRegistry } from '../../src/registry/index.js';

/** What opening says; with a password in it nothing may say. */
export async function refusal(url: string, create = true): Promise<TenancyError<TenancyErrorCode>> {
  const error: unknown = await openRegistry({ url, create, applicationName: 'tenancy-refused' }).then(
    async (registry) => {
      await registry.close();
      return new Error('it opened');
    },
    (reason: unknown) => reason,
  );
  if (!(error instanceof TenancyError)) throw error;
  expect(`${error.message} ${error.hint} ${JSON.stringify(error.details)}`).not.toMatch(/canary|s3cr3t/);
  expect(error.hint).toBeTruthy();
  return error as TenancyError<TenancyErrorCode>;
}

export function withUser(url: string, user: string, password: string): string {
  const changed = new URL(url);
  changed.username = user;
  changed.password = password;
  return changed.href;
}

/** That opening a registry where nobody listens is worth trying again. @param scheme of its URL */
export async function expectNobodyListens(scheme: string): Promise<void> {
  const listener = net.createServer().listen(0, '127.0.0.1');
  await once(listener, 'listening');
  const { port } = listener.address() as net.AddressInfo;
  listener.close();
  await once(listener, 'close');
  const error = await refusal(`${scheme}://u:s3cr3t-x@127.0.0.1:${port}/app`);
  expect(error).toMatchObject({ code: 'TENANCY_REGISTRY_UNREACHABLE', exitCode: 6, isRetryable: true });
  expect(error.message).toBe(`the registry at 127.0.0.1:${port}/app can't be reached: nothing listens there`);
}

/** That a URL is refused for this reason. */
export async function expectUrlRejected(url: string, reason: string): Promise<void> {
  const error = await refusal(url);
  expect(error).toMatchObject({ code: 'TENANCY_REGISTRY_URL_REJECTED', exitCode: 2 });
  expect(error.message).toContain(reason);
}
