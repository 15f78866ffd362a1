import type { StampedRunEvent } from '../../src/events.js';
import type { CliOptions, CliResult } from '../rig/cli.js';
import { assertEvents } from '../rig/events-schema.js';
import { createSqlGate, type SqlGate } from '../rig/gate.js';
import { createTestDatabase, type TestDatabase } from '../rig/postgres.js';
import { createProject, type ProjectOptions, type TestProject } from '../rig/project.js';

type Finished = Extract<StampedRunEvent, { type: 'run.finished' }>;
export type EventOf<Type extends StampedRunEvent['type']> = Extract<StampedRunEvent, { type: Type }>;

/** What `--json` told, every line of it checked by the published schema. */
export interface JsonRun {
  readonly exitCode: number;
  readonly stderr: string;
  readonly stdout: string;
  readonly events: readonly StampedRunEvent[];
  readonly finished: Finished;
  of<Type extends StampedRunEvent['type']>(type: Type): readonly EventOf<Type>[];
}

/** A user's project with a database of its own, both gone when the test ends. */
export interface Scene extends TestProject {
  readonly db: TestDatabase;
  json(args: readonly string[], options?: Partial<CliOptions>): Promise<JsonRun>;
  /** Fails where the command doesn't exit with 0. */
  ok(args: readonly string[], options?: Partial<CliOptions>): Promise<CliResult>;
  /** Everything of the registry, and every schema of the database with its tables: to be compared before and after. */
  snapshot(): Promise<unknown>;
}

interface TestScope {
  onTestFinished(cleanUp: () => Promise<void>): void;
}

export async function createScene(
  { onTestFinished }: TestScope,
  options: ProjectOptions | ((db: TestDatabase) => ProjectOptions) = {},
): Promise<Scene> {
  const db = await createTestDatabase();
  const asked = typeof options === 'function' ? options(db) : options;
  const namePrefix = asked.driver === 'postgres-database' ? `${db.name}_` : 'tenant_';
  const project = await createProject({ databaseUrl: db.url, namePrefix, ...asked });
  onTestFinished(async () => {
    await project.remove();
    await db.drop();
  });
  return {
    ...project,
    db,
    json: async (args, cli) => readJsonRun(await project.run(['--json', ...args], cli)),
    ok: async (args, cli) => {
      const result = await project.run(args, cli);
      if (result.exitCode !== 0)
        throw new Error(`tenancy ${args.join(' ')} ended with ${result.exitCode}\n${result.stdout}${result.stderr}`);
      return result;
    },
    snapshot: () => takeSnapshot(db),
  };
}

/** A gate in the scene's database that is open at the latest when the test ends. */
export async function createSceneGate({ onTestFinished }: TestScope, { db }: Scene): Promise<SqlGate> {
  const gate = await createSqlGate(db.url);
  let opening: Promise<void> | null = null;
  const open = (): Promise<void> => (opening ??= gate.open());
  onTestFinished(open);
  return { ...gate, open };
}

export function readJsonRun({ exitCode, stderr, stdout }: CliResult): JsonRun {
  const events = assertEvents(stdout);
  const finished = events.at(-1) as Finished;
  if (finished.exitCode !== exitCode) throw new Error(`run.finished says ${finished.exitCode}, and the exit code was ${exitCode}`);
  return { exitCode, stderr, stdout, events, finished, of: (type) => events.filter((event): event is never => event.type === type) };
}

async function takeSnapshot(db: TestDatabase): Promise<unknown> {
  const relations = await db.query(
    `SELECT nspname AS schema, array_agg(relname ORDER BY relname) FILTER (WHERE relname IS NOT NULL) AS relations, obj_description(n.oid, 'pg_namespace') AS comment
       FROM pg_namespace n LEFT JOIN pg_class c ON c.relnamespace = n.oid WHERE nspname !~ '^(pg_|information_schema)' GROUP BY n.oid, nspname ORDER BY 1`,
  );
  const databases = await db.query('SELECT datname FROM pg_database WHERE starts_with(datname, $1) ORDER BY 1', [`${db.name}_`]);
  if (!relations.some(({ schema }) => schema === 'tenancy')) return { relations, databases };
  const tables = ['tenants', 'runs', 'run_tenants', 'steps', 'events', 'clusters'];
  const rows = await Promise.all(
    tables.map((table) => db.query(`SELECT to_jsonb(t) AS row FROM tenancy.${table} t ORDER BY to_jsonb(t)::text`)),
  );
  return { relations, databases, rows };
}

/** A config over two clusters, `one` and `two`; a tenant whose id begins with `two` goes to the second. */
export function writeTwoClusterConfig(
  one: { readonly url: string; readonly concurrency?: number },
  two: { readonly url: string; readonly concurrency?: number },
  extra = '',
): string {
  return `export default {
    registry: ${JSON.stringify({ url: one.url })},
    clusters: ${JSON.stringify({ one, two })},
    placement: ({ id }) => ({ cluster: id.startsWith('two') ? 'two' : 'one', driver: 'postgres-schema', name: 'tenant_' + id.toLowerCase() }),
    migrations: { directory: './migrations' },
    ${extra}
  };`;
}
