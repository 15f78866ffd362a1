import { writeFileSync } from 'node:fs';
import path from 'node:path';
import { useExample } from './use-example.js';

useExample({
  name: 'knex',
  packages: ['knex', 'pg'],
  table: 'knex_migrations',
  applied: ['20240115093000_accounts.ts', '20240220110500_invoices.ts'],
  version: '20240220110500_invoices.ts',
  next: {
    version: '20240301080000_notes.ts',
    applied: '20240301080000_notes.ts',
    write: (directory) => {
      writeFileSync(
        path.join(directory, 'migrations/20240301080000_notes.ts'),
        `import type { Knex } from 'knex';
export const up = (knex: Knex): Promise<void> => knex.schema.createTable('notes', (table) => void table.increments('id'));
export const down = (knex: Knex): Promise<void> => knex.schema.dropTable('notes');
`,
      );
    },
  },
});
