import { defineConfig } from 'tenancy-cli';
import { flyway } from 'tenancy-cli/hooks';

const url = process.env.DATABASE_URL ?? 'embedded:.tenancy/postgres';

export default defineConfig({
  clusters: { main: { url, concurrency: 2 } },
  placement: { cluster: 'main', driver: 'postgres-schema', name: 'tenant_{id}' },
  hooks: {
    migrate: flyway({ directory: './sql', placeholders: ({ tenant }) => ({ tenant: tenant.id }) }),
  },
});
