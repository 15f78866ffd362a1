import { existsSync, readdirSync } from 'node:fs';
import path from 'node:path';
import process from 'node:process';
import { describe, test } from 'vitest';
import { findPgbouncer } from './pgbouncer.js';
import { findMariadbd } from './private-mariadb.js';
import { canMountTight } from './private-server.js';

/** Servers and tools that not every machine has, each with the words that bring it here. */
const servers = {
  mariadb: {
    words: 'MariaDB (apt install mariadb-server-core)',
    isHere: () => hasValue('TENANCY_TEST_MYSQL_URL') || findMariadbd() !== null,
  },
  pgbouncer: { words: 'PgBouncer (apt install pgbouncer)', isHere: () => findPgbouncer() !== null },
  // Where no server is named, the rig has a stand-in.
  mongodb: { words: 'MongoDB (TENANCY_TEST_MONGODB_URL)', isHere: () => true },
  'postgresql-client': { words: 'pg_dump (apt install postgresql-client)', isHere: () => findProgram('pg_dump') !== null },
  tmpfs: { words: 'a small file system (as root, where mounting is allowed)', isHere: () => canMountTight() },
  'mariadb-client': { words: 'mariadb-dump (apt install mariadb-client)', isHere: () => findProgram('mariadb-dump') !== null },
};

/** Begins the note of a test that stands for suites that were not run; see count-reporter.ts. */
const NOTE = 'needs ';

/**
 * Declares suites that need a server. Where it isn't there none of them is run and the end of the run says so once, unless
 * TENANCY_TEST_REQUIRE (`mariadb,mongodb`) names it: then that is a failure.
 */
export function describeOn(server: keyof typeof servers, suites: () => void): void {
  const { words, isHere } = servers[server];
  if (isHere()) return void describe(server, suites);
  test(`needs ${server}`, ({ skip }) => {
    if (isRequired(server)) throw new Error(`TENANCY_TEST_REQUIRE names ${server}, which is not here: ${words}`);
    skip(`${NOTE}${words}`);
  });
}

function isRequired(server: string): boolean {
  const names = (process.env.TENANCY_TEST_REQUIRE ?? '').split(',').map((name) => name.trim());
  return names.includes(server);
}

/** On PATH, or where Debian keeps PostgreSQL's. */
export function findProgram(name: string): string | null {
  const debian = '/usr/lib/postgresql';
  const majors = existsSync(debian) ? readdirSync(debian).map((major) => path.join(debian, major, 'bin')) : [];
  const folders = [...majors, ...(process.env.PATH ?? '').split(path.delimiter)];
  return folders.map((folder) => path.join(folder, name)).find((file) => existsSync(file)) ?? null;
}

function hasValue(variable: string): boolean {
  return (process.env[variable] ?? '') !== '';
}
