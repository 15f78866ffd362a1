import { query } from '../rig/postgres.js';
import { startPrivateServer } from '../rig/private-server.js';
import { describeOn } from '../rig/require.js';
import type { SandboxProjectOptions } from '../rig/sandbox.js';
import { commandsAt, configExtra, describeBackups, removal, sweptBy } from './backup-crash-suite.js';
import { isWholeSweep } from './sweep.js';

const onPostgres: SandboxProjectOptions = {
  configExtra,
  migrations: {
    '0001_accounts.sql': `CREATE EXTENSION IF NOT EXISTS citext;
CREATE TABLE counts (name text NOT NULL);
CREATE TABLE accounts (id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, name citext NOT NULL UNIQUE);
INSERT INTO accounts (name) SELECT 'account ' || n FROM generate_series(1, 100) n;
INSERT INTO counts VALUES ('0001_accounts');
`,
  },
};

describeOn('postgresql-client', () => {
  const { backup, givenUp, restore, copy, renaming } = commandsAt('0001_accounts');
  describeBackups({
    startServer: () => startPrivateServer('15'),
    swept: [
      ...sweptBy('postgres-schema', onPostgres, [backup, givenUp, restore, copy, removal, ...(isWholeSweep ? [renaming] : [])]),
      ...sweptBy('postgres-database', onPostgres, [givenUp, restore, removal]),
    ],
    findLeft: async (url) => {
      const left = await query<{ name: string }>(
        url,
        `SELECT rolname AS name FROM pg_roles WHERE rolname LIKE 'tenancy\\_%' UNION ALL SELECT datname FROM pg_database WHERE datname LIKE 'tenancy\\_%'`,
      );
      return left.map(({ name }) => name);
    },
  });
});
