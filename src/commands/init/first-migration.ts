import path from 'node:path';
import { engineOf } from '../../drivers/names.js';
import type { DriverName } from '../../tenant.js';
import type { NewFile } from './write-files.js';

/** The first migration and its way back, as the driver's engine speaks. `moduleEnding`: of a module in this project. */
export function writeFirstMigration(directory: string, driver: DriverName, moduleEnding: string): readonly NewFile[] {
  const file = (ending: string): string => path.posix.join(directory, `0001_accounts${ending}`);
  switch (engineOf(driver)) {
    case 'postgres':
      return [
        { file: file('.sql'), text: postgres(driver === 'postgres-schema' ? 'schema' : 'database') },
        { file: file('.down.sql'), text: DOWN },
      ];
    case 'mysql':
      return [
        { file: file('.sql'), text: MYSQL },
        { file: file('.down.sql'), text: DOWN },
      ];
    case 'mongodb':
      return [{ file: file(moduleEnding), text: /ts$/.test(moduleEnding) ? MONGODB_TYPESCRIPT : MONGODB }];
  }
}

const postgres = (home: string): string => `-- Runs once in every tenant's own ${home}: name tables without a schema.
CREATE TABLE accounts (
  id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  name text NOT NULL,
  created_at timestamptz NOT NULL DEFAULT now()
);
`;

const MYSQL = `-- Runs once in every tenant's own database: name tables without a database.
CREATE TABLE accounts (
  id bigint NOT NULL AUTO_INCREMENT PRIMARY KEY,
  name varchar(200) NOT NULL,
  created_at timestamp NOT NULL DEFAULT CURRENT_TIMESTAMP
);
`;

const DOWN = '-- Takes 0001_accounts.sql back, for `tenancy tenant rollback`.\nDROP TABLE accounts;\n';

const MONGODB = `/** Interrupted, it is run again from its beginning: an index that is there already stays as it is. */
export const rerunnable = true;

/** Runs once in every tenant's own database; as a second argument it is handed { client, session, signal }. */
export async function up(db) {
  await db.collection('accounts').createIndex({ name: 1 });
}

/** Takes it back, for \`tenancy tenant rollback\`. */
export async function down(db) {
  await db.dropCollection('accounts');
}
`;

const MONGODB_TYPESCRIPT = `import type { Db } from 'mongodb';

${MONGODB.replaceAll('(db)', '(db: Db): Promise<void>')}`;
