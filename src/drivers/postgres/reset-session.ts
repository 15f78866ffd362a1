/**
 * What `DISCARD ALL` does, but fit to follow other statements in the same message, where DISCARD ALL refuses to run:
 * a session is handed on clean without a round trip of its own.
 */
export const RESET_SESSION_SQL =
  'RESET SESSION AUTHORIZATION; RESET ALL; DEALLOCATE ALL; CLOSE ALL; UNLISTEN *; SELECT pg_advisory_unlock_all(); DISCARD TEMP; DISCARD SEQUENCES';
