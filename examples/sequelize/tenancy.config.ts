import { defineConfig } from 'tenancy-cli';
import { sequelize } from 'tenancy-cli/hooks';

const url = process.env['DATABASE_URL'] ?? 'embedded:.tenancy/postgres';

export default defineConfig({
  clusters: { main: { url } },
  // A large customer gets a database, every other a schema.
  placement: ({ id, labels }) => ({
    cluster: 'main',
    driver: labels['plan'] === 'large' ? 'postgres-database' : 'postgres-schema',
    name: `tenant_${id.toLowerCase()}`,
  }),
  hooks: {
    migrate: sequelize({ directory: './migrations' }),
  },
});
