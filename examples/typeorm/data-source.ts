import { DataSource } from 'typeorm';

/** The application's own; where tenancy connects to, the tenant says. */
export default new DataSource({
  type: 'postgres',
  url: process.env['DATABASE_URL'] ?? 'postgres://localhost/app',
  migrations: ['migrations/*.ts'],
});
