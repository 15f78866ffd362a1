import { writeFileSync } from 'node:fs';
import path from 'node:path';
import { useExample } from './use-example.js';

useExample({
  name: 'kysely',
  packages: ['kysely', 'pg'],
  table: 'kysely_migration',
  applied: ['2024-01-15-accounts', '2024-02-20-invoices'],
  version: '2024-02-20-invoices',
  next: {
    version: '2024-03-01-notes',
    applied: '2024-03-01-notes',
    write: (directory) => {
      writeFileSync(
        path.join(directory, 'migrations/2024-03-01-notes.ts'),
        `import type { Kysely } from 'kysely';
export async function up(db: Kysely<unknown>): Promise<void> {
  await db.schema.createTable('notes').addColumn('id', 'integer').execute();
}
`,
      );
    },
  },
});
