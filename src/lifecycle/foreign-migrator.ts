import type { Hook, HookContext, Migrator, ProjectContext, ResolvedConfig } from '../config/types.js';
import { TenancyError } from '../errors.js';
import { historyDigest } from '../migrations/history-digest.js';
import { createHookContext, importFrom, runHook, withHooks } from './hook-context.js';
import type { DriverMigrator, MigratorOptions } from './migrator.js';
import { NOTHING_PREPARABLE } from './preparable-migrations.js';
import { NO_REFERENCE } from './reference-plan.js';
import type { TenantScope, WorkResult } from './run-context.js';

/** A migrator of the user's: a preset with versions, or a bare function, which runs every time and is `unversioned`. */
export async function createForeignMigrator(
  config: ResolvedConfig,
  hook: Migrator | Hook,
  options: MigratorOptions,
): Promise<DriverMigrator> {
  if (options.direction === 'down' || options.to !== null) {
    throw new TenancyError('TENANCY_OPTION_REJECTED', {
      option: options.direction === 'down' ? 'rollback' : '--to',
      value: options.to ?? '',
      expected: 'the built-in migrator: a migrate hook of your own only knows how to go to its newest version',
    });
  }
  const migrator: Migrator =
    typeof hook === 'function'
      ? { type: 'migrator', name: 'migrate', run: async (ctx) => hook(ctx), target: async () => null, readVersion: async () => null }
      : hook;
  const project: ProjectContext = {
    root: config.root,
    signal: new AbortController().signal,
    importModule: (file) => importFrom(config.root, file),
  };
  const target = await migrator.target(project);
  const versions = (await migrator.versions?.(project)) ?? null;
  /** Of a tenant that has them all; what it had by checksums only its own tool knows. */
  const targetDigest = versions === null ? null : historyDigest(versions.map((name) => ({ name, checksum: '' })));

  /** What the tenant itself says; `pending` is null where the migrator doesn't know. */
  async function read(scope: TenantScope, ctx: HookContext): Promise<{ version: string | null; pending: readonly string[] | null }> {
    const found: { version: string | null; pending: readonly string[] | null } = { version: null, pending: null };
    const ask = async (): Promise<void> => {
      found.version = await migrator.readVersion(ctx);
      if (migrator.pending) found.pending = await migrator.pending(ctx);
    };
    await runHook(scope, 'migrate.readVersion', ask, () => ctx);
    return found;
  }

  /** Where neither a target nor what is pending is known, it is never done. */
  function isDone({ version, pending }: Awaited<ReturnType<typeof read>>): boolean {
    if (target !== null && version !== target) return false;
    return pending === null ? target !== null : pending.length === 0;
  }

  function versionWhenDone(version: string | null): NonNullable<WorkResult['version']> {
    return targetDigest === null ? toVersion(version) : { schemaVersion: version, migrationsHash: targetDigest };
  }

  return {
    type: 'foreign',
    target,
    targetDigest,
    declared: (versions ?? []).map((name) => ({ name, checksum: '' })),
    lockScope: migrator.lockScope ?? 'tenant',
    connections: migrator.connections ?? 1,
    identity: migrator.name,
    contents: (versions ?? (target === null ? [] : [target])).map((name) => ({ name, digest: '' })),
    // What a tenant lacks only its own tool can say; that it lacks nothing the registry can know.
    planRecorded: ({ schemaVersion, migrationsHash }) =>
      !options.forceVerify && targetDigest !== null && schemaVersion === target && migrationsHash === targetDigest
        ? { from: target, to: target, migrations: [] }
        : null,
    check: async () => undefined,
    findDrift: () => null,
    planReference: () => NO_REFERENCE,
    describe: (applied) => toVersion(applied.at(-1)?.name ?? null),
    listPreparable: () => NOTHING_PREPARABLE,
    plan: async (scope) => {
      const { version, pending } = await read(scope, createHookContext(scope));
      return { from: version, to: target, migrations: pending ?? [] };
    },
    migrate: async (scope): Promise<WorkResult> => {
      const before = await read(scope, createHookContext(scope));
      const from = before.version;
      if (isDone(before)) return { outcome: 'up-to-date', from, to: from, version: versionWhenDone(from) };
      options.admit?.(scope.tenant, { from, to: target, migrations: before.pending ?? [] });
      let made: HookContext | null = null;
      const context = (): HookContext => (made ??= createHookContext(scope, { from, to: target }));
      // A migrator of the user's knows no fence.
      await scope.run.leases.makeSure(scope.tenant.id);
      await withHooks(scope, 'Migrate', context, () => runHook(scope, 'migrate', (ctx) => migrator.run(ctx), context));
      const after = await read(scope, context());
      const to = after.version;
      const isUnverified = (target !== null || after.pending !== null) && !isDone(after);
      if (isUnverified) {
        const expected = after.pending?.at(-1) ?? target ?? '';
        const error = new TenancyError('TENANCY_VERSION_UNVERIFIED', { tenant: scope.tenant.id, expected, found: to });
        return { outcome: 'unverified', from, to, error, version: toVersion(to) };
      }
      return { outcome: 'applied', from, to: to ?? 'unversioned', version: versionWhenDone(to ?? 'unversioned') };
    },
  };
}

/** For the registry. What the tenant had is known by this one name alone, so the digest is that of no local file. */
function toVersion(schemaVersion: string | null): NonNullable<WorkResult['version']> {
  return { schemaVersion, migrationsHash: historyDigest(schemaVersion === null ? [] : [{ name: schemaVersion, checksum: '' }]) };
}
