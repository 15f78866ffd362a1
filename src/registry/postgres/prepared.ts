import type { PoolClient } from 'pg';
import { isDirectConnection } from '../../util/direct-connection.js';
import { textCodeOf } from '../../util/network-errors.js';

/** A command of a second sends each of its statements once or twice: only what goes on for longer is worth asking the server for. */
const OFTEN = 4;
/** Texts of ours that are put together from filters could be any number. */
const MOST = 100;
/**
 * How often a name is used. With it goes the plan, which was perhaps made while a table was nearly empty, and would be kept when that has ten
 * thousand rows, until the server has looked at it again.
 */
const LIFETIME = 100;

/**
 * Names for statements that come again and again: a connection's server parses each once, and soon plans it once, for as long as the name is used
 * (https://www.postgresql.org/docs/current/sql-prepare.html).
 *
 * Not behind a pooler, where the next statement meets another server's session: https://www.pgbouncer.org/features.html.
 */
export interface StatementNames {
  /** Undefined: it is sent unnamed. */
  nameFor(client: PoolClient, sql: string): Promise<string | undefined>;
  /** Whether it failed for its name, before anything was carried out; from then on nothing has one. */
  giveUp(error: unknown): boolean;
}

interface Session {
  readonly isDirect: Promise<boolean>;
  /** How often each text was sent by its name. */
  readonly sent: Map<string, number>;
}

export function createStatementNames(): StatementNames {
  const times = new Map<string, number>();
  const numbers = new Map<string, number>();
  const sessions = new WeakMap<PoolClient, Session>();
  let isGivenUp = false;

  const isOften = (sql: string): boolean => {
    const before = times.get(sql) ?? 0;
    if (before === 0 && times.size === MOST) return false;
    times.set(sql, before + 1);
    return before >= OFTEN;
  };

  function sessionOf(client: PoolClient): Session {
    const known = sessions.get(client);
    if (known !== undefined) return known;
    // What fails here is no failure of the statement, which goes without a name; a broken connection fails that too.
    const session = { isDirect: isDirectConnection(client).catch(() => false), sent: new Map<string, number>() };
    sessions.set(client, session);
    return session;
  }

  return {
    nameFor: async (client, sql) => {
      if (isGivenUp || !isOften(sql)) return undefined;
      const { isDirect, sent } = sessionOf(client);
      if (!(await isDirect)) return undefined;
      const number = numbers.get(sql) ?? numbers.size + 1;
      numbers.set(sql, number);
      const before = sent.get(sql) ?? 0;
      sent.set(sql, before + 1);
      const age = Math.floor(before / LIFETIME);
      // Sent ahead of the statement that has the next name, and not waited for.
      if (age > 0 && before % LIFETIME === 0) client.query(`DEALLOCATE ${nameOf(number, age - 1)}`).catch(() => undefined);
      return nameOf(number, age);
    },
    giveUp: (error) => {
      if (isGivenUp || !isAboutNames(error)) return false;
      isGivenUp = true;
      return true;
    },
  };
}

function nameOf(number: number, age: number): string {
  return `tenancy_${number}_${age}`;
}

/** 26000 and 42P05: somebody has thrown it away, or has one of that name. 0A000: a newer version has changed a table meanwhile. */
function isAboutNames(error: unknown): boolean {
  const code = textCodeOf(error);
  return code === '26000' || code === '42P05' || (code === '0A000' && error instanceof Error && error.message.startsWith('cached plan'));
}
