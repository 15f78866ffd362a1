import { describe, expect, it } from 'vitest';
import { explainMysqlUrl, mysqlConnectOptions, parseMysqlUrl, withMysqlDatabase } from '../../src/util/mysql-url.js';

describe('a mysql:// URL', () => {
  it('is taken apart, decoded, and told without its secret', () => {
    expect(parseMysqlUrl('mysql://ad%40min:p%40ss@db.example:3307/tenant_a?ssl-mode=required')).toMatchObject({
      host: 'db.example',
      port: 3307,
      user: 'ad@min',
      password: 'p@ss',
      database: 'tenant_a',
      sslMode: 'REQUIRED',
      where: 'mysql://ad@min@db.example:3307/tenant_a',
    });
    expect(parseMysqlUrl('mariadb://root@[::1]')).toMatchObject({ host: '::1', port: 3306, database: null, sslMode: 'DISABLED' });
    expect(parseMysqlUrl('mysql://root@localhost/?socket=/run/mysqld.sock')).toMatchObject({
      socketPath: '/run/mysqld.sock',
      where: 'mysql://root@/run/mysqld.sock',
    });
  });

  it.each([
    ['postgres://localhost', 'it is not a well-formed mysql:// URL'],
    ['mysql:///x', 'it names no host'],
    ['mysql://h/%zz', 'a % in it is not followed by two digits: write a % itself as %25'],
    ['mysql://h/?ssl-mode=maybe', 'its ssl-mode is not one of DISABLED, PREFERRED, REQUIRED, VERIFY_CA, VERIFY_IDENTITY'],
    ...['127.0.0.1', '[::1]'].map((host) => [
      `mysql://${host}/?ssl-mode=verify_identity`,
      'its ssl-mode VERIFY_IDENTITY looks for a name in the certificate, and its host is an address: name the host, or take VERIFY_CA',
    ]),
    ['mysql://h/?charset=utf8', 'its option charset is not known; there are ssl-mode, ssl-ca, ssl-cert, ssl-key, socket'],
  ])('%s is refused', (url, reason) => {
    expect(explainMysqlUrl(url)).toBe(reason);
    expect(parseMysqlUrl(url)).toBeNull();
  });

  it('asks for what its ssl-mode means', () => {
    const ssl = (query: string): unknown => {
      const address = parseMysqlUrl(`mysql://u@h/?${query}`);
      return address === null ? null : mysqlConnectOptions(address).ssl;
    };
    expect(ssl('')).toBeUndefined();
    expect(ssl('ssl-mode=DISABLED')).toBeUndefined();
    expect(ssl('ssl-mode=REQUIRED')).toEqual({ rejectUnauthorized: false, verifyIdentity: false });
    expect(ssl('ssl-mode=VERIFY_CA')).toEqual({ rejectUnauthorized: true, verifyIdentity: false });
    expect(ssl('ssl-mode=VERIFY_IDENTITY')).toEqual({ rejectUnauthorized: true, verifyIdentity: true });
    expect(() => ssl('ssl-ca=/no/such/file')).toThrow(/ENOENT/);
  });

  it('is pointed at another database with all else kept', () => {
    expect(withMysqlDatabase('mysql://u:p%40@h:1/x?ssl-mode=REQUIRED', 'täglich')).toBe(
      'mysql://u:p%40@h:1/t%C3%A4glich?ssl-mode=REQUIRED',
    );
  });
});
