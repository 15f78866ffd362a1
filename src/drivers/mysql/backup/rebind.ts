import { Transform, type TransformCallback } from 'node:stream';
import { TenancyError } from '../../../errors.js';
import { quoteName } from '../quote.js';

export interface Rebinding {
  readonly tenant: string;
  /** The database that it is loaded into. */
  readonly database: string;
  /** Whether there is such an account on this server: `user@host`. */
  hasAccount(user: string, host: string): boolean;
  /** Told each routine whose definer is gone: it is to run with the rights of whoever calls it. */
  onUnowned(kind: 'FUNCTION' | 'PROCEDURE', name: string): void;
}

const DEFINER = /DEFINER=`((?:[^`]|``)*)`@`((?:[^`]|``)*)`/;
const ROUTINE = /^CREATE DEFINER=`(?:[^`]|``)*`@`(?:[^`]|``)*` (?:AGGREGATE )?(FUNCTION|PROCEDURE) (?:IF NOT EXISTS )?`((?:[^`]|``)*)`/;
const VIEW = /^\/\*!50013 DEFINER=\S+ SQL SECURITY DEFINER \*\/$/;
const OWNED = /^(CREATE DEFINER=|\/\*!50013 DEFINER=|\/\*!50003 CREATE\*\/ \/\*!50017 DEFINER=|\/\*!50106 CREATE\*\/ \/\*!50117 DEFINER=)/;
/** Around routines of another collation than the database's: it names the database that was dumped, which may be somebody's now. */
const COLLATION = /^ALTER DATABASE `(?:[^`]|``)*` (CHARACTER SET \S+ COLLATE \S+ ;)$/;
/** Only MariaDB's newer clients know it. What it keeps out `--binary-mode` keeps out too. */
const SANDBOX = /^\/\*[!M]!?999999\\-/;
const DELIMITER = /^DELIMITER (\S+)$/;

/**
 * Makes a dump fit for another database, line by line. Only lines that begin a statement are looked at, as the dump writes them: data has no line breaks in
 * it, and the body of a routine begins behind its first line.
 *
 * A definer that is still there stays. One that has gone would leave a routine that nobody can call; to put the cluster's login in its place would give
 * its rights to whoever calls it. So routines and views run as their caller; triggers and events can't, and are refused.
 */
export function rebindDump(rebinding: Rebinding): Transform {
  let rest = Buffer.alloc(0);
  let isAtStart = true;
  let delimiter = ';';
  const convert = (line: string): string => {
    const delimiterLine = DELIMITER.exec(line);
    if (delimiterLine) {
      delimiter = delimiterLine[1] ?? ';';
      isAtStart = true;
      return line;
    }
    const isStart = isAtStart;
    isAtStart = line === '' || line.startsWith('--') || line.endsWith(delimiter) || (delimiter === ';' && line.endsWith('*/'));
    if (SANDBOX.test(line)) return '';
    const collation = COLLATION.exec(line);
    if (isStart && collation) return `ALTER DATABASE ${quoteName(rebinding.database)} ${collation[1]}`;
    return OWNED.test(line) && (isStart || line.startsWith('/*!')) ? rebindDefiner(line, rebinding) : line;
  };
  return new Transform({
    transform(chunk: Buffer, _encoding, done: TransformCallback) {
      try {
        const text = Buffer.concat([rest, chunk]);
        const end = text.lastIndexOf(0x0a) + 1;
        rest = text.subarray(end);
        if (end > 0) this.push(convertLines(text.subarray(0, end), convert));
        done();
      } catch (error) {
        done(error as Error);
      }
    },
    flush(done) {
      if (rest.length > 0) this.push(rest);
      done();
    },
  });
}

/** As bytes: what isn't UTF-8 stays what it is. */
function convertLines(lines: Buffer, convert: (line: string) => string): Buffer {
  return Buffer.from(lines.toString('latin1').split('\n').slice(0, -1).map(convert).join('\n').concat('\n'), 'latin1');
}

function rebindDefiner(line: string, { tenant, hasAccount, onUnowned }: Rebinding): string {
  const [, user = '', host = ''] = DEFINER.exec(line) ?? [];
  const account = [user, host].map((part) => Buffer.from(part.replaceAll('``', '`'), 'latin1').toString()) as [string, string];
  if (hasAccount(...account)) return line;
  const routine = ROUTINE.exec(line);
  if (routine) {
    const name = Buffer.from((routine[2] ?? '').replaceAll('``', '`'), 'latin1').toString();
    onUnowned(routine[1] === 'FUNCTION' ? 'FUNCTION' : 'PROCEDURE', name);
    return line.replace(/^CREATE DEFINER=`(?:[^`]|``)*`@`(?:[^`]|``)*` /, 'CREATE ');
  }
  if (VIEW.test(line)) return '/*!50013 SQL SECURITY INVOKER */';
  if (/SQL SECURITY INVOKER/.test(line)) return line.replace(DEFINER, '');
  throw new TenancyError('TENANCY_RESTORE_REFUSED', {
    tenant,
    reason: `a trigger or event in it runs as ${account.join('@')}, and there is no such account on this server`,
    next: `create the account ${account.join('@')} (with the rights that it is to have and no more), then run the same command again`,
  });
}
