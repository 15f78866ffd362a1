import type { ResolvedConfig } from '../config/types.js';
import type { EmitRunEvent, RunCommand, StampedRunEvent } from '../events.js';
import { createClusters, type KeptEngine } from '../lifecycle/clusters.js';
import { createLeaseKeeper } from '../lifecycle/leases.js';
import type { RunMigrator } from '../lifecycle/migrator.js';
import type { AheadContext } from '../lifecycle/prepared-home.js';
import type { RunContext, RunLimits } from '../lifecycle/run-context.js';
import { createServers } from '../lifecycle/servers.js';
import { createTemplateBook } from '../lifecycle/templates.js';
import { openRegistry } from '../registry/index.js';
import type { AuditActor, NewStepRecord, Registry, TenantChange } from '../registry/registry.js';
import { createBatcher } from '../util/batcher.js';
import { databaseOfUrl } from '../util/database-of-url.js';
import { createOwnerId, createRunId } from '../util/names.js';
import { createTenantLogs } from '../util/tenant-logs.js';
import { createEmitter } from './emitter.js';
import type { RunReport } from './report.js';

export interface WorkspaceOptions {
  readonly config: ResolvedConfig;
  readonly host: string;
  readonly actor: AuditActor;
  readonly onEvent: (event: StampedRunEvent) => void;
  readonly onNotice: (text: string) => void;
  readonly acceptCluster: readonly string[];
}

/** One config, opened: its servers, its registry, its clusters. Nothing is opened before it is asked for. */
export interface Workspace {
  readonly config: ResolvedConfig;
  readonly host: string;
  /**
   * Opened when it is first asked for. `onAsked`: called then, once its server has been asked and is being waited for.
   * @throws TenancyError `TENANCY_REGISTRY_NOT_FOUND` unless `create`.
   */
  registry(options?: { readonly create?: boolean; readonly onAsked?: () => void }): Promise<Registry>;
  /** The database that the registry is in, where its URL names one: never a tenant's own. */
  registryDatabase(): Promise<string | null>;
  clusters(registry: Registry | null, options?: { readonly dryRun: boolean }): ReturnType<typeof createClusters>;
  /** Stamps events and tells them to whoever listens. */
  emitter(runId: string): EmitRunEvent;
  /** For what makes homes ahead, outside of any run. */
  ahead(registry: Registry, migrator: RunMigrator): AheadContext;
  /** The URL that the registry is opened by. */
  registryUrl(): Promise<string>;
  /** For a person: what happens beside the runs. */
  notice(text: string): void;
  /** Makes the context of a run; whoever asks for it closes it. */
  openRun(options: RunOptions): OpenedRun;
  /** Makes the context of a run, hands it over, tells its end, and closes what it opened. */
  withRun(options: RunOptions, use: (run: RunContext) => Promise<RunReport>): Promise<RunReport>;
  close(): Promise<void>;
}

export interface RunOptions {
  readonly command: RunCommand;
  readonly registry: Registry;
  readonly migrator: RunMigrator;
  readonly limits: Partial<RunLimits>;
  readonly dryRun: boolean;
  /** Of a run that is gone on with. @default a new one */
  readonly runId?: string | undefined;
  /** Of its leases. @default a new one */
  readonly owner?: string;
  /** Tells of a tenant only once it proves to have work. @default true */
  readonly holdsIdle?: boolean;
}

export interface OpenedRun {
  readonly run: RunContext;
  close(): Promise<void>;
}

export function createWorkspace(options: WorkspaceOptions): Workspace {
  const { config } = options;
  const servers = createServers({ root: config.root, onNotice: options.onNotice });
  let opening: Promise<Registry> | null = null;
  const templates = createTemplateBook();
  const kept = new Map<string, KeptEngine>();
  const clustersMade = new Set<ReturnType<typeof createClusters>>();

  async function open(create: boolean, onAsked?: () => void): Promise<Registry> {
    const { url, isEmbedded } = await servers.urlOf(config.registry.url, 'registry.url');
    // On an embedded server one more connection holds the claim to it, and all together stay within the cap + 2.
    const maxConnections = isEmbedded ? 1 : 2;
    return openRegistry({
      url,
      create,
      applicationName: 'tenancy registry',
      actor: options.actor,
      maxConnections,
      ...(onAsked && { onAsked }),
    });
  }

  function openOnce(create: boolean, onAsked?: () => void): Promise<Registry> {
    opening ??= open(create, onAsked).catch((error: unknown) => {
      opening = null;
      throw error;
    });
    return opening;
  }

  function clusters(registry: Registry | null, { dryRun } = { dryRun: false }): ReturnType<typeof createClusters> {
    const made = createClusters({ config, registry, servers, acceptCluster: options.acceptCluster, dryRun, kept });
    clustersMade.add(made);
    return made;
  }

  function openRun({ command, registry, migrator, limits, dryRun, runId = createRunId(), owner, holdsIdle = true }: RunOptions): OpenedRun {
    const leases = createLeaseKeeper(registry, { owner: owner ?? createOwnerId(), host: options.host });
    const logs = createTenantLogs(config.logsDirectory, runId);
    const emit = createEmitter(options, runId, holdsIdle);
    const changing = createBatcher(
      async (changes: readonly TenantChange[]) => {
        const changed = new Map((await registry.updateTenants(changes)).map((tenant) => [tenant.id as string, tenant]));
        return changes.map(({ id }) => changed.get(id) ?? null);
      },
      { maxItems: 500 },
    );
    const journaling = createBatcher(
      async (steps: readonly (readonly NewStepRecord[])[]) => {
        await registry.recordSteps(steps.flat());
        return steps.map(() => undefined);
      },
      { maxItems: 500 },
    );
    const run: RunContext = {
      runId,
      command,
      host: options.host,
      config,
      registry,
      clusters: clusters(registry, { dryRun }),
      templates,
      leases,
      migrator,
      logs,
      limits: { ...defaultLimits(config), ...limits },
      emit,
      changeTenant: (change) => changing.add(change),
      recordSteps: (steps) => journaling.add(steps),
      dryRun,
    };
    const close = async (): Promise<void> => {
      await Promise.allSettled([leases.close(), logs.close()]);
      await run.clusters.close();
      // A program may have thousands of runs in its life.
      clustersMade.delete(run.clusters);
    };
    return { run, close };
  }

  return {
    config,
    host: options.host,
    clusters,
    emitter: (runId) => createEmitter(options, runId),
    registry: ({ create = false, onAsked } = {}) => openOnce(create, onAsked),
    registryUrl: async () => (await servers.urlOf(config.registry.url, 'registry.url')).url,
    notice: options.onNotice,
    registryDatabase: async () => databaseOfUrl((await servers.urlOf(config.registry.url, 'registry.url')).url),
    ahead: (registry, migrator) => ({
      registry,
      config,
      migrator,
      templates,
      host: options.host,
      runId: createRunId(),
      limits: defaultLimits(config),
      emit: (event) => {
        if (event.type === 'run.warned') options.onNotice(event.message);
      },
    }),
    openRun,
    withRun: async (asked, use) => {
      const { run, close } = openRun(asked);
      try {
        const report = await use(run);
        run.emit({
          type: 'run.finished',
          command: run.command,
          counts: report.counts,
          failed: report.failed,
          ms: report.ms,
          exitCode: report.exitCode,
          ...(report.stopped ? { stopped: report.stopped } : {}),
        });
        return report;
      } finally {
        await close();
      }
    },
    close: async () => {
      await Promise.allSettled([...clustersMade].map((made) => made.close()));
      await Promise.allSettled([...kept.values()].map(({ engine }) => engine.close()));
      if (opening) await opening.then((registry) => registry.close()).catch(() => undefined);
      await servers.close();
    },
  };
}

function defaultLimits({ defaults }: ResolvedConfig): RunLimits {
  const { retries, timeoutMs, lockTimeoutMs, statementTimeoutMs, leaseWaitMs } = defaults;
  return { retries, timeoutMs, lockTimeoutMs, statementTimeoutMs, leaseWaitMs };
}
