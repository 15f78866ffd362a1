import { parseClusterUrl } from '../cluster-url.js';

/** Options of a URL that libpq reads from its environment too. What only node-pg knows is left out. */
const VARIABLES: Readonly<Record<string, string>> = {
  host: 'PGHOST',
  hostaddr: 'PGHOSTADDR',
  port: 'PGPORT',
  user: 'PGUSER',
  password: 'PGPASSWORD',
  passfile: 'PGPASSFILE',
  sslmode: 'PGSSLMODE',
  sslcert: 'PGSSLCERT',
  sslkey: 'PGSSLKEY',
  sslrootcert: 'PGSSLROOTCERT',
  sslcrl: 'PGSSLCRL',
  sslnegotiation: 'PGSSLNEGOTIATION',
  options: 'PGOPTIONS',
  channel_binding: 'PGCHANNELBINDING',
  gssencmode: 'PGGSSENCMODE',
  krbsrvname: 'PGKRBSRVNAME',
  connect_timeout: 'PGCONNECT_TIMEOUT',
  target_session_attrs: 'PGTARGETSESSIONATTRS',
};

export interface Login {
  readonly user: string;
  readonly password: string;
}

/**
 * What a tool of libpq's needs to connect as the URL says: in its environment, since command lines are everybody's to read. A login takes the place
 * of the URL's, and then its certificate, which would be another's, is left out.
 */
export function libpqEnvironment(
  url: string,
  { database, login, applicationName }: { readonly database: string; readonly login: Login | null; readonly applicationName: string },
): Readonly<Record<string, string>> {
  const parts = parseClusterUrl(url);
  if (parts === null) throw new TypeError('not a postgres:// URL');
  const environment: Record<string, string> = {};
  const [host = '', port] = splitHost(parts.host);
  if (host !== '') environment['PGHOST'] = host;
  if (port !== undefined) environment['PGPORT'] = port;
  const [user = '', ...password] = parts.credentials.split(':');
  if (user !== '') environment['PGUSER'] = decodeURIComponent(user);
  if (password.length > 0) environment['PGPASSWORD'] = decodeURIComponent(password.join(':'));
  for (const option of parts.query) {
    const [key = '', ...value] = option.split('=');
    const variable = VARIABLES[key];
    if (variable !== undefined) environment[variable] = decodeURIComponent(value.join('='));
  }
  if (login !== null) {
    environment['PGUSER'] = login.user;
    environment['PGPASSWORD'] = login.password;
    delete environment['PGSSLCERT'];
    delete environment['PGSSLKEY'];
    delete environment['PGPASSFILE'];
  }
  return { ...environment, PGDATABASE: database, PGAPPNAME: applicationName, LC_MESSAGES: 'C' };
}

/** Several hosts have several ports, which libpq has in one variable each. */
function splitHost(text: string): readonly [string, string | undefined] {
  const pairs = text.split(',').map((one) => /^(\[[^\]]*\]|[^:]*)(?::(\d+))?$/.exec(one));
  const hosts = pairs.map((pair) => decodeURIComponent((pair?.[1] ?? '').replace(/^\[|\]$/g, '')));
  const ports = pairs.map((pair) => pair?.[2] ?? '');
  return [hosts.join(','), ports.some((port) => port !== '') ? ports.join(',') : undefined];
}
