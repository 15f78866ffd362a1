import { createTcpProxy } from '../rig/tcp-proxy.js';
import { type Figure, median } from './figure.js';
import { createFleetProject, type FleetProject } from './fleet-project.js';
import { isSmall } from './small.js';

const ROUNDS = isSmall ? 3 : 15;
const SIZES = isSmall ? [1_000] : [10_000, 100_000];
const GOALS: Readonly<Record<number, number>> = { 1000: 1.2, 10000: 1.2, 100000: 1.4 };

/** A deploy with nothing to do, over a fleet that has everything, against the same over one tenant. */
export async function benchNothing(root: string, serverUrl: string): Promise<readonly Figure[]> {
  const figures: Figure[] = [];
  for (const size of SIZES) figures.push(...(await measure(root, serverUrl, size)));
  return figures;
}

async function measure(root: string, serverUrl: string, size: number): Promise<readonly Figure[]> {
  const proxy = await createTcpProxy(serverUrl);
  const options = { root, serverUrl, measuredUrl: serverUrl, tenants: 1, concurrency: 8, migrations: [] };
  const one = await createFleetProject(options);
  const fleet = await createFleetProject(options);
  const counted = await createFleetProject({ ...options, measuredUrl: proxy.url });
  try {
    await fleet.registerCopies(size - 1);
    await counted.registerCopies(size - 1);
    const run = (project: FleetProject): Promise<number> => project.run(['tenant', 'migrate', '--all', '--quiet']);
    await run(counted);
    const times = { one: [] as number[], fleet: [] as number[] };
    for (let round = 0; round < ROUNDS; round += 1) {
      times.one.push(await run(one));
      times.fleet.push(await run(fleet));
    }
    const [a, b] = [median(times.fleet), median(times.one)];
    const what = `\`migrate --all\`, ${size.toLocaleString('en')} tenants that have everything`;
    return [
      {
        what: `${what} ÷ one`,
        ratio: a / b,
        goal: { type: 'at-most', ratio: GOALS[size] ?? 1.4 },
        detail: `median of ${ROUNDS}: ${a.toFixed(0)} ms against ${b.toFixed(0)} ms`,
      },
      {
        what: `${what}: connections ÷ the registry's one`,
        ratio: proxy.connectionCount,
        goal: { type: 'at-most', ratio: 1 },
        detail: 'counted by a proxy in front of the server: none to a tenant',
      },
    ];
  } finally {
    for (const project of [one, fleet, counted]) await project.remove();
    await proxy.close();
  }
}
