import { describe, expect, it } from 'vitest';
import { inspectScript } from '../../src/migrations/sql/inspect.js';
import { lexSql } from '../../src/migrations/sql/lex.js';
import { rewriteForTenant } from '../../src/migrations/sql/rewrite.js';
import { parseSqlScript } from '../../src/migrations/sql/script.js';

function split(sql: string): string[] {
  return parseSqlScript(sql).statements.map(({ start, end }) => sql.slice(start, end));
}

describe('splitting a script', () => {
  it.each<[string, string, string[]]>([
    ['plain statements', 'SELECT 1; SELECT 2;', ['SELECT 1', 'SELECT 2']],
    ['a last one without a semicolon', 'SELECT 1;\nSELECT 2 -- end', ['SELECT 1', 'SELECT 2']],
    ['empty ones', ';;\n ; -- nothing\n;', []],
    [
      'strings',
      `SELECT ';', 'it''s;', E'\\';', N'a;', B'1';SELECT U&'\\0061;'`,
      [`SELECT ';', 'it''s;', E'\\';', N'a;', B'1'`, `SELECT U&'\\0061;'`],
    ],
    ['a backslash in a standard string', `SELECT '\\'; SELECT 2`, [`SELECT '\\'`, 'SELECT 2']],
    ['an escape string that goes on after a line break', `SELECT E'a'\n  'b\\';'; SELECT 2`, [`SELECT E'a'\n  'b\\';'`, 'SELECT 2']],
    ['names', 'SELECT "a;""b;" FROM U&"d;"; SELECT 2', ['SELECT "a;""b;" FROM U&"d;"', 'SELECT 2']],
    ['nested comments', '/* ; /* ; */ ; */ SELECT 1; -- ;\nSELECT 2', ['SELECT 1', 'SELECT 2']],
    ['an operator before a comment', 'SELECT 1 +-- ;\n2; SELECT 3 */* ; */ 4', ['SELECT 1 +-- ;\n2', 'SELECT 3 */* ; */ 4']],
    [
      'dollar quotes',
      'DO $$ a; $x$ ; $$; SELECT $a$ $$ ; $b$ ; $a$; SELECT 3',
      ['DO $$ a; $x$ ; $$', 'SELECT $a$ $$ ; $b$ ; $a$', 'SELECT 3'],
    ],
    ['a dollar in a name', 'SELECT a$b$c; SELECT 2', ['SELECT a$b$c', 'SELECT 2']],
    ['parameters', 'PREPARE p AS SELECT $1; EXECUTE p(2)', ['PREPARE p AS SELECT $1', 'EXECUTE p(2)']],
    [
      'parentheses',
      'CREATE RULE r AS ON INSERT TO t DO (DELETE FROM a; DELETE FROM b); SELECT 2',
      ['CREATE RULE r AS ON INSERT TO t DO (DELETE FROM a; DELETE FROM b)', 'SELECT 2'],
    ],
    [
      'BEGIN ATOMIC',
      'CREATE FUNCTION f() RETURNS int BEGIN ATOMIC SELECT CASE WHEN true THEN CASE 1 WHEN 1 THEN 2 END END; SELECT a.end AS case FROM a; END; SELECT 2',
      [
        'CREATE FUNCTION f() RETURNS int BEGIN ATOMIC SELECT CASE WHEN true THEN CASE 1 WHEN 1 THEN 2 END END; SELECT a.end AS case FROM a; END',
        'SELECT 2',
      ],
    ],
    ['CR LF and a byte order mark', '\uFEFFSELECT 1;\r\n-- c\r\nSELECT 2;\r\n', ['SELECT 1', 'SELECT 2']],
  ])('keeps %s whole', (_, sql, statements) => {
    expect(split(sql)).toEqual(statements);
  });

  it.each([
    ["SELECT 'a", 7],
    ['SELECT "a', 7],
    ['SELECT 1; /* /* */', 10],
    ['DO $x$ $$', 3],
    ['SELECT (1; SELECT 2', 7],
    ['CREATE FUNCTION f() RETURNS int BEGIN ATOMIC SELECT 1;', 38],
    ['SELECT 1;\0 SELECT 2', 9],
  ])('finds the unfinished in %j', (sql, offset) => {
    expect(parseSqlScript(sql).unfinished?.offset).toBe(offset);
  });

  it('gives the same text when joined, whatever the text', () => {
    const pieces = [
      "'",
      '"',
      '$$',
      '$a$',
      '/*',
      '*/',
      '--',
      '\n',
      '\r\n',
      ';',
      '(',
      ')',
      'E',
      'U&',
      '\\',
      '🐘',
      'é',
      'begin atomic ',
      ' end ',
      '1.5e',
      '$1',
      ' ',
      '\uFEFF',
      '||',
    ];
    let state = 20_261_121;
    const next = (below: number): number => {
      state = (state * 1_103_515_245 + 12_345) % 2_147_483_648;
      return Math.floor((state / 2_147_483_648) * below);
    };
    for (let round = 0; round < 2_000; round++) {
      const sql = Array.from({ length: next(30) }, () => pieces[next(pieces.length)]).join('');
      expect(
        lexSql(sql)
          .map(({ start, end }) => sql.slice(start, end))
          .join(''),
      ).toBe(sql);
      const script = parseSqlScript(sql);
      for (const { start, end } of script.statements) expect(end).toBeGreaterThan(start);
    }
  });

  it('takes a string of some megabytes', () => {
    expect(split(`SELECT '${"x''".repeat(1_000_000)}'; SELECT 2`)).toHaveLength(2);
  });
});

describe('rewriting a script for a tenant', () => {
  const target = { schema: 'te"n', extensionsSchema: 'extensions', publicTo: 'tenant', isTransactional: true } as const;

  function rewrite(sql: string): string {
    const script = parseSqlScript(sql);
    return rewriteForTenant(script, inspectScript(script), target).text;
  }

  it.each([
    ['SELECT * FROM public.a, "public"."b", Public.c', 'SELECT * FROM "te""n".a, "te""n"."b", "te""n".c'],
    ['GRANT ALL ON SCHEMA public TO PUBLIC', 'GRANT ALL ON SCHEMA "te""n" TO PUBLIC'],
    [`SELECT nextval('public.s'::regclass), 'public.x'`, `SELECT nextval('"te""n".s'::regclass), 'public.x'`],
    [`SELECT '"public"."s"'::regclass`, `SELECT '"te""n"."s"'::regclass`],
    [
      `CREATE FUNCTION f() RETURNS int AS $$ SELECT 1 FROM public.a $$ LANGUAGE sql SET search_path = public, x`,
      `CREATE FUNCTION f() RETURNS int AS $$ SELECT 1 FROM "te""n".a $$ LANGUAGE sql SET search_path = "te""n", x`,
    ],
    ['SELECT \'public.a\', $$public.a$$, "Public".a', 'SELECT \'public.a\', $$public.a$$, "Public".a'],
    ["SELECT 1;\nSET search_path TO\n public;\nSELECT set_config('search_path', '', false);", 'SELECT 1;\n/*\n*/;\n/**/;'],
    ['CREATE SCHEMA IF NOT EXISTS "public";SELECT 1', '/**/;SELECT 1'],
    ['CREATE EXTENSION IF NOT EXISTS\r\n "uuid-ossp";SELECT 1', '/*\r\n*/;SELECT 1'],
    [
      'SET lock_timeout = 1; SET SESSION x.y TO 2; SET LOCAL z = 3; SET ROLE a',
      'SET LOCAL lock_timeout = 1; SET LOCAL x.y TO 2; SET LOCAL z = 3; SET LOCAL ROLE a',
    ],
    ["SELECT set_config('lock_timeout', '1', false)", "SELECT set_config('lock_timeout', '1', true)"],
    ['\uFEFFSELECT 1', 'SELECT 1'],
  ])('%j', (sql, expected) => {
    expect(rewrite(sql)).toBe(expected);
  });

  it('keeps the way back to the file', () => {
    const sql = 'SELECT public.a, b, public.c, d';
    const script = parseSqlScript(sql);
    const { text, toSource } = rewriteForTenant(script, inspectScript(script), target);
    for (const name of ['.a', 'b', '.c', 'd']) expect(sql.slice(toSource(text.indexOf(name))).startsWith(name)).toBe(true);
  });
});
