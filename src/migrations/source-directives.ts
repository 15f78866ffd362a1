import { TenancyError } from '../errors.js';
import { findClosest } from '../util/edit-distance.js';
import { showPath } from './source-directory.js';

const DIRECTIVE = /^--[ \t]*tenancy[ \t]*:[ \t]*(.*?)[ \t]*$/i;
const KNOWN = ['no-transaction'];

/** What other tools put between the up and the down part of one file, which would run both here. */
const FOREIGN_DOWN = [
  { tool: 'goose', mark: /^--[ \t]*\+goose[ \t]+down\b/im },
  { tool: 'sql-migrate', mark: /^--[ \t]*\+migrate[ \t]+down\b/im },
  { tool: 'dbmate', mark: /^--[ \t]*migrate:down\b/im },
];

export interface SqlDirectives {
  readonly isTransactional: boolean;
}

/**
 * Reads the `-- tenancy: …` lines of the comments that a file begins with.
 * @throws TenancyError `TENANCY_MIGRATION_DIRECTIVE_UNKNOWN`; `TENANCY_MIGRATION_FILE_REJECTED` for one that stands after the first statement.
 */
export function readDirectives(path: string, text: string): SqlDirectives {
  refuseForeignDown(path, text);
  const head = text.slice(0, measureLeadingComments(text));
  const directives = new Set<string>();
  text.split('\n').reduce((offset, content, index) => {
    const directive = DIRECTIVE.exec(content)?.[1];
    if (directive !== undefined) {
      if (offset >= head.length) refuseLate(path, index + 1);
      directives.add(checkDirective(path, index + 1, directive));
    }
    return offset + content.length + 1;
  }, 0);
  return { isTransactional: !directives.has('no-transaction') };
}

function checkDirective(path: string, line: number, directive: string): string {
  if (KNOWN.includes(directive)) return directive;
  const suggestion = findClosest(directive, KNOWN) ?? null;
  throw new TenancyError('TENANCY_MIGRATION_DIRECTIVE_UNKNOWN', { file: showPath(path), line, directive, suggestion });
}

function refuseLate(path: string, line: number): never {
  throw new TenancyError('TENANCY_MIGRATION_FILE_REJECTED', {
    file: showPath(path),
    reason: `the directive on line ${line} stands after the first statement`,
    advice: 'move it to the top of the file',
  });
}

function refuseForeignDown(path: string, text: string): void {
  const foreign = FOREIGN_DOWN.find(({ mark }) => mark.test(text));
  if (foreign === undefined) return;
  throw new TenancyError('TENANCY_MIGRATION_FILE_REJECTED', {
    file: showPath(path),
    reason: `it has ${foreign.tool}'s mark of a down part, which would be run right after the up part`,
    advice: 'move that part to a file of its own, <name>.down.sql',
  });
}

/** How many characters of white space and comments come before the first statement; block comments nest. */
function measureLeadingComments(text: string): number {
  let at = 0;
  for (;;) {
    at += /^\s*/.exec(text.slice(at))?.[0].length ?? 0;
    if (text.startsWith('--', at)) {
      const end = text.indexOf('\n', at);
      if (end === -1) return text.length;
      at = end + 1;
    } else if (text.startsWith('/*', at)) {
      at = skipBlockComment(text, at);
    } else {
      return at;
    }
  }
}

function skipBlockComment(text: string, start: number): number {
  const marks = /\/\*|\*\//g;
  marks.lastIndex = start;
  let depth = 0;
  for (let mark = marks.exec(text); mark !== null; mark = marks.exec(text)) {
    depth += mark[0] === '/*' ? 1 : -1;
    if (depth === 0) return marks.lastIndex;
  }
  return text.length;
}
