/** What a certificate is asked for, as `sslmode` in a `postgres://` URL has it. */
const OPTION = /^sslmode=/;

/**
 * The URL as node-pg has to read it for `sslmode` to mean what it means to libpq, and so to psql, pg_dump and most migrators, which are
 * handed the same URL: `require` encrypts and checks no certificate, unless `sslrootcert` names who may sign it. By itself
 * node-pg 8 takes `prefer`, `require` and `verify-ca` for `verify-full`, and warns on stderr that it won't for long.
 */
export function withLibpqTls(url: string): string {
  const at = url.indexOf('?');
  const options = at < 0 ? [] : url.slice(at + 1).split('&');
  const has = (name: string): boolean => options.some((option) => option.startsWith(`${name}=`));
  if (has('uselibpqcompat')) return url;
  const mode = options.findLast((option) => OPTION.test(option))?.replace(OPTION, '');
  // No certificate authority to check by: node-pg refuses it, and the system's, with the host's name checked too, is what is stricter.
  if (mode === 'verify-ca' && !has('sslrootcert')) return `${url.slice(0, at + 1)}${options.map(toVerifyFull).join('&')}`;
  return mode === 'prefer' || mode === 'require' || mode === 'verify-ca' ? `${url}&uselibpqcompat=true` : url;
}

function toVerifyFull(option: string): string {
  return OPTION.test(option) ? 'sslmode=verify-full' : option;
}
