import { describe, expect, it } from 'vitest';
import { checkSqlScript } from '../../src/migrations/sql/check.js';
import { excerptStatement } from '../../src/migrations/sql/excerpt.js';
import { parseSqlScript } from '../../src/migrations/sql/script.js';

function check(sql: string, options: { isTransactional?: boolean; isSchemaTenant?: boolean; publicTo?: 'tenant' | null } = {}): void {
  const { isTransactional = true, isSchemaTenant = true, publicTo = null } = options;
  checkSqlScript({ type: 'sql', file: 'migrations/1.sql', sql, isTransactional }, { isSchemaTenant, publicTo });
}

describe('checking a script', () => {
  it.each([
    ['BEGIN;', 'TENANCY_MIGRATION_TRANSACTION_REFUSED'],
    ['SELECT 1;\nstart transaction;', 'TENANCY_MIGRATION_TRANSACTION_REFUSED'],
    ['COMMIT', 'TENANCY_MIGRATION_TRANSACTION_REFUSED'],
    ['end;', 'TENANCY_MIGRATION_TRANSACTION_REFUSED'],
    ['ROLLBACK;', 'TENANCY_MIGRATION_TRANSACTION_REFUSED'],
    ["PREPARE TRANSACTION 'x'", 'TENANCY_MIGRATION_TRANSACTION_REFUSED'],
    ['\\connect other', 'TENANCY_MIGRATION_COMMAND_REFUSED'],
    ["SELECT 1;\n\\copy a from 'x'", 'TENANCY_MIGRATION_COMMAND_REFUSED'],
    ["COPY a (b) FROM stdin;\n1\tit's\n\\.\n", 'TENANCY_MIGRATION_COMMAND_REFUSED'],
    ['RESET ALL', 'TENANCY_MIGRATION_COMMAND_REFUSED'],
    ['CREATE UNIQUE INDEX CONCURRENTLY i ON t (a)', 'TENANCY_MIGRATION_NEEDS_NO_TRANSACTION'],
    ['drop index concurrently i', 'TENANCY_MIGRATION_NEEDS_NO_TRANSACTION'],
    ['REINDEX TABLE CONCURRENTLY t', 'TENANCY_MIGRATION_NEEDS_NO_TRANSACTION'],
    ['VACUUM t', 'TENANCY_MIGRATION_NEEDS_NO_TRANSACTION'],
    ['CREATE TABLESPACE x', 'TENANCY_MIGRATION_NEEDS_NO_TRANSACTION'],
    ['ALTER SYSTEM SET a = 1', 'TENANCY_MIGRATION_NEEDS_NO_TRANSACTION'],
    ['SELECT * FROM public.a', 'TENANCY_MIGRATION_SCHEMA_REFUSED'],
    ['SET search_path TO x', 'TENANCY_MIGRATION_SCHEMA_REFUSED'],
    ['DROP EXTENSION citext', 'TENANCY_MIGRATION_EXTENSION_REFUSED'],
    ["SELECT 'a", 'TENANCY_MIGRATION_UNFINISHED'],
  ])('refuses %j', (sql, code) => {
    expect(() => check(sql)).toThrow(expect.objectContaining({ code }));
  });

  it.each([
    'SAVEPOINT a; ROLLBACK TO a; RELEASE a',
    'DO $$ BEGIN PERFORM 1; END $$',
    'CREATE PROCEDURE p() LANGUAGE plpgsql AS $$ BEGIN COMMIT; END $$',
    'CREATE FUNCTION f() RETURNS int BEGIN ATOMIC SELECT 1; END',
    'REFRESH MATERIALIZED VIEW CONCURRENTLY m',
    'PREPARE p AS SELECT 1',
    'CREATE TABLE t (commit int, concurrently int)',
    "INSERT INTO t VALUES ('BEGIN; public.a \\connect')",
    'GRANT SELECT ON t TO PUBLIC',
    'CREATE EXTENSION citext WITH SCHEMA public',
    '-- BEGIN;\n/* COMMIT; */ SELECT 1',
  ])('lets %j through', (sql) => {
    expect(() => check(sql)).not.toThrow();
  });

  it('names the file and the line', () => {
    expect(() => check('-- a\r\n\r\nSELECT 1; COMMIT;')).toThrow(
      'migrations/1.sql, line 3: COMMIT is refused, it would part the work of the migration from its history row',
    );
  });

  it('lets a tenant with a database of its own use public, and one with a schema where public is its own', () => {
    check('SELECT * FROM public.a; SET search_path = x', { isSchemaTenant: false });
    check('SELECT * FROM public.a; SET search_path = x', { publicTo: 'tenant' });
  });

  it('lets what cannot be in a transaction into a file without one', () => {
    check('CREATE INDEX CONCURRENTLY i ON t (a)', { isTransactional: false });
    expect(() => check('BEGIN', { isTransactional: false })).toThrow(/BEGIN is refused/);
  });
});

describe('what reaches beyond a tenant', () => {
  const refused = (sql: string, isSchemaTenant: boolean): string | null => {
    for (const publicTo of isSchemaTenant ? ([null, 'tenant'] as const) : [null]) {
      try {
        check(sql, { isSchemaTenant, publicTo });
        return null;
      } catch (error) {
        if (publicTo === 'tenant' || !isSchemaTenant) return (error as { code: string }).code.replace('TENANCY_MIGRATION_', '');
      }
    }
    return null;
  };

  it.each([
    'DROP SCHEMA tenancy CASCADE',
    'drop schema if exists tenant_b cascade',
    'ALTER SCHEMA tenant_b RENAME TO x',
    'ALTER SCHEMA "tenant_a" OWNER TO bob',
    'DROP OWNED BY CURRENT_USER',
    'REASSIGN OWNED BY a TO b',
    'CREATE DATABASE x',
    'DELETE FROM tenancy.tenants',
    'UPDATE "tenancy"."tenants" SET status = 1',
    'DROP TABLE IF EXISTS Tenancy.whatever',
    'UPDATE U&"ten\\0061ncy".tenants SET a = 1',
    'GRANT ALL ON SCHEMA tenancy TO bob',
    'DO $$ BEGIN DROP SCHEMA tenancy CASCADE; END $$',
    "DO $$ BEGIN EXECUTE 'DROP SCHEMA ' || 'tenancy CASCADE'; END $$",
    "DO 'BEGIN DELETE FROM tenancy.runs; END'",
    "SELECT run_it('SELECT 1; drop schema tenant_b')",
    "CREATE FUNCTION f() RETURNS void LANGUAGE plpgsql AS $$ DECLARE q text := 'DROP OWNED BY x'; BEGIN EXECUTE q; END $$",
    'CREATE TABLE U&"p\\0075blic" UESCAPE \'!\' (i int)',
  ])('is refused in a schema tenant alone: %j', (sql) => {
    expect(refused(sql, true)).toBe('SCHEMA_REFUSED');
    expect(refused(sql, false)?.replace('NEEDS_NO_TRANSACTION', '') || null).toBe(null);
  });

  it.each([
    'DROP DATABASE x',
    'ALTER DATABASE x SET search_path = y',
    'DROP SCHEMA a, _tenancy',
    "DO $$ BEGIN EXECUTE 'DROP DATABASE x'; END $$",
  ])('is refused in every tenant: %j', (sql) => {
    expect(refused(sql, true)).toBe('SCHEMA_REFUSED');
    expect(refused(sql, false)).toBe('SCHEMA_REFUSED');
  });

  it.each([
    'DO $$ BEGIN CREATE EXTENSION IF NOT EXISTS citext; END $$',
    "DO $$ BEGIN EXECUTE format('create extension %I', 'citext'); END $$",
    'CREATE PROCEDURE p() LANGUAGE plpgsql AS $$ BEGIN EXECUTE $q$ CREATE  EXTENSION citext $q$; END $$',
    "SELECT make('CREATE EXTENSION citext')",
  ])('is an extension where it can not be led to the shared schema: %j', (sql) => {
    expect(refused(sql, true)).toBe('EXTENSION_REFUSED');
    expect(refused(sql, false)).toBe(null);
    expect(() => check(sql)).toThrow(expect.objectContaining({ hint: expect.stringContaining('a statement of its own') }));
  });

  it.each([
    'CREATE TABLE tenancy (id int, started date); SELECT tenancy.id, extract(year FROM tenancy.started) FROM tenancy',
    'SELECT u.tenancy FROM users u JOIN tenancy ON tenancy.user_id = u.id',
    "INSERT INTO permissions VALUES ('create database'), ('Drop schema access'), (1, 'create extension ')",
    "COMMENT ON TABLE t IS 'DROP SCHEMA x'",
    '-- DROP SCHEMA tenancy\nSELECT 1 /* CREATE EXTENSION in DO */',
    'CREATE TABLE t (owned int, schema text, database text)',
    'DROP TABLE _tenancy_old',
    'CREATE EXTENSION citext',
    'SELECT U&"p\\0075b" FROM t',
  ])('lets %j through', (sql) => {
    expect(() => check(sql)).not.toThrow();
    expect(() => check(sql, { isSchemaTenant: false })).not.toThrow();
  });

  it('lets no escape hide the schema public', () => {
    expect(() => check('CREATE TABLE U&"p\\0075blic".t (i int)')).toThrow(/line 1: the schema public reaches beyond/);
    expect(() => check('DO $$ BEGIN INSERT INTO u&"\\+000070ublic".t VALUES (1); END $$')).toThrow(/the schema public/);
  });
});

describe('an excerpt', () => {
  const excerpt = (sql: string, at: string | null): string => {
    const statement = parseSqlScript(sql).statements[0];
    if (!statement) throw new Error('no statement');
    return excerptStatement(sql, statement, at === null ? null : sql.indexOf(at));
  };

  it('has a caret under the column', () => {
    expect(excerpt('\n\nCREATE TABLE "🐘" (\n\tid intt\n);', 'intt')).toBe('3 | CREATE TABLE "🐘" (\n4 | \tid intt\n  | \t   ^\n5 | );');
  });

  it('has six lines at most, around the caret', () => {
    const sql = `SELECT\n${Array.from({ length: 20 }, (_, index) => `  c${index},`).join('\n')}\n  1`;
    expect(excerpt(sql, 'c10,')).toBe(' 9 |   c7,\n10 |   c8,\n11 |   c9,\n12 |   c10,\n   |   ^\n13 |   c11,\n14 |   c12,\n   | …');
  });

  it('shows no password', () => {
    const text = excerpt(`CREATE ROLE a PASSWORD 'hunter2' VALID UNTIL 'x'`, null);
    expect(text).toBe(`1 | CREATE ROLE a PASSWORD '*******' VALID UNTIL 'x'`);
    expect(excerpt(`CREATE SUBSCRIPTION s CONNECTION 'host=x password=hunter2 user=y' PUBLICATION p`, null)).not.toContain('hunter2');
    expect(excerpt(`CREATE USER MAPPING FOR a SERVER s OPTIONS (user 'u', password 'hunter2')`, null)).not.toContain('hunter2');
    expect(excerpt(`CREATE ROLE a PASSWORD $$hunter2$$ LOGIN`, null)).not.toContain('hunter2');
    expect(excerpt(`CREATE ROLE a PASSWORD 'it''s $$ hunter2' LOGIN`, null)).not.toContain('hunter2');
  });
});
