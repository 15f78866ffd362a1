import { rm, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { type Figure, median } from './figure.js';
import { createPresetProject, type PresetProject } from './preset-project.js';
import { type PresetSample, presetSamples } from './preset-samples.js';

/** `TENANCY_BENCH_SMALL=1` shows in a minute that all of it works; its figures say little. */
const isSmall = process.env['TENANCY_BENCH_SMALL'] === '1';
const SLEEPERS = isSmall ? 20 : 40;
const ASKED = isSmall ? 50 : 500;
const CHILDREN = isSmall ? 2 : 5;
const ROUNDS = isSmall ? 1 : 3;
const CONCURRENCY = 10;
const SLEEP_S = 0.2;

/** Other people's migrators in process: are tenants of one database really migrated side by side, and what does it cost to ask one. */
export async function benchPresets(root: string, serverUrl: string): Promise<readonly Figure[]> {
  const figures: Figure[] = [];
  for (const sample of presetSamples) {
    figures.push(await timeSleepers(root, serverUrl, sample));
    const asked = await measureAsking(root, serverUrl, sample);
    if (asked !== null) figures.push(asked);
  }
  return figures;
}

async function timeSleepers(root: string, serverUrl: string, sample: PresetSample): Promise<Figure> {
  const idealMs = ((SLEEPERS * SLEEP_S) / CONCURRENCY) * 1_000;
  const totals: number[] = [];
  const startUps: number[] = [];
  for (let round = 0; round < ROUNDS; round += 1) {
    const project = await createPresetProject({ root, serverUrl, sample, tenants: SLEEPERS, concurrency: CONCURRENCY });
    try {
      await sample.write(project.directory, 2, `SELECT pg_sleep(${SLEEP_S})`);
      totals.push((await project.run(['tenant', 'migrate', '--all', '--quiet'])).ms);
      // The same command with nothing to do.
      startUps.push((await project.run(['tenant', 'migrate', '--all', '--quiet'])).ms);
    } finally {
      await project.remove();
    }
  }
  const [totalMs, startUpMs] = [median(totals), median(startUps)];
  return {
    what: `${sample.name}(): ${SLEEPERS} tenants of one database × \`pg_sleep(${SLEEP_S})\` at concurrency ${CONCURRENCY} ÷ (ideal + start-up)`,
    ratio: totalMs / (idealMs + startUpMs),
    goal: { type: 'at-most', ratio: 1.3 },
    detail: `median of ${ROUNDS}: ${(totalMs / 1_000).toFixed(2)} s against ${(idealMs / 1_000).toFixed(1)} s and ${startUpMs.toFixed(0)} ms of start-up`,
  };
}

/** Null where the tool's own program isn't at hand. */
async function measureAsking(root: string, serverUrl: string, sample: PresetSample): Promise<Figure | null> {
  if (sample.command === null) return null;
  const project = await createPresetProject({ root, serverUrl, sample, tenants: ASKED, concurrency: CONCURRENCY });
  try {
    // Without a tenant to ask, it is the start alone.
    const start = (await project.run(['tenant', 'migrate', '--all', '--quiet'])).cpuS;
    const asked = (await project.run(['tenant', 'migrate', '--all', '--force-verify', '--quiet'])).cpuS;
    const childS = (await runChildren(project, sample.command)) - start;
    const [eachInProcess, eachChild] = [Math.max(asked - start, 0.001) / ASKED, childS / CHILDREN];
    return {
      what: `${sample.name}(): nothing to do in ${ASKED} tenants, each asked; its program in ${CHILDREN} ÷ in process, CPU of each tenant`,
      ratio: eachChild / eachInProcess,
      goal: { type: 'at-least', ratio: 12 },
      detail: `${eachInProcess.toFixed(4)} s in process, ${eachChild.toFixed(2)} s as a child; the start, ${start.toFixed(2)} s, taken off both`,
    };
  } finally {
    await project.remove();
  }
}

/** Its program run for a handful of tenants, also where nothing is to be done: without a version it can't be known. */
async function runChildren(project: PresetProject, command: string): Promise<number> {
  const config = path.join(project.directory, 'child.config.mjs');
  await writeFile(
    config,
    project.config(`{ ...${command}, target: async () => null, readVersion: async () => null, versions: undefined, pending: undefined }`),
  );
  const ids = Array.from({ length: CHILDREN }, (_, index) => project.idOf(index));
  const { cpuS } = await project.run(['tenant', 'migrate', ...ids, '--force-verify', '--quiet', '--config', config]);
  await rm(config);
  return cpuS;
}
