import type { PoolClient } from 'pg';
import { isDirectConnection } from '../../util/direct-connection.js';
import { textCodeOf } from '../../util/network-errors.js';

/** A command of a second sends each of its statements once or twice: only what goes on for longer is worth asking the server for. */
const OFTEN = 4;
/** Texts of ours that are put together from filters could be any number. */
const MOST = 100;

/**
 * Names for statements that come again and again, so that each connection's server parses and analyses them once. It plans them every time all the
 * same: a plan that was made while a table was small would be kept when it has ten thousand rows.
 *
 * Not behind a pooler, where the next statement meets another server's session: https://www.pgbouncer.org/features.html.
 */
export interface StatementNames {
  /** Undefined: it is sent unnamed. */
  nameFor(client: PoolClient, sql: string): Promise<string | undefined>;
  /** Whether it failed for its name, before anything was carried out; from then on nothing has one. */
  giveUp(error: unknown): boolean;
}

export function createStatementNames(): StatementNames {
  const sent = new Map<string, number>();
  const names = new Map<string, string>();
  const own = new WeakMap<PoolClient, Promise<boolean>>();
  let isGivenUp = false;

  const isOften = (sql: string): boolean => {
    const times = (sent.get(sql) ?? 0) + 1;
    if (times === 1 && sent.size === MOST) return false;
    sent.set(sql, times);
    return times > OFTEN;
  };

  return {
    nameFor: async (client, sql) => {
      if (isGivenUp || !isOften(sql)) return undefined;
      // What fails here is no failure of the statement, which goes without a name; a broken connection fails that too.
      const asked = own.get(client) ?? prepareSession(client).catch(() => false);
      own.set(client, asked);
      if (!(await asked)) return undefined;
      const name = names.get(sql) ?? `tenancy_${names.size + 1}`;
      names.set(sql, name);
      return name;
    },
    giveUp: (error) => {
      if (isGivenUp || !isAboutNames(error)) return false;
      isGivenUp = true;
      return true;
    },
  };
}

async function prepareSession(client: PoolClient): Promise<boolean> {
  if (!(await isDirectConnection(client))) return false;
  await client.query('SET plan_cache_mode = force_custom_plan');
  return true;
}

/** 26000 and 42P05: somebody has thrown it away, or has one of that name. 0A000: a newer version has changed a table meanwhile. */
function isAboutNames(error: unknown): boolean {
  const code = textCodeOf(error);
  return code === '26000' || code === '42P05' || (code === '0A000' && error instanceof Error && error.message.startsWith('cached plan'));
}
