import { readFile } from 'node:fs/promises';
import path from 'node:path';
import { createFleetProject, type FleetProject } from './fleet-project.js';

/** What the process of a run found out about itself. */
export interface Probe {
  /** How much later than asked for a timer fired, at most. */
  readonly stallMs: number;
  readonly peakMb: number;
}

const LOOP_MS = 10;

/** Asks the process about itself when its run is over. */
export const probeHead = `import { monitorEventLoopDelay } from 'node:perf_hooks';
import { writeFileSync } from 'node:fs';
import { setTimeout as wait } from 'node:timers/promises';
const loop = monitorEventLoopDelay({ resolution: ${LOOP_MS} });
let isBegun = false;
const onEvent = ({ type }) => {
  if (type === 'tenant.started' && !isBegun) isBegun = loop.enable();
  if (type !== 'run.finished' || !process.env.BENCH_PROBE) return;
  loop.disable();
  const peakMb = process.resourceUsage().maxRSS / 1024;
  writeFileSync(process.env.BENCH_PROBE, JSON.stringify({ stallMs: Math.max(0, loop.max / 1e6 - ${LOOP_MS}), peakMb }));
};`;

/** Tenants that nobody has to make a home for: what is run for each is a hook that waits. */
export async function createHookProject(
  root: string,
  serverUrl: string,
  { tenants, waitMs, concurrency }: { readonly tenants: number; readonly waitMs: number; readonly concurrency: number },
): Promise<FleetProject> {
  const project = await createFleetProject({
    root,
    serverUrl,
    measuredUrl: serverUrl,
    tenants: 1,
    concurrency,
    migrations: [],
    configHead: `${probeHead}
const done = new Set();
const migrate = {
  type: 'migrator',
  name: 'wait',
  connections: 0,
  target: async () => process.env.BENCH_TARGET ?? 'first',
  readVersion: async ({ tenant }) => (done.has(tenant.id) ? (process.env.BENCH_TARGET ?? 'first') : null),
  run: async ({ tenant }) => {
    await wait(${waitMs});
    done.add(tenant.id);
  },
};`,
    configExtra: 'hooks: { migrate, onEvent },',
  });
  await project.registerCopies(tenants - 1);
  return project;
}

/** Runs the command, and reads what its process wrote of itself. */
export async function runProbed(
  project: FleetProject,
  args: readonly string[],
  env: Readonly<Record<string, string>> = {},
  isInTerminal = false,
): Promise<Probe & { readonly ms: number }> {
  const file = path.join(project.directory, 'probe.json');
  const ms = await project.run(args, { ...env, BENCH_PROBE: file }, isInTerminal);
  return { ms, ...(JSON.parse(await readFile(file, 'utf8')) as Probe) };
}
