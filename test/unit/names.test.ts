import { describe, expect, it } from 'vitest';
import { isReservedName, parsePhysicalName } from '../../src/drivers/names.js';
import { DRIVER_NAMES } from '../../src/tenant.js';

const parse = (raw: string, allowMixedCase = false): string => parsePhysicalName('postgres-schema', raw, { allowMixedCase });

describe('parsePhysicalName', () => {
  it.each([
    'tenant_acme',
    'a',
    '7eleven',
    '_x',
    'tenant_0b9b9a52-4b3f-4b6e-9a0e-3a3a3a3a3a3a',
    'a.b',
    'ends-',
    'tenant_été',
    'テナント',
    'my_test',
    'testing',
    'publicity',
    'a'.repeat(63),
  ])('takes %s as it is', (raw) => {
    expect(parse(raw)).toBe(raw);
  });

  it.each([
    ['', 'it is empty'],
    ['a'.repeat(64), 'it has 64 bytes, and 63 is the most'],
    ['é'.repeat(32), 'it has 64 bytes, and 63 is the most'],
    ['a b', 'the character U+0020 is not allowed in it'],
    ['a\0b', 'NUL is not allowed in it'],
    ['a\nb', 'the character U+000A is not allowed in it'],
    ['a"b', '" is not allowed in it'],
    ["a'; DROP SCHEMA public; --", "' is not allowed in it"],
    ['a\\b', '\\ is not allowed in it'],
    ['a/b', '/ is not allowed in it'],
    ['a?b', '? is not allowed in it'],
    ['a%20b', '% is not allowed in it'],
    ['$user', '$ is not allowed in it'],
    ['a,b', ', is not allowed in it'],
    ['a\u200Bb', 'the character U+200B is not allowed in it'],
    ['a\u202Eb', 'the character U+202E is not allowed in it'],
    ['\u{1F600}', '\u{1F600} is not allowed in it'],
    ['\uD800', 'the character U+D800 is not allowed in it'],
    ['e\u0301', 'its accents are written as characters of their own (it is not in Unicode NFC)'],
    ['-a', 'it starts with -'],
    ['.a', 'it starts with .'],
    ['Acme', 'it has capital letters, which need quoting everywhere; write acme, or set allowMixedCaseNames'],
    ['É', 'it has capital letters, which need quoting everywhere; write é, or set allowMixedCaseNames'],
    ['pg_x', 'it is reserved for PostgreSQL'],
    ['postgres', 'it is reserved for PostgreSQL'],
    ['template0', 'it is reserved for PostgreSQL'],
    ['template1', 'it is reserved for PostgreSQL'],
    ['information_schema', 'it is reserved for the server'],
    ['public', 'it is reserved for PostgreSQL'],
    ['mysql', 'it is reserved for MySQL'],
    ['sys', 'it is reserved for MySQL'],
    ['performance_schema', 'it is reserved for MySQL'],
    ['test', 'it is reserved for MySQL'],
    ['test_acme', 'it is reserved for MySQL'],
    ['admin', 'it is reserved for MongoDB'],
    ['local', 'it is reserved for MongoDB'],
    ['config', 'it is reserved for MongoDB'],
    ['tenancy', 'it is reserved for tenancy itself'],
    ['tenancy_op_1', 'it is reserved for tenancy itself'],
    ['_tenancy', 'it is reserved for tenancy itself'],
    ['extensions', 'it is reserved for the extensions that schema tenants share'],
  ])('refuses %j: %s', (raw, reason) => {
    expect(() => parse(raw)).toThrow(
      expect.objectContaining({ code: 'TENANCY_NAME_REJECTED', exitCode: 2, details: { name: raw, driver: 'postgres-schema', reason } }),
    );
  });

  it('allows capital letters where it is told to, but no reserved name in any case', () => {
    expect(parse('Acme', true)).toBe('Acme');
    expect(() => parse('Public', true)).toThrow('it is reserved for PostgreSQL');
    expect(() => parse('PG_x', true)).toThrow('it is reserved for PostgreSQL');
    expect(isReservedName('TENANCY')).toBe(true);
  });

  it('shows no more of a very long name than a line', () => {
    expect(() => parse('x'.repeat(10_000))).toThrow(expect.objectContaining({ message: expect.stringMatching(/^.{0,250}$/) }));
  });

  it('has rules for every driver', () => {
    for (const driver of DRIVER_NAMES) expect(parsePhysicalName(driver, 'tenant_a', { allowMixedCase: false })).toBe('tenant_a');
  });
});
