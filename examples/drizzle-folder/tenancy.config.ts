import { defineConfig } from 'tenancy-cli';

const url = process.env.DATABASE_URL ?? 'embedded:.tenancy/postgres';

export default defineConfig({
  clusters: { main: { url } },
  placement: { cluster: 'main', driver: 'postgres-schema', name: 'tenant_{id}' },
  // drizzle-kit writes "public" before every enum and every table that a foreign key points to. For a tenant that means its own schema.
  migrations: { directory: './drizzle', schemas: { public: 'tenant' } },
});
