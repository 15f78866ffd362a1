import { defineConfig } from 'tenancy-cli';
import { migrateMongo } from 'tenancy-cli/hooks';

const url = process.env['MONGODB_URL'] ?? 'mongodb://localhost:27017';

export default defineConfig({
  clusters: { main: { url } },
  placement: { cluster: 'main', driver: 'mongodb-database', name: 'tenant_{id}' },
  hooks: {
    migrate: migrateMongo({ directory: './migrations', migrationFileExtension: '.mjs' }),
  },
});
