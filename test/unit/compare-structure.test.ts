import { expect, test } from 'vitest';
import type { HomeInspection, StructureItem } from '../../src/drivers/driver.js';
import { readTable } from '../../src/drivers/mysql/read-table.js';
import { compareStructure, indexStructure } from '../../src/lifecycle/verify/compare-structure.js';

const home = (name: string, structure: readonly StructureItem[]): HomeInspection => ({
  nameInText: name,
  quotedName: `"${name}"`,
  invalidIndexes: [],
  rights: [],
  lacking: [],
  structure,
});
const item = (kind: string, name: string, definition = '', of: string | null = null): StructureItem => ({ kind, name, of, definition });
const reference = (...items: readonly StructureItem[]) => indexStructure(home('tenancy_new_1', items));
const closed = { isOpen: false };

test('takes the reference’s own name for that of the home, also between quotation marks, and no other word', () => {
  const found = home('t', [item('view', 'v', 'SELECT t.x FROM t.a t JOIN "t".b'), item('function', 'f()', 'format.x')]);
  const expected = reference(
    item('view', 'v', 'SELECT t.x FROM tenancy_new_1.a t JOIN "tenancy_new_1".b'),
    item('function', 'f()', 'format.x'),
  );
  expect(compareStructure(found, expected, closed)).toEqual([]);
  // What a name means to `replace` is nothing here.
  const strange = home("$&$'", [item('index', 'i', "ON $&$'.a")]);
  expect(compareStructure(strange, reference(item('index', 'i', 'ON tenancy_new_1.a')), closed)).toEqual([]);
});

test('names what is missing or too much once, and not each part of it', () => {
  const table = (name: string): StructureItem[] => [item('table', name), item('column', 'id', 'int', `table ${name}`)];
  expect(compareStructure(home('t', table('new')), reference(...table('old')), closed)).toEqual([
    'table old is missing',
    'table new is not of the migrations',
  ]);
  expect(compareStructure(home('t', table('new')), reference(), { isOpen: true })).toEqual([]);
  expect(compareStructure(home('t', [{ ...item('collection', 'c'), isImplicit: true }]), reference(), closed)).toEqual([]);
});

test('says what a thing is and what it was to be, where that is short', () => {
  const column = (definition: string): StructureItem => item('column', 'total', definition, 'table invoices');
  expect(
    compareStructure(
      home('t', [item('table', 'invoices'), column('integer')]),
      reference(item('table', 'invoices'), column('bigint')),
      closed,
    ),
  ).toEqual(['column total of table invoices is integer, expected bigint']);
  const long = item('view', 'v', 'x'.repeat(500));
  expect(compareStructure(home('t', [item('view', 'v', 'y')]), reference(long), closed)).toEqual([
    'view v has another definition than the migrations give it',
  ]);
});

test('takes a table of MySQL apart, without its comments and its counter', () => {
  const created = [
    'CREATE TABLE `a``b` (',
    "  `id` int(11) NOT NULL AUTO_INCREMENT COMMENT 'it''s, a \\'comment\\'',",
    "  `na,me` varchar(10) DEFAULT 'a, b',",
    '  PRIMARY KEY (`id`),',
    "  UNIQUE KEY `by ``name` (`na,me`) COMMENT 'fast',",
    '  CONSTRAINT `fk` FOREIGN KEY (`id`) REFERENCES `o` (`id`) ON DELETE CASCADE',
    ") ENGINE=InnoDB AUTO_INCREMENT=12 DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin COMMENT='it''s'",
  ].join('\n');
  const of = 'table a`b';
  expect(readTable('a`b', created)).toEqual([
    { kind: 'table', name: 'a`b', of: null, definition: 'ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin' },
    { kind: 'column', name: 'id', of, definition: 'int(11) NOT NULL AUTO_INCREMENT' },
    { kind: 'column', name: 'na,me', of, definition: "varchar(10) DEFAULT 'a, b'" },
    { kind: 'key', name: 'PRIMARY KEY', of, definition: 'PRIMARY KEY (`id`)' },
    { kind: 'index', name: 'by `name', of, definition: 'UNIQUE KEY (`na,me`)' },
    { kind: 'constraint', name: 'fk', of, definition: 'FOREIGN KEY (`id`) REFERENCES `o` (`id`) ON DELETE CASCADE' },
  ]);
});
