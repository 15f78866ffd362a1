import { defineConfig } from 'tenancy-cli';
import { golangMigrate } from 'tenancy-cli/hooks';

const url = process.env.DATABASE_URL ?? 'embedded:.tenancy/postgres';

export default defineConfig({
  clusters: { main: { url, concurrency: 4 } },
  placement: { cluster: 'main', driver: 'postgres-schema', name: 'tenant_{id}' },
  hooks: { migrate: golangMigrate({ directory: './migrations' }) },
});
