import { existsSync } from 'node:fs';
import { rm, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { startMongoDeployment } from '../rig/mongodb/deployment.js';
import { type Figure, median } from './figure.js';
import { formatSamples } from './format-samples.js';
import { createPresetProject, type PresetProject } from './preset-project.js';
import { type PresetSample, presetSamples, SLEEP_S } from './preset-samples.js';
import { isSmall } from './small.js';

const SLEEPERS = isSmall ? 20 : 40;
const ASKED = isSmall ? 50 : 500;
const CHILDREN = isSmall ? 2 : 5;
const ROUNDS = isSmall ? 1 : 3;
const CONCURRENCY = 10;

interface Servers {
  readonly root: string;
  readonly serverUrl: string;
  readonly mongoUrl: string;
}

/** Every migrator that runs in process: are tenants of one database really migrated side by side, and what does it cost to ask one. */
export async function benchPresets(root: string, serverUrl: string): Promise<readonly Figure[]> {
  const mongo = await startMongoDeployment(path.join(root, 'test/rig/mongodb/main.ts'));
  const servers = { root, serverUrl, mongoUrl: mongo.url };
  const figures: Figure[] = [];
  try {
    for (const sample of [...formatSamples, ...presetSamples]) figures.push(await timeSleepers(servers, sample));
    for (const sample of presetSamples) {
      const asked = await measureAsking(servers, sample);
      if (asked !== null) figures.push(asked);
    }
  } finally {
    await mongo.stop();
  }
  return figures;
}

async function timeSleepers(servers: Servers, sample: PresetSample): Promise<Figure> {
  const idealMs = ((SLEEPERS * SLEEP_S) / CONCURRENCY) * 1_000;
  const totals: number[] = [];
  const startUps: number[] = [];
  for (let round = 0; round < ROUNDS; round += 1) {
    const project = await createPresetProject({ ...servers, sample, tenants: SLEEPERS + 1, concurrency: CONCURRENCY });
    try {
      await sample.write(project.directory, 2, 'sleep');
      // The same command over one tenant, less its sleep: the process, the config, the library, the first connections.
      startUps.push((await project.run(['tenant', 'migrate', project.idOf(SLEEPERS), '--quiet'])).ms - SLEEP_S * 1_000);
      totals.push((await project.run(['tenant', 'migrate', '--all', '--quiet'])).ms);
    } finally {
      await project.remove();
    }
  }
  const [totalMs, startUpMs] = [median(totals), median(startUps)];
  const where = sample.engine === 'mongodb' ? 'databases of one MongoDB' : 'schemas of one database';
  return {
    what: `${sample.name}: ${SLEEPERS} ${where} × ${SLEEP_S} s at concurrency ${CONCURRENCY}, less start-up ÷ ideal`,
    ratio: (totalMs - startUpMs) / idealMs,
    goal: { type: 'at-most', ratio: 1.3 },
    detail: `median of ${ROUNDS}: ${(totalMs / 1_000).toFixed(2)} s, ${startUpMs.toFixed(0)} ms of it start-up, against ${(idealMs / 1_000).toFixed(1)} s`,
  };
}

/** Null where the tool's own program isn't at hand. */
async function measureAsking(servers: Servers, sample: PresetSample): Promise<Figure | null> {
  const { command } = sample;
  if (command === null) return null;
  if (!existsSync(path.join(servers.root, 'node_modules/.bin', command.program))) {
    console.log(`not run: ${sample.name} against its program (npm i --no-save ${command.install})`);
    return null;
  }
  const project = await createPresetProject({ ...servers, sample, tenants: ASKED, concurrency: CONCURRENCY });
  try {
    // Without a tenant to ask, it is the start alone.
    const start = (await project.run(['tenant', 'migrate', '--all', '--quiet'])).cpuS;
    const asked = (await project.run(['tenant', 'migrate', '--all', '--force-verify', '--quiet'])).cpuS;
    const childS = (await runChildren(project, command.migrator)) - start;
    const [eachInProcess, eachChild] = [Math.max(asked - start, 0.001) / ASKED, childS / CHILDREN];
    return {
      what: `${sample.name}: nothing to do in ${ASKED} tenants, each asked; \`${command.program}\` in ${CHILDREN} ÷ in process, CPU of each tenant`,
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
