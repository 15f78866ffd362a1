import { existsSync, readdirSync } from 'node:fs';
import path from 'node:path';
import process from 'node:process';
import { describe, test } from 'vitest';
import { NOTE } from './note.js';
import { findPgbouncer } from './pgbouncer.js';
import { findMariadbd } from './private-mariadb.js';
import { canMountTight } from './private-server.js';
import { findFaketime } from './skewed-clock.js';

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
  faketime: { words: "the system's clock, shifted (apt install faketime)", isHere: () => findFaketime() !== null },
};

export function isHere(server: keyof typeof servers): boolean {
  return servers[server].isHere();
}

/**
 * Declares suites that need a server. Where it isn't there none of them is run and the end of the run says so once, unless
 * TENANCY_TEST_REQUIRE (`mariadb,mongodb`) names it: then that is a failure.
 */
export function describeOn(server: keyof typeof servers, suites: () => void): void {
  if (isHere(server)) return void describe(server, suites);
  test(`needs ${server}`, ({ skip }) => skipWithout(server, skip));
}

/** The same for one suite, `suiteOn('mariadb')('…', {}, () => …)`, which keeps its name where it isn't run. */
export function suiteOn(server: keyof typeof servers): (name: string, options: SuiteOptions, tests: () => void) => void {
  return (name, options, tests) => {
    if (isHere(server)) describe(name, options, tests);
    else describe(name, () => test(`needs ${server}`, ({ skip }) => skipWithout(server, skip)));
  };
}

interface SuiteOptions {
  readonly timeout?: number;
}

/** Ends a test that has found out by itself that it lacks the server or the tool. */
export function skipWithout(server: keyof typeof servers, skip: (note: string) => never): never {
  const { words } = servers[server];
  if (isRequired(server)) throw new Error(`TENANCY_TEST_REQUIRE names ${server}, which is not here: ${words}`);
  return skip(`${NOTE}${words}`);
}

/** Whether TENANCY_TEST_REQUIRE names it. */
export function isRequired(server: string): boolean {
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
