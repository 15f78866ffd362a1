import { writeFileSync } from 'node:fs';
import path from 'node:path';
import { useExample } from './use-example.js';

useExample({
  name: 'sequelize',
  packages: ['sequelize', 'pg'],
  table: 'SequelizeMeta',
  applied: ['20240115093000-accounts.cjs', '20240220110500-invoices.cjs'],
  version: '20240220110500-invoices.cjs',
  next: {
    version: '20240301080000-notes.cjs',
    applied: '20240301080000-notes.cjs',
    write: (directory) => {
      writeFileSync(
        path.join(directory, 'migrations/20240301080000-notes.cjs'),
        `module.exports = {
  // umzug's form, and its own SQL, since createTable says IF NOT EXISTS.
  up: ({ context }) => context.sequelize.query('CREATE TABLE notes (id int)'),
};
`,
      );
    },
  },
});
