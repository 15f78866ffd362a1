import { writeFile } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { startPrivateServer } from '../rig/private-server.js';
import { benchMigrate } from './bench-migrate.js';
import { benchPresets } from './bench-presets.js';
import { benchSleep } from './bench-sleep.js';
import { benchStartUp } from './bench-start-up.js';
import { type Figure, isMet, printFigures } from './figure.js';

const benchmarks = { 'start-up': benchStartUp, migrate: benchMigrate, sleep: benchSleep, presets: benchPresets };

/** Runs the benchmarks that were named, or all, which also writes docs/benchmarks.md. The answer is an exit code: 1 where a goal is missed. */
export async function main(root: string, names: readonly string[]): Promise<number> {
  const unknown = names.filter((name) => !(name in benchmarks));
  if (unknown.length > 0) {
    console.error(`no benchmark is called ${unknown.join(', ')}; there are ${Object.keys(benchmarks).join(', ')}`);
    return 2;
  }
  const server = await startPrivateServer('18');
  const figures: Figure[] = [];
  try {
    for (const [name, run] of Object.entries(benchmarks)) {
      if (names.length > 0 && !names.includes(name)) continue;
      console.log(`# ${name}`);
      const made = await run(root, server.url);
      console.log(`${printFigures(made)}\n`);
      figures.push(...made);
    }
  } finally {
    await server.stop();
  }
  if (names.length === 0) await writeFile(path.join(root, 'docs', 'benchmarks.md'), document(figures));
  return figures.every(isMet) ? 0 : 1;
}

function document(figures: readonly Figure[]): string {
  const [cpu] = os.cpus();
  return `# Benchmarks

Each figure is a ratio of two things measured in one run, taking turns, so that it means something on another machine too.
\`npm run bench\` runs them all and writes this page; \`npm run bench -- migrate\` runs one.

${printFigures(figures)}

Measured on ${os.cpus().length} cores (${cpu?.model.trim() ?? 'unknown'}), ${os.platform()}, Node ${process.versions.node}, against a private PostgreSQL 18 with
\`fsync=off\`, so that the tool's share of the time shows and not the disk's. Commands are timed whole, start-up included.
\`NODE_EXTRA_CA_CERTS\` is unset: on Node 20 it costs every start 130 ms, on both sides.

- **Bare script**: \`test/bench/rival.ts\`, the same SQL and a history row each over a \`pg\` pool, all twelve transactions of a tenant as one message; no
  registry, no lease, no fence, no check of the history.
- **Plain loop of umzug**: the same file, for each migration \`BEGIN\`, the file, the history row and \`COMMIT\` as a round trip each, at the same concurrency.
- The delay comes from a TCP proxy in front of the server, for registry and tenants alike.
`;
}
