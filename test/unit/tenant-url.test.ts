import { describe, expect, test } from 'vitest';
import { forLibPq, formatUrl, readTenantUrl } from '../../hooks/presets/tenant-url.js';
import type { HookContext } from '../../src/config/types.js';
import { isTenancyError } from '../../src/errors.js';

const read = (url: string) => readTenantUrl({ url, tenant: { id: 'acme' }, driver: { name: 'mongodb-database' } } as HookContext, 'flyway');
const options = (text: string) => `options=${encodeURIComponent(text)}`;

describe("a tenant's URL, as each tool wants it", () => {
  test('is taken apart with what was encoded decoded, and the search path by itself', () => {
    const url = read(
      `postgres://us%40er:p%3Aw%2F@db:5433/my%20db?sslmode=require&${options('-c statement_timeout=5s -c search_path="te n""ant",extensions')}`,
    );
    expect({ ...url, query: [...url.query] }).toEqual({
      engine: 'postgres',
      user: 'us@er',
      password: 'p:w/',
      host: 'db:5433',
      database: 'my db',
      query: [['sslmode', 'require']],
      searchPath: '"te n""ant",extensions',
      options: '-c statement_timeout=5s',
    });
    expect(formatUrl('postgresql', url, [['schema', 'a b']])).toBe('postgresql://us%40er:p%3Aw%2F@db:5433/my%20db?schema=a%20b');
  });

  test.each([
    ['postgres://u@h/db', 'postgres://u@h/db?sslmode=disable', {}],
    ['postgres://u:secret@h/db?sslmode=verify-full', 'postgres://u@h/db?sslmode=verify-full', { PGPASSWORD: 'secret' }],
    ['postgres://h/db?user=u&password=secret', 'postgres://h/db?user=u&sslmode=disable', { PGPASSWORD: 'secret' }],
    ['postgres://:secret@h/db', 'postgres://h/db?sslmode=disable', { PGPASSWORD: 'secret' }],
    ['postgres:///db?host=%2Fvar%2Frun', 'postgres:///db?host=%2Fvar%2Frun&sslmode=disable', {}],
    [`postgres://u@h/db?${options('-c work_mem=1MB')}`, 'postgres://u@h/db?sslmode=disable&options=-c%20work_mem%3D1MB', {}],
  ])('never has its password on a command line: %s', (url, bare, env) => {
    expect(forLibPq(read(url), null)).toEqual({ url: bare, env });
  });

  test('of MySQL is known as such, and one of MongoDB refused', () => {
    expect(read('mysql://u:p@h:3306/tenant_acme')).toMatchObject({
      engine: 'mysql',
      database: 'tenant_acme',
      searchPath: null,
      options: '',
    });
    const refuse = (): unknown => read('mongodb://u:p@h/tenant_acme');
    expect(refuse).toThrow('acme: flyway is not run for a mongodb-database tenant');
    expect(() => {
      try {
        refuse();
      } catch (error) {
        if (isTenancyError(error, 'TENANCY_MIGRATOR_REFUSED')) throw new Error(error.hint);
      }
    }).toThrow('byDriver()');
  });
});
