import { describe, expect, it } from 'vitest';
import { parseMysqlScript } from '../../src/migrations/sql/mysql/script.js';

const split = (sql: string): string[] => parseMysqlScript(sql).statements.map(({ start, end }) => sql.slice(start, end));

describe('a script for MySQL', () => {
  it.each<[string, string, string[]]>([
    ['semicolons', 'SELECT 1; SELECT 2;\n;SELECT 3', ['SELECT 1', 'SELECT 2', 'SELECT 3']],
    ['strings', `SELECT 'a;b''c;\\';d', "x;""\\";y"; SELECT 2`, [`SELECT 'a;b''c;\\';d', "x;""\\";y"`, 'SELECT 2']],
    ['a backslash at the end of a string', `SELECT '\\\\'; SELECT 2`, [`SELECT '\\\\'`, 'SELECT 2']],
    ['names', 'SELECT `a;``;b` FROM `t;`; SELECT 2', ['SELECT `a;``;b` FROM `t;`', 'SELECT 2']],
    ['names do not know backslashes', 'SELECT `a\\`; SELECT 2', ['SELECT `a\\`', 'SELECT 2']],
    ['comments', '-- a;b\n# c;d\n/* e;f */ SELECT 1 /* ; */; -- last;', ['SELECT 1']],
    ['minus minus without a space is no comment', 'SELECT 1--1; SELECT 2', ['SELECT 1--1', 'SELECT 2']],
    [
      'a comment that is run',
      "/*!40101 SET NAMES utf8 */; /*M!100400 SELECT ';' */; SELECT 1",
      ['/*!40101 SET NAMES utf8 */', "/*M!100400 SELECT ';' */", 'SELECT 1'],
    ],
    [
      'a comment that is run within a statement',
      'CREATE TABLE t (a int) /*!50100 COMMENT="x;" */; SELECT 1',
      ['CREATE TABLE t (a int) /*!50100 COMMENT="x;" */', 'SELECT 1'],
    ],
    ['minus minus before a blank of Unicode', 'SELECT 1 --\u00A0; SELECT 2', ['SELECT 1 --\u00A0', 'SELECT 2']],
    [
      'a body of one statement, whatever the delimiter',
      'DELIMITER //\nCREATE PROCEDURE p() SELECT 1; DROP TABLE t //\nCREATE TRIGGER tr AFTER INSERT ON t FOR EACH ROW IF 1 THEN SELECT 1; END IF //',
      ['CREATE PROCEDURE p() SELECT 1', 'DROP TABLE t', 'CREATE TRIGGER tr AFTER INSERT ON t FOR EACH ROW IF 1 THEN SELECT 1; END IF'],
    ],
    ['names with $', 'SELECT $$ FROM a$b; SELECT 2', ['SELECT $$ FROM a$b', 'SELECT 2']],
    ['a byte order mark', '\uFEFFSELECT 1;', ['SELECT 1']],
  ])('is split beside %s', (_, sql, expected) => {
    expect(split(sql)).toEqual(expected);
  });

  it.each<[string, string]>([
    ['a procedure', 'CREATE PROCEDURE p() BEGIN SELECT 1; SELECT 2; END'],
    [
      'a procedure with all there is',
      'CREATE DEFINER=`a`@`%` PROCEDURE p(IN a int) COMMENT "x" READS SQL DATA BEGIN DECLARE x int; IF a THEN SELECT 1; ELSEIF b THEN SELECT IF(a, 1, 2); ELSE SET x = 1; END IF; END',
    ],
    [
      'case, as statement and expression',
      'CREATE PROCEDURE p() BEGIN CASE a WHEN 1 THEN SELECT CASE WHEN b THEN 1 END; ELSE BEGIN END; END CASE; SELECT 3; END',
    ],
    [
      'loops',
      "CREATE PROCEDURE p() BEGIN l: LOOP LEAVE l; END LOOP l; WHILE x DO SET x = 1; END WHILE; REPEAT SET s = REPEAT('a', 2); UNTIL x END REPEAT; END",
    ],
    [
      'a cursor and a handler',
      'CREATE PROCEDURE p() BEGIN DECLARE c CURSOR FOR SELECT 1; DECLARE EXIT HANDLER FOR NOT FOUND BEGIN SELECT 1; END; SELECT 2 FOR UPDATE; END',
    ],
    ['a block in a block', 'CREATE PROCEDURE p() BEGIN BEGIN SELECT 1; END; IF NOT a THEN BEGIN SELECT 2; END; END IF; END'],
    ['a trigger', 'CREATE TRIGGER t BEFORE INSERT ON x FOR EACH ROW BEGIN SET NEW.a = 1; SET NEW.b = 2; END'],
    ['a trigger of one statement', 'CREATE TRIGGER t BEFORE INSERT ON x FOR EACH ROW SET NEW.a = IF(NEW.b, 1, 2)'],
    ['a trigger of one IF', 'CREATE TRIGGER t BEFORE INSERT ON x FOR EACH ROW IF NEW.a THEN SET NEW.b = 1; END IF'],
    ['a function', 'CREATE FUNCTION IF NOT EXISTS f() RETURNS int DETERMINISTIC RETURN IF(1, 2, 3)'],
    ['a function with a body', 'CREATE FUNCTION f() RETURNS int BEGIN DROP TEMPORARY TABLE IF EXISTS x; RETURN 1; END'],
    [
      'an event',
      "CREATE EVENT e ON SCHEDULE EVERY 1 DAY ENDS '2030-01-01' ON COMPLETION PRESERVE DO BEGIN DELETE FROM a; DELETE FROM b; END",
    ],
    ['an event that changes', 'ALTER EVENT e DO BEGIN DELETE FROM a; DELETE FROM b; END'],
    ['a block of MariaDB', 'BEGIN NOT ATOMIC SELECT 1; IF a THEN SELECT 2; END IF; END'],
    ['a loop of MariaDB', 'CREATE PROCEDURE p() BEGIN FOR i IN 1..3 DO SELECT i; END FOR; SELECT 1; END'],
    ['names that are words', 'CREATE PROCEDURE p() BEGIN SELECT t.end, x AS end, t.`case`, t.begin FROM t; SELECT 2; END'],
  ])('keeps the body of %s together, with and without DELIMITER', (_, body) => {
    expect(split(`SELECT 1;\n${body};\nSELECT 2;`)).toEqual(['SELECT 1', body, 'SELECT 2']);
    expect(split(`DELIMITER $$\n${body}$$\ndelimiter ;\nSELECT 2;`)).toEqual([body, 'SELECT 2']);
    expect(split(`DELIMITER //\n${body} //\nDELIMITER ;\nSELECT 2;`)).toEqual([body, 'SELECT 2']);
    expect(split(`DELIMITER ;;\n/*!50003 ${body} */;;\nDELIMITER ;\nSELECT 2`)).toEqual([`/*!50003 ${body} */`, 'SELECT 2']);
  });

  it('keeps what DELIMITER keeps, whatever the body looks like', () => {
    expect(split('DELIMITER |\nCREATE PROCEDURE p() strange; words; END|\nINSERT a; INSERT b;|\nDELIMITER ;\nSELECT 2')).toEqual([
      'CREATE PROCEDURE p() strange; words; END',
      'INSERT a',
      'INSERT b',
      'SELECT 2',
    ]);
  });

  it.each<[string, number, RegExp]>([
    ["SELECT 1; SELECT 'abc", 17, /string/],
    ['SELECT `abc', 7, /name/],
    ['SELECT 1 /* abc', 9, /comment/],
    ['SELECT 1 /*!40000 abc', 9, /comment/],
    ['CREATE PROCEDURE p() BEGIN SELECT 1; SELECT 2;', 21, /without its END/],
    ['SELECT \0', 7, /NUL/],
    ["SELECT 1 /*!99999 ' */; DROP TABLE t; /* ' */", 9, /ends elsewhere where it is not run/],
    ["SELECT 1 /*M!999999 ' */; DROP TABLE t; /* ' */", 9, /ends elsewhere where it is not run/],
  ])('%j is unfinished', (sql, offset, what) => {
    expect(parseMysqlScript(sql).unfinished).toEqual({ offset, what: expect.stringMatching(what) });
  });

  it('loses no character', () => {
    const sql = "\uFEFFDELIMITER $$\nSELECT 'x' /*! a */ $$\n-- y\nDELIMITER ;\n SELECT 1.5e3, .5, 0x1F;";
    const { tokens } = parseMysqlScript(sql);
    expect(tokens.map(({ start, end }) => sql.slice(start, end)).join('')).toBe(sql);
  });

  it('bears a string of some megabytes', () => {
    expect(split(`INSERT INTO t VALUES ('${"\\'x".repeat(1_000_000)}'); SELECT 2`)).toHaveLength(2);
  });
});
