import { defineConfig } from 'tenancy-cli';
import { drizzle } from 'tenancy-cli/hooks';

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
    // drizzle-kit writes "public" before what a foreign key refers to. For a tenant that means its own schema.
    migrate: drizzle({ directory: './drizzle', schemas: { public: 'tenant' } }),
  },
});
