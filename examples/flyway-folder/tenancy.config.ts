import { defineConfig } from 'tenancy-cli';

const url = process.env.DATABASE_URL ?? 'embedded:.tenancy/postgres';

export default defineConfig({
  clusters: { main: { url } },
  placement: { cluster: 'main', driver: 'postgres-schema', name: 'tenant_{id}' },
  migrations: { directory: './sql' },
});
