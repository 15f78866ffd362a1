import { describe, expect, it } from 'vitest';
import { checkMysqlScript } from '../../src/migrations/sql/mysql/check.js';
import { parseMysqlScript } from '../../src/migrations/sql/mysql/script.js';
import { kindOf } from '../../src/migrations/sql/mysql/statement-kind.js';

const check = (sql: string): unknown => {
  try {
    checkMysqlScript({ type: 'sql', file: 'a.sql', sql, isTransactional: true });
    return null;
  } catch (error) {
    return error;
  }
};

describe('the check of a script for MySQL', () => {
  it.each<[string, string, RegExp]>([
    ['START TRANSACTION', 'TRANSACTION', /START TRANSACTION/],
    ['BEGIN', 'TRANSACTION', /BEGIN/],
    ['COMMIT', 'TRANSACTION', /COMMIT/],
    ['ROLLBACK', 'TRANSACTION', /ROLLBACK/],
    ['XA START "x"', 'TRANSACTION', /XA/],
    ['SET autocommit = 0', 'TRANSACTION', /SET autocommit/],
    ['SET @@session.autocommit := 0', 'TRANSACTION', /SET autocommit/],
    ['source other.sql', 'COMMAND', /source is a command/],
    ['\\. other.sql', 'COMMAND', /\\\. is a command/],
    ["LOAD DATA LOCAL INFILE 'x' INTO TABLE t", 'COMMAND', /LOCAL/],
    ['LOCK TABLES t WRITE', 'COMMAND', /LOCK TABLES/],
    ["SET sql_mode = 'ANSI_QUOTES'", 'COMMAND', /sql_mode/],
    ['SET @@session.sql_mode = 4', 'COMMAND', /sql_mode/],
    ['SET NAMES gbk', 'COMMAND', /character set/],
    ["SET character_set_client = 'sjis'", 'COMMAND', /character set/],
    ['USE other', 'SCHEMA', /USE other/],
    ['CREATE DATABASE x', 'SCHEMA', /CREATE DATABASE/],
    ['DROP SCHEMA x', 'SCHEMA', /DROP SCHEMA/],
    ['ALTER DATABASE x CHARACTER SET utf8mb4', 'SCHEMA', /ALTER DATABASE/],
    ['GRANT SELECT ON t TO u', 'SCHEMA', /GRANT/],
    ["CREATE USER 'u'@'%'", 'SCHEMA', /CREATE USER/],
    ['SET GLOBAL max_connections = 1', 'SCHEMA', /SET GLOBAL/],
    ['SET @@global.max_connections = 1', 'SCHEMA', /SET GLOBAL/],
    ['KILL 1', 'SCHEMA', /KILL/],
    ['CREATE TABLE other.t (a int)', 'SCHEMA', /other\.t/],
    ['CREATE TABLE IF NOT EXISTS `other`.`t` (a int)', 'SCHEMA', /other\.t/],
    ['DROP TABLE a, other.b', 'SCHEMA', /other\.b/],
    ['INSERT INTO other.t SELECT 1', 'SCHEMA', /other\.t/],
    ['INSERT INTO t SELECT * FROM other.u', 'SCHEMA', /other\.u/],
    ['SELECT * FROM t JOIN other.u ON t.id = u.id', 'SCHEMA', /other\.u/],
    ['UPDATE other.t SET a = 1', 'SCHEMA', /other\.t/],
    ['DELETE FROM mysql.user', 'SCHEMA', /mysql\.user/],
    ['CREATE INDEX i ON other.t (a)', 'SCHEMA', /other\.t/],
    ['ALTER TABLE t ADD FOREIGN KEY (a) REFERENCES other.u (b)', 'SCHEMA', /other\.u/],
    ['RENAME TABLE a TO other.a', 'SCHEMA', /other\.a/],
    ['ALTER TABLE a RENAME TO other.a', 'SCHEMA', /other\.a/],
    ['CALL other.p()', 'SCHEMA', /other\.p/],
    ['CREATE PROCEDURE p() BEGIN DELETE FROM other.t; END', 'SCHEMA', /other\.t/],
    ["EXECUTE IMMEDIATE 'DROP DATABASE other'", 'SCHEMA', /DROP DATABASE/],
    ["PREPARE s FROM 'DELETE FROM other.t WHERE a = \\'x\\''", 'SCHEMA', /other\.t/],
    ["SET @s = 'DROP DATABASE other'", 'SCHEMA', /DROP DATABASE/],
    ["SET @a = 1, @s := 'GRANT ALL ON *.* TO u'", 'SCHEMA', /GRANT/],
    ["CREATE PROCEDURE p() BEGIN EXECUTE IMMEDIATE 'USE other'; END", 'SCHEMA', /USE other/],
    ['DELETE FROM `_tenancy_migrations`', 'SCHEMA', /_tenancy_migrations/],
    ['CREATE TRIGGER x BEFORE INSERT ON _tenancy_state FOR EACH ROW SET @a = 1', 'SCHEMA', /_tenancy_state/],
  ])('refuses %s', (sql, code, message) => {
    const error = check(`SELECT 1;\n${sql};`);
    expect(error).toMatchObject({ code: `TENANCY_MIGRATION_${code}_REFUSED`, details: { file: 'a.sql', line: 2 } });
    expect((error as Error).message).toMatch(message);
  });

  it('refuses what is never closed', () => {
    expect(check("SELECT 1;\nSELECT 'x")).toMatchObject({ code: 'TENANCY_MIGRATION_UNFINISHED', details: { line: 2 } });
  });

  it.each([
    'SELECT t.a, EXTRACT(YEAR FROM t.b), TRIM(LEADING 0 FROM t.c) FROM t WHERE t.id IN (SELECT u.id FROM u)',
    'SELECT * FROM information_schema.TABLES JOIN performance_schema.threads',
    'INSERT INTO t (a) VALUES (1) ON DUPLICATE KEY UPDATE t.a = 2',
    'UPDATE t JOIN u ON t.id = u.id SET t.a = u.b',
    'DELETE t.* FROM t JOIN u ON t.id = u.id',
    'CREATE TRIGGER x BEFORE UPDATE ON t FOR EACH ROW SET NEW.a = OLD.a',
    "CREATE TABLE t (a int, at timestamp ON UPDATE CURRENT_TIMESTAMP) COMMENT 'USE other; \\\\. x'",
    'ALTER DATABASE CHARACTER SET utf8mb4',
    "SET sql_mode = 'NO_AUTO_VALUE_ON_ZERO'",
    'SET FOREIGN_KEY_CHECKS = 0',
    "SET @a = 'Use the form, or start again from the site.of.ours'",
    "INSERT INTO t VALUES ('DROP DATABASE x'); UPDATE t SET a = 'DROP DATABASE x'",
    "EXECUTE IMMEDIATE 'DROP TABLE IF EXISTS t'; PREPARE s FROM @s",
    'SAVEPOINT a; ROLLBACK TO SAVEPOINT a',
    'CREATE PROCEDURE p() BEGIN START TRANSACTION; COMMIT; END',
    'BEGIN NOT ATOMIC SELECT 1; END',
    '/*!40101 SET NAMES utf8 */; /*!40014 SET @OLD_FOREIGN_KEY_CHECKS=@@FOREIGN_KEY_CHECKS, FOREIGN_KEY_CHECKS=0 */',
  ])('lets %s through', (sql) => {
    expect(check(sql)).toBeNull();
  });

  it.each([
    ['SET @a = 1', 'session'],
    ['SELECT COUNT(*) FROM t', 'session'],
    ['SELECT my_function(1)', 'data'],
    ['INSERT INTO t VALUES (1)', 'data'],
    ['WITH a AS (SELECT 1) DELETE FROM t', 'data'],
    ['CREATE TEMPORARY TABLE t (a int)', 'data'],
    ['CREATE TABLE t (a int)', 'definition'],
    ['CREATE OR REPLACE DEFINER = a@b VIEW v AS SELECT 1', 'definition'],
    ['TRUNCATE t', 'definition'],
    ['CALL p()', 'opaque'],
    ['EXECUTE s', 'opaque'],
    ['SET STATEMENT max_statement_time = 1 FOR ALTER TABLE t ADD x int', 'opaque'],
    ['ANALYZE DELETE FROM t', 'opaque'],
    ['ANALYZE TABLE t', 'definition'],
    ['DROP PREPARE s', 'session'],
    ['BEGIN NOT ATOMIC SELECT 1; END', 'opaque'],
  ])('%s is %s', (sql, kind) => {
    expect(kindOf(parseMysqlScript(sql).statements[0]?.words ?? [])).toBe(kind);
  });
});
