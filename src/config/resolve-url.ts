import path from 'node:path';
import { isTenancyError, TenancyError } from '../errors.js';
import { describeThrown } from '../util/import-failure.js';
import { registerUrlSecrets } from '../util/redact.js';
import type { UrlSource } from './types.js';
import { explainUrl } from './url.js';

/**
 * The URL that a source stands for, checked: `postgres://…`, or `embedded:` with an absolute directory (a relative one starts from `root`).
 * A function is called each time; `resolveConfig` sees to it that the user's is called once. The password is known to `redact` from then on.
 * @throws TenancyError `TENANCY_URL_REJECTED`, which names `where`, a path in the config.
 */
export async function resolveUrl(source: UrlSource, where: string, root: string, file: string | null = null): Promise<string> {
  const url: unknown = typeof source === 'string' ? source : await callSource(source, where, file);
  const problem = explainUrl(url);
  if (problem !== null) {
    const reason = typeof source === 'function' ? `the function returned no such URL: ${problem}` : problem;
    throw new TenancyError('TENANCY_URL_REJECTED', { file, path: where, reason });
  }
  return absoluteUrl(url as string, root);
}

/** A function that asks `source` until it has answered, and gives the same answer ever after. */
export function resolveOnce(
  source: () => string | Promise<string>,
  where: string,
  root: string,
  file: string | null,
): () => Promise<string> {
  let answer: Promise<string> | undefined;
  return () => {
    answer ??= resolveUrl(source, where, root, file).catch((error: unknown) => {
      answer = undefined;
      throw error;
    });
    return answer;
  };
}

/** Only for a URL that `explainUrl` has nothing against. */
export function absoluteUrl(url: string, root: string): string {
  registerUrlSecrets(url);
  return url.startsWith('embedded:') ? `embedded:${path.resolve(root, url.slice('embedded:'.length))}` : url;
}

async function callSource(source: () => string | Promise<string>, where: string, file: string | null): Promise<unknown> {
  try {
    return await source();
  } catch (thrown) {
    if (isTenancyError(thrown)) throw thrown;
    const reason = `the function failed: ${describeThrown(thrown)}`;
    throw new TenancyError('TENANCY_URL_REJECTED', { file, path: where, reason }, { cause: thrown });
  }
}
