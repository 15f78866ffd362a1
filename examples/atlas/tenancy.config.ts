import { defineConfig } from 'tenancy-cli';
import { atlas } from 'tenancy-cli/hooks';

const url = process.env.DATABASE_URL ?? 'embedded:.tenancy/postgres';

export default defineConfig({
  clusters: { main: { url } },
  placement: { cluster: 'main', driver: 'postgres-schema', name: 'tenant_{id}' },
  hooks: { migrate: atlas({ directory: './migrations' }) },
});
