import path from 'node:path';
import type { HookContext, Migrator, ProjectContext } from '../../src/config/types.js';
import { TenancyError } from '../../src/errors.js';
import { command } from './command.js';
import { readHistoryRows } from './history-rows.js';
import { listMigrationFiles, requireSome } from './migration-files.js';
import { forLibPq, readTenantUrl } from './tenant-url.js';

export interface GolangMigrateOptions {
  /** @default './migrations' */
  readonly directory?: string;
  /** Name of its program. @default 'migrate' */
  readonly binary?: string;
}

interface LocalVersion {
  readonly version: bigint;
  readonly name: string;
}

/**
 * `migrate up` of golang-migrate for each tenant, for `hooks.migrate`; for tenants on PostgreSQL.
 *
 * It takes its URL on the command line alone, which everybody on the machine can read: the password is left out of it and handed over as PGPASSWORD,
 * which it reads. MySQL has nothing of that kind, so tenants there are refused. Its lock is one for each schema.
 */
export function golangMigrate({ directory = './migrations', binary = 'migrate' }: GolangMigrateOptions = {}): Migrator {
  let local: readonly LocalVersion[] = [];
  const read = async ({ root }: ProjectContext): Promise<readonly string[]> => {
    local = requireSome(toVersions(await listMigrationFiles(root, directory)), directory, '000001_accounts.up.sql');
    return local.map(({ name }) => name);
  };
  return command({
    name: 'golang-migrate',
    binary,
    install: 'brew install golang-migrate',
    lockScope: 'tenant',
    run: (ctx) => {
      const tenantUrl = readTenantUrl(ctx, 'golang-migrate');
      if (tenantUrl.engine !== 'postgres') refuseEngine(ctx);
      const { url, env } = forLibPq(tenantUrl, tenantUrl.searchPath);
      return { args: ['-path', path.resolve(ctx.root, directory), '-database', url, 'up'], env };
    },
    target: async (project) => (await read(project)).at(-1) ?? null,
    versions: read,
    readVersion: async (ctx) => {
      const version = await readVersion(ctx);
      if (version === null) return null;
      const known = local.find((candidate) => candidate.version === version)?.name;
      const newest = local.at(-1);
      // Ahead of the files: the code was rolled back, the tenant was not.
      return known ?? (newest !== undefined && version > newest.version ? newest.name : String(version));
    },
    pending: async (ctx) => {
      const version = await readVersion(ctx);
      return local.filter((candidate) => version === null || candidate.version > version).map(({ name }) => name);
    },
  });
}

/** Null before the first, also where all were taken back (it keeps a table without rows, or -1). */
async function readVersion(ctx: HookContext): Promise<bigint | null> {
  const [row] = await readHistoryRows<{ version: string | number; dirty: boolean }>(
    ctx,
    'golang-migrate',
    'schema_migrations',
    (table) => `SELECT version, dirty FROM ${table} LIMIT 1`,
  );
  if (row === undefined) return null;
  const version = BigInt(row.version);
  if (row.dirty) {
    throw new TenancyError('TENANCY_MIGRATOR_REFUSED', {
      tenant: ctx.tenant.id,
      reason: `golang-migrate has marked version ${version} as dirty: it failed half way, and how far it came is not recorded`,
      advice: `look into the tenant and mend it, then say what it has with \`migrate -path … -database … force VERSION\`, and run the same command again`,
    });
  }
  return version < 0n ? null : version;
}

function toVersions(files: readonly string[]): LocalVersion[] {
  const versions = files.flatMap((file) => {
    const [, name, version] = /^((\d+)_.*)\.up\.[^.]+$/.exec(file) ?? [];
    return name === undefined || version === undefined ? [] : [{ version: BigInt(version), name }];
  });
  return versions.sort((a, b) => (a.version < b.version ? -1 : a.version > b.version ? 1 : 0));
}

function refuseEngine(ctx: HookContext): never {
  throw new TenancyError('TENANCY_MIGRATOR_REFUSED', {
    tenant: ctx.tenant.id,
    reason: `golang-migrate is not run for a ${ctx.driver.name} tenant: the password would stand on its command line`,
    advice: 'let the built-in migrator read its files: migrations: { directory }',
  });
}
