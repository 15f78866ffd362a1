import type { MigrationScript } from '../../migrations/migration.js';

/** What `DISCARD ALL` does, but fit for a message of several statements and for a transaction, where DISCARD ALL refuses to run. It gives no row. */
export const RESET_SESSION_SQL =
  'RESET SESSION AUTHORIZATION; RESET ALL; DEALLOCATE ALL; CLOSE ALL; UNLISTEN *; DO $$BEGIN PERFORM pg_advisory_unlock_all(); END$$; DISCARD TEMP; DISCARD SEQUENCES';

/** Statements that outlive their transaction. SET is looked for only where a statement can begin, as in UPDATE … SET it is harmless. */
const LEAVES_STATE =
  /(?:^|;|\$|\bbegin\b|\bthen\b|\belse\b|\bloop\b)\s*set\s+(?!local\b|constraints\b|transaction\b)|\bset_config\s*\(|\btemp(?:orary)?\s|\bpg_temp\b|\bwith\s+hold\b|advisory_lock|\b(?:listen|prepare|load)\s/i;

const COMMENTS = /--[^\n]*|\/\*[^]*?\*\//g;

const answers = new WeakMap<MigrationScript, boolean>();

/**
 * Whether a connection has to be cleaned after this script before another tenant may have it. A guess from the text that would
 * rather say yes: cleaning costs a round trip, which a fleet of thousands feels, and most migrations need none.
 */
export function leavesSessionState(script: MigrationScript | null): boolean {
  if (script === null) return false;
  const known = answers.get(script);
  if (known !== undefined) return known;
  const answer = script.type === 'module' || leavesState(script.sql);
  answers.set(script, answer);
  return answer;
}

/** The same for one text that is sent but once. */
export function leavesState(sql: string): boolean {
  return LEAVES_STATE.test(sql.replace(COMMENTS, ' '));
}
