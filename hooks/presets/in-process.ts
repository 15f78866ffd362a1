import { inspect } from 'node:util';
import type { HookContext, Migrator, ProjectContext } from '../../src/config/types.js';
import { sleep } from '../../src/util/abort.js';
import { monotonicMs } from '../../src/util/clock.js';
import { type CommandLine, command } from './command.js';

/** What a preset finds out once a run, before any tenant is touched. */
export interface Prepared {
  /** Of every local migration, in the tool's own order, and as the tool writes them into its table. */
  readonly names: readonly string[];
}

/** A tool whose library runs in this process: what differs from one to the other. */
export interface InProcessTool<Ready extends Prepared> {
  readonly name: string;
  /** Loads the library and lists the migrations. @throws TenancyError where a package or a folder is missing */
  prepare(project: ProjectContext): Promise<Ready>;
  /** What the tool's own table in the tenant holds, oldest first; empty where there is none. */
  readApplied(ctx: HookContext, ready: Ready): Promise<readonly string[]>;
  /** Opens one connection, runs what is pending, and closes it in every case. */
  run(ctx: HookContext, ready: Ready): Promise<unknown>;
}

/** The program that does the same, for `knex.command()` and its like. */
export interface ToolCommand {
  readonly binary: string;
  readonly install: string;
  run(ctx: HookContext): CommandLine;
  /** @default 'tenant' */
  readonly lockScope?: Migrator['lockScope'];
}

/** As many as a cluster usually has in flight, and about what a server with two cores takes to accept a connection and get it going. */
const RAMP = { starts: 16, gapMs: 15 } as const;

/**
 * Every tool opens a connection of its own for each tenant and begins with a dozen small questions. Begun all at once, and with much the same to do,
 * the first tenants ask together and then wait together, and so do all that follow them: the server is too busy and idle by turns. Begun a moment
 * apart they stay so, and forty tenants take a tenth less.
 */
function createRamp(): (signal: AbortSignal) => Promise<void> {
  let begun = 0;
  let freeAtMs = 0;
  return async (signal) => {
    begun += 1;
    if (begun > RAMP.starts) return;
    const nowMs = monotonicMs();
    const waitMs = Math.max(0, freeAtMs - nowMs);
    freeAtMs = nowMs + waitMs + RAMP.gapMs;
    if (waitMs > 0) await sleep(waitMs, signal);
  };
}

/**
 * Both forms of a preset: in this process, and as a child process.
 *
 * The version of a tenant is the newest *local* migration that its table holds, so that it is the target as soon as nothing local is missing: also
 * where the code was rolled back, and the tenant has had more than there is.
 */
export function createPreset<Ready extends Prepared>(tool: InProcessTool<Ready>): Migrator {
  let preparing: Promise<Ready> | undefined;
  const ramp = createRamp();
  const prepare = (project: ProjectContext): Promise<Ready> => {
    preparing = tool.prepare(project);
    // Whoever asks next is told too.
    preparing.catch(() => undefined);
    return preparing;
  };
  const ready = (ctx: HookContext): Promise<Ready> => preparing ?? prepare(ctx);

  // `readVersion` and `pending` are asked one after the other, with one context: the tenant is read once for both.
  const read = new WeakMap<HookContext, Promise<readonly string[]>>();
  const readApplied = async (ctx: HookContext): Promise<readonly string[]> => {
    const applied = ready(ctx).then((found) => tool.readApplied(ctx, found));
    read.set(ctx, applied);
    return applied;
  };

  return {
    type: 'migrator',
    name: tool.name,
    target: async (project) => (await prepare(project)).names.at(-1) ?? null,
    versions: async (project) => (await (preparing ?? prepare(project))).names,
    run: async (ctx) => {
      ctx.signal.throwIfAborted();
      await ramp(ctx.signal);
      await tool.run(ctx, await ready(ctx));
    },
    readVersion: async (ctx) => {
      const applied = await readApplied(ctx);
      const { names } = await ready(ctx);
      return names.findLast((name) => applied.includes(name)) ?? applied.at(-1) ?? null;
    },
    pending: async (ctx) => {
      const applied = new Set(await (read.get(ctx) ?? readApplied(ctx)));
      read.delete(ctx);
      return (await ready(ctx)).names.filter((name) => !applied.has(name));
    },
    // Tenancy holds the tenant's lease meanwhile.
    lockScope: 'tenant',
  };
}

/** The same versions, read the same way, but the tool's own program does the work: 0.3–0.7 s and 60–90 MB for each tenant. */
export function asCommand(preset: Migrator, { binary, install, run, lockScope = 'tenant' }: ToolCommand): Migrator {
  const { name, target, readVersion } = preset;
  return { ...preset, ...command({ name, binary, install, run, target, readVersion, lockScope }) };
}

/** What a migration threw, an error or anything else, with the migration's name before it. @param answer in place of the error's own message */
export function nameFailure(migration: string, thrown: unknown, answer?: string): Error {
  const message = thrown instanceof Error ? thrown.message : `it threw ${inspect(thrown, { breakLength: Number.POSITIVE_INFINITY })}`;
  const reason = answer ?? message;
  return new Error(`${migration}: ${reason}`, { cause: thrown });
}
