import type { RunContext } from '../../lifecycle/run-context.js';
import type { DriverName } from '../../tenant.js';
import type { SavedPlan } from './saved-plan.js';

/** What a plan rests on besides its tenants: the servers, the migrations, and what of the config decides what they do. */
export type Basis = Pick<SavedPlan, 'registry' | 'extensionsSchema' | 'clusters' | 'migrators'>;

export async function describeBasis(
  run: RunContext,
  groups: readonly { readonly cluster: string; readonly driver: DriverName }[],
): Promise<Basis> {
  const clusters = await Promise.all([...new Set(groups.map(({ cluster }) => cluster))].map((name) => describeCluster(run, name)));
  const drivers = [...new Set(groups.map(({ driver }) => driver))];
  const migrators = drivers.map((driver) => {
    const { identity, target, contents } = run.migrator.forDriver(driver);
    return [driver, { identity, target, contents: contents.map((each) => ({ ...each })) }] as const;
  });
  return {
    registry: run.registry.id,
    extensionsSchema: run.config.extensionsSchema,
    clusters: Object.fromEntries(clusters),
    migrators: Object.fromEntries(migrators),
  };
}

async function describeCluster({ clusters, command }: RunContext, name: string): Promise<readonly [string, { identity: string | null }]> {
  const identity = await clusters
    .engine(name, command)
    .then((engine) => engine.readIdentity())
    .catch(() => null);
  return [name, { identity }];
}

/** In what the two differ, in the words of a person who has to find it. */
export function compareBasis(planned: Basis, now: Basis): readonly string[] {
  const moved: string[] = [];
  if (planned.registry !== now.registry) return ['it was made over another registry'];
  if (planned.extensionsSchema !== now.extensionsSchema)
    moved.push(`extensions.schema of the config is ${now.extensionsSchema}, and was ${planned.extensionsSchema}`);
  for (const [name, { identity }] of Object.entries(planned.clusters)) {
    const found = now.clusters[name]?.identity ?? null;
    if (identity !== null && found !== null && identity !== found) moved.push(`cluster ${name} is another server`);
  }
  for (const [driver, was] of Object.entries(planned.migrators)) {
    const is = now.migrators[driver as DriverName];
    if (was === undefined || is === undefined) continue;
    if (is.identity !== was.identity) moved.push(`the migrator is ${is.identity}, and was ${was.identity}`);
    moved.push(...compareContents(was.contents, is.contents));
    if (is.target !== was.target) moved.push(`the target is ${is.target ?? 'nothing'}, and was ${was.target ?? 'nothing'}`);
  }
  return [...new Set(moved)];
}

type Contents = readonly { readonly name: string; readonly digest: string }[];

function compareContents(planned: Contents, now: Contents): readonly string[] {
  const before = new Map(planned.map(({ name, digest }) => [name, digest]));
  const after = new Map(now.map(({ name, digest }) => [name, digest]));
  const moved = [
    ...[...before].filter(([name, digest]) => after.has(name) && after.get(name) !== digest).map(([name]) => `${name} was edited`),
    ...[...before.keys()].filter((name) => !after.has(name)).map((name) => `${name} is gone`),
    ...[...after.keys()].filter((name) => !before.has(name)).map((name) => `${name} is new`),
  ];
  if (moved.length > 0) return moved;
  const isInOrder = planned.every(({ name }, index) => now[index]?.name === name);
  return isInOrder ? [] : ['the migrations are in another order'];
}
