import type { StructureItem } from '../driver.js';

/**
 * Takes what SHOW CREATE TABLE answers apart: a line for each column, key and constraint, and the options of the table behind them. Where a
 * counter stands, and comments, are left out.
 */
export function readTable(name: string, created: string): readonly StructureItem[] {
  const lines = created.split('\n');
  const end = lines.findIndex((line, at) => at > 0 && line.startsWith(')'));
  const of = `table ${name}`;
  const options = lines
    .slice(end)
    .join(' ')
    .replace(/^\) ?/, '')
    .replace(/ ?\bAUTO_INCREMENT=\d+/, '')
    .replace(/ COMMENT='(?:[^'\\]|''|\\.)*'/, '');
  const parts = lines.slice(1, end).map((line) => readPart(line.trim().replace(/,$/, ''), of));
  return [{ kind: 'table', name, of: null, definition: options }, ...parts];
}

const PARTS: readonly (readonly [kind: string, pattern: RegExp])[] = [
  ['column', /^`((?:[^`]|``)+)` (.*)$/],
  ['constraint', /^CONSTRAINT `((?:[^`]|``)+)` (.*)$/],
  ['index', /^(?:UNIQUE |FULLTEXT |SPATIAL )?KEY `((?:[^`]|``)+)` (.*)$/],
];

function readPart(line: string, of: string): StructureItem {
  for (const [kind, pattern] of PARTS) {
    const [whole, name = '', rest = ''] = pattern.exec(line) ?? [];
    if (whole === undefined) continue;
    const definition = kind === 'index' ? `${line.slice(0, line.indexOf('`'))}${rest}` : rest;
    return { kind, name: name.replaceAll('``', '`'), of, definition: definition.replace(/ COMMENT '(?:[^'\\]|''|\\.)*'/, '') };
  }
  const [, name = line] = /^([A-Z ]+[A-Z])/.exec(line) ?? [];
  return { kind: 'key', name, of, definition: line };
}
