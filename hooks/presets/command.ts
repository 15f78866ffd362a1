import type { HookContext, Migrator, ProjectContext } from '../../src/config/types.js';
import { resolveBinary } from './resolve-binary.js';

/** One program, as it is started for one tenant. */
export interface CommandLine {
  /** A name, found as `resolveBinary` does, or a path. @default `binary` */
  readonly file?: string;
  /** What stands here can be read by everybody on the machine (`ps`): secrets go into `env`. */
  readonly args?: readonly string[];
  /** On top of that of the command and of `ctx.env`. */
  readonly env?: Readonly<Record<string, string>>;
  /** @default the config file's directory */
  readonly cwd?: string;
}

export interface CommandOptions {
  /** Shown in messages. */
  readonly name: string;
  /** The program, looked for once a run, before any tenant is touched. @default none, so that it is looked for with the first tenant */
  readonly binary?: string;
  /** What to type where the program isn't there: `npm i -D prisma`. */
  readonly install?: string;
  /** The command for one tenant; it is run without a shell, and has to end with 0. */
  run(ctx: HookContext): CommandLine | Promise<CommandLine>;
  /** The newest version that there is to reach. @default not known: it is run each time, and shows as `unversioned` */
  target?(project: ProjectContext): Promise<string | null> | string | null;
  /** Read from the tenant itself, before and after. @default none */
  readVersion?(ctx: HookContext): Promise<string | null>;
  /** What of the versions the tenant lacks, and every version there is: as `Migrator` has them. */
  pending?(ctx: HookContext): Promise<readonly string[]>;
  versions?(project: ProjectContext): Promise<readonly string[]>;
  /** @default 'tenant' */
  readonly lockScope?: Migrator['lockScope'];
}

/**
 * A migrator that is a program of its own, for `hooks.migrate`: run once for each tenant that isn't at the target, its output in the tenant's log.
 *
 * ```ts
 * migrate: command({
 *   name: 'dbmate',
 *   binary: 'dbmate',
 *   run: ({ url }) => ({ args: ['--no-dump-schema', 'up'], env: { DATABASE_URL: url } }),
 *   target: () => '20240220110500',
 *   readVersion: async ({ db }) => (await db.query('SELECT max(version) AS v FROM schema_migrations')).rows[0].v,
 * })
 * ```
 */
export function command(options: CommandOptions): Migrator {
  const { name, binary, install, readVersion, pending, versions } = options;
  const found = new Map<string, Promise<string>>();
  const find = (root: string, file: string): Promise<string> => {
    const key = `${root}\n${file}`;
    const known = found.get(key) ?? resolveBinary(root, file, file === binary && install !== undefined ? { install } : {});
    found.set(key, known);
    return known;
  };
  return {
    type: 'migrator',
    name,
    run: async (ctx) => {
      const { file = binary ?? name, args = [], env = {}, cwd } = await options.run(ctx);
      await ctx.exec(await find(ctx.root, file), args, { env, ...(cwd === undefined ? {} : { cwd }) });
    },
    target: async (project) => {
      if (binary !== undefined) await find(project.root, binary);
      return (await options.target?.(project)) ?? null;
    },
    readVersion: async (ctx) => (await readVersion?.(ctx)) ?? null,
    ...(pending === undefined ? {} : { pending }),
    ...(versions === undefined ? {} : { versions }),
    lockScope: options.lockScope ?? 'tenant',
  };
}
