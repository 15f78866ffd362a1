import { explainUrl } from '../../config/url.js';
import type { EngineName } from '../../drivers/driver.js';
import { driversOf, engineOf, engineOfUrl } from '../../drivers/names.js';
import { TenancyError } from '../../errors.js';
import type { DriverName } from '../../tenant.js';
import { parseMongodbUrl } from '../../util/mongodb-url.js';
import { redactUrl, registerUrlSecrets } from '../../util/redact.js';

/** How the config is to name the server. */
export type ServerSource =
  | { readonly type: 'literal'; readonly url: string; readonly engine: EngineName }
  /** `engine`: of the URL that was given, and whose password has no place in a file; null where only the variable was named. */
  | { readonly type: 'variable'; readonly variable: string; readonly engine: EngineName | null };

/** Where a URL with a password goes instead of into the config. */
const VARIABLE = 'DATABASE_URL';

/** What may be typed for a server of each engine. */
export const SERVER_FORMS: Readonly<Record<EngineName, string>> = {
  postgres: 'postgres://…, embedded:DIR',
  mysql: 'mysql://…',
  mongodb: 'mongodb://…',
};
const EXPECTED = `${Object.values(SERVER_FORMS).join(', ')}, or env:NAME for a variable`;

/**
 * @param driver that was asked for, which the server has to fit
 * @throws TenancyError `TENANCY_OPTION_REJECTED`, without the password.
 */
export function readServerSource(text: string, driver?: DriverName): ServerSource {
  registerUrlSecrets(text);
  const [, variable] = /^env:(.*)$/s.exec(text) ?? [];
  if (variable !== undefined) {
    if (!/^[A-Za-z_][A-Za-z0-9_]*$/.test(variable)) throw rejected(text, 'env: and the name of a variable, such as env:DATABASE_URL');
    return { type: 'variable', variable, engine: null };
  }
  const engine = engineOfUrl(text);
  if (engine === null || explainUrl(text) !== null) throw rejected(text, EXPECTED);
  const isSecret = hasSecret(text, engine);
  if (driver !== undefined && engineOf(driver) !== engine) {
    const others = driversOf(engine).join(' or ');
    throw rejected(text, `${SERVER_FORMS[engineOf(driver)]} or env:NAME for --driver ${driver}, or --driver ${others} for this one`);
  }
  return isSecret ? { type: 'variable', variable: VARIABLE, engine } : { type: 'literal', url: text, engine };
}

/** Of the URL, or of the one that the variable has at the moment; null where that isn't known. */
export function engineOfServer(source: ServerSource, env: Readonly<Record<string, string | undefined>>): EngineName | null {
  if (source.type === 'literal') return source.engine;
  return source.engine ?? engineOfUrl(env[source.variable] ?? '');
}

export function isEmbedded(source: ServerSource): boolean {
  return source.type === 'literal' && /^embedded:/i.test(source.url);
}

/** A password, or anything among the options that may be one (`sslpassword`, `options=-c …`): better a variable too many. */
function hasSecret(url: string, engine: EngineName): boolean {
  if (/^embedded:/i.test(url)) return false;
  const { password, options } = engine === 'mongodb' ? readMongodb(url) : readUrl(url);
  return password !== '' || options.some((name) => /passw|passphrase|secret|token|^options$|^authMechanismProperties$/i.test(name));
}

interface UrlParts {
  readonly password: string;
  /** Their names. */
  readonly options: readonly string[];
}

function readUrl(url: string): UrlParts {
  const { password, searchParams } = new URL(url);
  return { password, options: [...searchParams.keys()] };
}

/** Several hosts are no URL to `new URL`. */
function readMongodb(url: string): UrlParts {
  const parts = parseMongodbUrl(url);
  if (parts === null)
    throw rejected(url, 'mongodb://user@host,host/?option=value, in which @ : / ? # % of a password are written %40 and so on');
  const { credentials, query } = parts;
  const at = credentials.indexOf(':');
  return { password: at < 0 ? '' : credentials.slice(at + 1), options: query.map((option) => option.split('=')[0] ?? '') };
}

function rejected(text: string, expected: string): TenancyError {
  return new TenancyError('TENANCY_OPTION_REJECTED', { option: '--url', value: redactUrl(text), expected });
}
