import { stat } from 'node:fs/promises';
import path from 'node:path';
import type { Migrator, ProjectContext } from '../../src/config/types.js';
import { command } from './command.js';
import { readHistoryRows } from './history-rows.js';
import { listMigrationFiles, requireSome } from './migration-files.js';
import { formatUrl, readTenantUrl } from './tenant-url.js';

export interface PrismaOptions {
  /** Prisma's folder of migrations. @default './prisma/migrations' */
  readonly directory?: string;
  /** For `--schema`. @default where Prisma finds it */
  readonly schema?: string;
  /** For `--config`. @default where Prisma finds it */
  readonly config?: string;
  /** The variable that the Prisma config takes its URL from. @default 'DATABASE_URL' */
  readonly urlVariable?: string;
}

/**
 * `prisma migrate deploy` for each tenant, for `hooks.migrate`; for tenants on PostgreSQL and MySQL.
 *
 * A schema tenant is named by `?schema=` in the URL. Prisma's own lock is one for the whole database and gives up after 10 s (P1002), so it is
 * switched off: tenancy holds a lock for each tenant.
 */
export function prisma(options: PrismaOptions = {}): Migrator {
  const { directory = './prisma/migrations', schema, config, urlVariable = 'DATABASE_URL' } = options;
  let local: readonly string[] = [];
  const read = async ({ root }: ProjectContext): Promise<readonly string[]> => {
    local = requireSome(await listFolders(root, directory), directory, '20240220110500_invoices/migration.sql');
    return local;
  };
  return command({
    name: 'prisma',
    binary: 'prisma',
    install: 'npm i -D prisma',
    lockScope: 'tenant',
    run: (ctx) => {
      const url = readTenantUrl(ctx, 'prisma');
      const query = new Map(url.query);
      if (url.searchPath !== null) query.set('schema', ctx.placement.name);
      if (url.options !== '') query.set('options', url.options);
      const flags = [...(schema === undefined ? [] : ['--schema', schema]), ...(config === undefined ? [] : ['--config', config])];
      return {
        args: ['migrate', 'deploy', ...flags],
        env: {
          [urlVariable]: formatUrl(url.engine === 'postgres' ? 'postgresql' : 'mysql', url, query),
          PRISMA_SCHEMA_DISABLE_ADVISORY_LOCK: '1',
          // Neither a look for updates nor a word about them, once for each tenant.
          CHECKPOINT_DISABLE: '1',
          PRISMA_HIDE_UPDATE_MESSAGE: '1',
        },
      };
    },
    target: async (project) => (await read(project)).at(-1) ?? null,
    versions: read,
    readVersion: async (ctx) => {
      const done = await readFinished(ctx);
      return local.findLast((name) => done.has(name)) ?? [...done].at(-1) ?? null;
    },
    pending: async (ctx) => {
      const done = await readFinished(ctx);
      return local.filter((name) => !done.has(name));
    },
  });
}

async function readFinished(ctx: Parameters<Migrator['readVersion']>[0]): Promise<ReadonlySet<string>> {
  const rows = await readHistoryRows<{ migration_name: string }>(
    ctx,
    'prisma',
    '_prisma_migrations',
    (table) =>
      `SELECT migration_name FROM ${table} WHERE finished_at IS NOT NULL AND rolled_back_at IS NULL ORDER BY started_at, migration_name`,
  );
  return new Set(rows.map(({ migration_name }) => migration_name));
}

async function listFolders(root: string, directory: string): Promise<readonly string[]> {
  const names = await listMigrationFiles(root, directory);
  const isMigration = await Promise.all(
    names.map((name) =>
      stat(path.resolve(root, directory, name, 'migration.sql')).then(
        (facts) => facts.isFile(),
        () => false,
      ),
    ),
  );
  return names.filter((_, at) => isMigration[at]);
}
