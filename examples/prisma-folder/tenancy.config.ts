import { defineConfig } from 'tenancy-cli';

const url = process.env.DATABASE_URL ?? 'embedded:.tenancy/postgres';

export default defineConfig({
  clusters: { main: { url } },
  placement: { cluster: 'main', driver: 'postgres-schema', name: 'tenant_{id}' },
  // Newer versions of Prisma write "public" before every name. For a tenant that means its own schema.
  migrations: { directory: './prisma/migrations', schemas: { public: 'tenant' } },
});
