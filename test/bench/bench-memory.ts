import type { Figure } from './figure.js';
import { createFleetProject } from './fleet-project.js';
import { createHookProject, probeHead, runProbed } from './hook-project.js';
import { isSmall } from './small.js';

const SIZES = isSmall ? [50, 500] : [100, 1_000, 10_000];
const CONCURRENCY = 8;
const MOST_MB = 150;
const MOST_APART_MB = 30;

type Measure = (root: string, serverUrl: string, tenants: number) => Promise<number>;

/** Whether the fleet's size is seen in the memory of the process that migrates it. */
export async function benchMemory(root: string, serverUrl: string): Promise<readonly Figure[]> {
  return [
    ...(await compare('tenants with a hook for a migrator', measureHook, root, serverUrl)),
    ...(await compare('schemas × one migration', measureSchemas, root, serverUrl)),
  ];
}

async function compare(what: string, measure: Measure, root: string, serverUrl: string): Promise<readonly Figure[]> {
  const peaks: number[] = [];
  for (const size of SIZES) peaks.push(await measure(root, serverUrl, size));
  const sizes = SIZES.map((size) => size.toLocaleString('en')).join(', ');
  const detail = `${sizes}: ${peaks.map((peak) => peak.toFixed(0)).join(', ')} MB`;
  const apart = Math.max(...peaks) - Math.min(...peaks);
  return [
    { what: `${what}: peak ÷ ${MOST_MB} MB`, ratio: Math.max(...peaks) / MOST_MB, goal: { type: 'at-most', ratio: 1 }, detail },
    {
      what: `${what}: how far the sizes are apart ÷ ${MOST_APART_MB} MB`,
      ratio: apart / MOST_APART_MB,
      goal: { type: 'at-most', ratio: 1 },
      detail: `${apart.toFixed(0)} MB`,
    },
  ];
}

const measureHook: Measure = async (root, serverUrl, tenants) => {
  const project = await createHookProject(root, serverUrl, { tenants, waitMs: 0, concurrency: CONCURRENCY });
  try {
    return (await runProbed(project, ['tenant', 'migrate', '--all', '--quiet'], { BENCH_TARGET: 'next' })).peakMb;
  } finally {
    await project.remove();
  }
};

const measureSchemas: Measure = async (root, serverUrl, tenants) => {
  const migrations = [{ name: '0001_notes', sql: 'CREATE TABLE notes (id bigint PRIMARY KEY, text text);\n' }];
  const project = await createFleetProject({
    root,
    serverUrl,
    measuredUrl: serverUrl,
    tenants,
    concurrency: CONCURRENCY,
    migrations,
    configHead: probeHead,
    configExtra: "migrations: { directory: './migrations' }, hooks: { onEvent },",
  });
  try {
    return (await runProbed(project, ['tenant', 'migrate', '--all', '--quiet'])).peakMb;
  } finally {
    await project.remove();
  }
};
