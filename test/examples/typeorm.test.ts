import { writeFileSync } from 'node:fs';
import path from 'node:path';
import { useExample } from './use-example.js';

useExample({
  name: 'typeorm',
  packages: ['typeorm', 'pg'],
  table: 'migrations',
  applied: ['Accounts1705311000000', 'Invoices1708427100000'],
  version: 'Invoices1708427100000',
  next: {
    version: 'Notes1709280000000',
    applied: 'Notes1709280000000',
    write: (directory) => {
      writeFileSync(
        path.join(directory, 'migrations/1709280000000-notes.ts'),
        `import type { MigrationInterface, QueryRunner } from 'typeorm';
export class Notes1709280000000 implements MigrationInterface {
  async up(runner: QueryRunner): Promise<void> {
    await runner.query('CREATE TABLE notes (id int)');
  }
  async down(): Promise<void> {}
}
`,
      );
    },
  },
});
