import { defineConfig } from 'tenancy-cli';
import { postgresSchema, sqlMigrations, sqlSeed } from 'tenancy-cli/hooks';

export default defineConfig({
  registry: { url: 'embedded:.tenancy/postgres' },
  clusters: {
    main: { url: 'embedded:.tenancy/postgres', concurrency: 8 },
  },
  placement: (tenant) => ({ cluster: 'main', driver: 'postgres-schema', name: `tenant_${tenant.id.toLowerCase()}` }),
  hooks: {
    create: postgresSchema.create(),
    migrate: sqlMigrations({ directory: './migrations/tenant' }),
    seed: sqlSeed('./migrations/seeds/plans.sql'),
    drop: postgresSchema.drop(),
  },
});
