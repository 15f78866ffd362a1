import { explainUrl } from '../../config/url.js';
import { TenancyError } from '../../errors.js';
import { redactUrl, registerUrlSecrets } from '../../util/redact.js';

/** How the config is to name the server. */
export type ServerSource =
  | { readonly type: 'literal'; readonly url: string }
  /** `isHidden`: a URL was given whose password has no place in a file. */
  | { readonly type: 'variable'; readonly variable: string; readonly isHidden: boolean };

/** Where a URL with a password goes instead of into the config. */
const VARIABLE = 'DATABASE_URL';
const EXPECTED = 'postgres://…, embedded:DIR, or env:NAME for a variable';

/** @throws TenancyError `TENANCY_OPTION_REJECTED`, without the password. */
export function readServerSource(text: string): ServerSource {
  registerUrlSecrets(text);
  const [, variable] = /^env:(.*)$/s.exec(text) ?? [];
  if (variable !== undefined) {
    if (!/^[A-Za-z_][A-Za-z0-9_]*$/.test(variable)) throw rejected(text, 'env: and the name of a variable, such as env:DATABASE_URL');
    return { type: 'variable', variable, isHidden: false };
  }
  if (explainUrl(text) !== null) throw rejected(text, EXPECTED);
  if (hasSecret(text)) return { type: 'variable', variable: VARIABLE, isHidden: true };
  return { type: 'literal', url: text };
}

export function isEmbedded(source: ServerSource): boolean {
  return source.type === 'literal' && source.url.startsWith('embedded:');
}

/** A password, or anything among the options that may be one (`sslpassword`, `options=-c …`): better a variable too many. */
function hasSecret(url: string): boolean {
  if (url.startsWith('embedded:')) return false;
  const { password, searchParams } = new URL(url);
  return password !== '' || [...searchParams.keys()].some((name) => /passw|secret|token|^options$/i.test(name));
}

function rejected(text: string, expected: string): TenancyError {
  return new TenancyError('TENANCY_OPTION_REJECTED', { option: '--url', value: redactUrl(text), expected });
}
