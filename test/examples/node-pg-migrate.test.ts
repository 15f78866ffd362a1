import { writeFileSync } from 'node:fs';
import path from 'node:path';
import { useExample } from './use-example.js';

useExample({
  name: 'node-pg-migrate',
  packages: ['node-pg-migrate', 'pg'],
  table: 'pgmigrations',
  applied: ['1705311000000_accounts', '1708427100000_invoices'],
  version: '1708427100000_invoices',
  next: {
    version: '1709280000000_notes',
    applied: '1709280000000_notes',
    write: (directory) => {
      writeFileSync(
        path.join(directory, 'migrations/1709280000000_notes.sql'),
        `CREATE TABLE notes (id int);
`,
      );
    },
  },
});
