import { describe, expect, test } from 'vitest';
import { readDirectives } from '../../src/migrations/source-directives.js';

const read = (sql: string): boolean => readDirectives('/migrations/1_a.sql', sql).isTransactional;

describe('the no-transaction directive', () => {
  test.each([
    '-- tenancy: no-transaction\nSELECT 1;',
    '--tenancy:no-transaction\nSELECT 1;',
    '\n\n  -- made in March\n/* a /* nested */ comment */ -- here\n-- Tenancy : no-transaction  \nSELECT 1;',
    '/*\n two lines\n*/\n-- tenancy: no-transaction',
  ])('is read among the leading comments: %j', (sql) => {
    expect(read(sql)).toBe(false);
  });

  test.each([
    'SELECT 1;',
    '-- about tenancy: nothing\nSELECT 1;',
    '-- the tenancy\nSELECT 1;',
    '/* -- tenancy: no */ SELECT 1; -- tenancy: no-transaction',
  ])('is not seen in %j', (sql) => {
    expect(read(sql)).toBe(true);
  });

  test('is refused after the first statement, naming the line', () => {
    expect(() => read('SELECT 1;\n-- tenancy: no-transaction\n')).toThrow(
      /1_a\.sql: the directive on line 2 stands after the first statement/,
    );
  });

  test.each([
    ['-- tenancy: no-transactions', 'did you mean `-- tenancy: no-transaction`?'],
    ['-- tenancy: notransaction', 'did you mean `-- tenancy: no-transaction`?'],
    ['-- tenancy: concurrently', 'the only one there is: `-- tenancy: no-transaction`'],
    ['-- tenancy:', 'the only one there is: `-- tenancy: no-transaction`'],
  ])('%s is unknown', (sql, hint) => {
    expect(() => read(sql)).toThrow(expect.objectContaining({ code: 'TENANCY_MIGRATION_DIRECTIVE_UNKNOWN', hint }));
  });
});

test.each(['-- +goose Down', '-- migrate:down', '-- +migrate Down'])('a down part in the same file is refused: %s', (mark) => {
  expect(() => read(`CREATE TABLE t ();\n${mark}\nDROP TABLE t;\n`)).toThrow(/which would be run right after the up part/);
});
