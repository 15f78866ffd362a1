import { createHash } from 'node:crypto';
import type { HomeTemplate, TenantDriver } from '../drivers/driver.js';
import type { LocalMigration } from '../migrations/migration.js';
import type { LeaseRequest, PreparedHome } from '../registry/registry.js';
import type { DriverName } from '../tenant.js';
import { createOperationId, createOwnerId } from '../util/names.js';
import { redact } from '../util/redact.js';
import { remember } from '../util/remember.js';
import { LEASE_MS } from './leases.js';
import type { RecordedHistory } from './migrator.js';
import type { PreparableMigrations } from './preparable-migrations.js';
import { type AheadContext, keepPreparedHomes, preparedTarget, prepareHome } from './prepared-home.js';

/** With `auto`: fewer are applied in a moment, and not worth a database that is kept. */
export const FEWEST_MIGRATIONS = 10;

/** The one that is current, and the one before for code that is still about while a new version is rolled out. */
const KEPT = 2;

/** How long after a failure nobody tries again. */
const FORGOTTEN_AFTER_MS = 60_000;

/** Of the layout of what is in a template besides the migrations. */
const LAYOUT = 1;

export interface Template extends RecordedHistory {
  readonly home: HomeTemplate;
}

/** The templates that this process has found or made, by name; shared by its runs. */
export type TemplateBook = Map<string, Promise<Template | 'elsewhere' | 'failed'>>;

export function createTemplateBook(): TemplateBook {
  return new Map();
}

export interface TemplateScope {
  readonly run: AheadContext;
  readonly cluster: string;
  readonly driver: TenantDriver;
  readonly signal: AbortSignal;
}

/** How far homes of this driver may be migrated ahead of any tenant. */
export function listPreparable(
  { config, migrator }: Pick<AheadContext, 'config' | 'migrator'>,
  driver: DriverName,
  isSchema: boolean,
): PreparableMigrations {
  const { templates, hooks } = config;
  // These hooks may put something into the tenant that its migrations build on.
  const isHeldBack = hooks.afterCreate !== undefined || hooks.beforeMigrate !== undefined;
  const what = templates === 'always' ? 'sql' : isHeldBack ? 'none' : 'definitions';
  return migrator.forDriver(driver).listPreparable(what, { isSchema });
}

/**
 * The template that a new tenant is to be copied from; made by the first who needs it, for which others of this process wait.
 * Null: there is none (yet), and the tenant is made in the ordinary way. Never rejects for what is wrong with a template.
 */
export async function findTemplate(scope: TemplateScope): Promise<Template | null> {
  const { run, cluster, driver } = scope;
  const { templates } = run.config;
  if (templates === false || driver.templates === undefined) return null;
  const preparable = listPreparable(run, driver.name, driver.capabilities.isSharedDatabase);
  if (preparable.steps.length < (templates === 'always' ? 1 : FEWEST_MIGRATIONS)) return null;
  const name = templateName(run.registry.id, driver.name, preparable.steps);
  const key = `${cluster}/${name}`;
  const found = await remember(run.templates, key, () => obtain(scope, name, preparable));
  if (found !== 'elsewhere' && found !== 'failed') return found;
  // Another process is making it: the next tenant looks again. After a failure not at once, or each tenant would wait for the next one.
  const forget = (): boolean => run.templates.delete(key);
  if (found === 'elsewhere') forget();
  else setTimeout(forget, FORGOTTEN_AFTER_MS).unref();
  return null;
}

/** It was not there any more when it was to be copied. */
export function forgetTemplate({ run, cluster }: Pick<TemplateScope, 'run' | 'cluster'>, { home }: Template): void {
  run.templates.delete(`${cluster}/${home.name}`);
}

function templateName(registry: string, driver: DriverName, steps: readonly LocalMigration[]): string {
  const contents = steps.map(({ name, checksum, mirror }) => `${name}:${checksum}:${mirror?.checksum ?? ''}`);
  const hash = createHash('sha256')
    .update([LAYOUT, registry, driver, ...contents].join('\n'))
    .digest('hex');
  return `tenancy_tpl_${hash.slice(0, 24)}`;
}

async function obtain(scope: TemplateScope, name: string, preparable: PreparableMigrations): Promise<Template | 'elsewhere' | 'failed'> {
  const { run, driver, cluster } = scope;
  try {
    const { schemaVersion, migrationsHash } = preparable;
    const look = async (): Promise<Template | null> => {
      const home = (await driver.templates?.find(name, run.registry.id)) ?? null;
      return home && { home, schemaVersion, migrationsHash };
    };
    const found = await look();
    if (found !== null) return found;
    return (await build(scope, name, preparable)) ? ((await look()) ?? 'failed') : 'elsewhere';
  } catch (error) {
    scope.signal.throwIfAborted();
    const reason = redact(error instanceof Error ? error.message : String(error));
    const message = `no template could be made on cluster ${cluster}, and tenants are made without: ${reason}`;
    run.emit({ type: 'run.warned', code: 'TENANCY_TEMPLATE_FAILED', message });
    return 'failed';
  }
}

/** False: another is at it. */
async function build({ run, cluster, driver, signal }: TemplateScope, name: string, preparable: PreparableMigrations): Promise<boolean> {
  const { registry } = run;
  const owner = createOwnerId();
  const lease = { owner, host: run.host, ttlMs: LEASE_MS };
  const entry = { id: createOperationId(), type: 'template', cluster, driver: driver.name, name } as const;
  let { id } = entry;
  if ((await registry.enterPreparedHomes([entry], lease)).length === 0) {
    const [before] = await registry.listPreparedHomes({ type: 'template', cluster, name });
    // What was begun goes on; one that is called ready and isn't there any more is made anew.
    const taken = before && (await registry.takePreparedHome(before.id, { ...lease, from: ['making', 'ready', 'dropping'], to: 'making' }));
    if (!taken) return false;
    id = taken.id;
  }
  const heart = keepPreparedHomes(registry, owner);
  try {
    const target = preparedTarget({ ...entry, id }, registry.id);
    await prepareHome({ run, driver, signal }, target, preparable, null);
    await driver.templates?.seal(target, name, signal);
    const { schemaVersion, migrationsHash } = preparable;
    await registry.finishPreparedHome(id, { owner, schemaVersion, migrationsHash });
    // What can't be dropped now is dropped after the next one is made.
    await dropOld({ run, cluster, driver, signal }, lease).catch(() => signal.throwIfAborted());
    return true;
  } finally {
    heart.stop();
  }
}

/** All templates of this registry on the cluster but the newest two, and what was left of some that were never finished. */
async function dropOld({ run, cluster, driver, signal }: TemplateScope, lease: LeaseRequest): Promise<void> {
  const { registry } = run;
  const all = (await registry.listPreparedHomes({ type: 'template', cluster })).filter((home) => home.driver === driver.name);
  const kept = newestOf(all);
  for (const home of all) {
    if (kept.has(home.id)) continue;
    const taken = await registry.takePreparedHome(home.id, { ...lease, from: ['ready', 'making', 'dropping'], to: 'dropping' });
    if (!taken) continue;
    await driver.templates?.drop(home.name, registry.id, signal);
    await driver.drop(preparedTarget(home, registry.id), signal);
    await registry.forgetPreparedHome(home.id);
  }
}

function newestOf(all: readonly PreparedHome[]): ReadonlySet<string> {
  const made = all.filter(({ status }) => status === 'ready').sort((a, b) => (b.readyAt?.getTime() ?? 0) - (a.readyAt?.getTime() ?? 0));
  return new Set(made.slice(0, KEPT).map(({ id }) => id));
}
