import { readFile, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { startPrivateServer } from '../rig/private-server.js';
import { benchFanOut } from './bench-fan-out.js';
import { benchMemory } from './bench-memory.js';
import { benchMigrate } from './bench-migrate.js';
import { benchNothing } from './bench-nothing.js';
import { benchPeers } from './bench-peers.js';
import { benchPresets } from './bench-presets.js';
import { benchProvision } from './bench-provision.js';
import { benchSchemas } from './bench-schemas.js';
import { benchSleep } from './bench-sleep.js';
import { benchStartUp } from './bench-start-up.js';
import { benchWorkers } from './bench-workers.js';
import { isMet, printFigures } from './figure.js';
import { printSection, replaceSection } from './page.js';
import { isSmall } from './small.js';

const benchmarks = {
  'start-up': benchStartUp,
  nothing: benchNothing,
  migrate: benchMigrate,
  schemas: benchSchemas,
  peers: benchPeers,
  sleep: benchSleep,
  'fan-out': benchFanOut,
  memory: benchMemory,
  provision: benchProvision,
  workers: benchWorkers,
  presets: benchPresets,
};

/** Runs the benchmarks that were named, or all, and writes what each measured into docs/benchmarks.md. The answer is an exit code: 1 where a goal is missed. */
export async function main(root: string, names: readonly string[]): Promise<number> {
  const unknown = names.filter((name) => !(name in benchmarks));
  if (unknown.length > 0) {
    console.error(`no benchmark is called ${unknown.join(', ')}; there are ${Object.keys(benchmarks).join(', ')}`);
    return 2;
  }
  const server = await startPrivateServer('18');
  let isEachMet = true;
  try {
    for (const [name, run] of Object.entries(benchmarks)) {
      if (names.length > 0 && !names.includes(name)) continue;
      console.log(`# ${name}`);
      const figures = await run(root, server.url);
      console.log(`${printFigures(figures)}\n`);
      isEachMet &&= figures.every(isMet);
      if (!isSmall) await record(root, printSection(name, figures), name);
    }
  } finally {
    await server.stop();
  }
  return isEachMet ? 0 : 1;
}

async function record(root: string, section: string, name: string): Promise<void> {
  const page = path.join(root, 'docs', 'benchmarks.md');
  await writeFile(page, replaceSection(await readFile(page, 'utf8'), name, section));
}
