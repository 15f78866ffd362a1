import path from 'node:path';
import { execa } from 'execa';
import { type Figure, median } from './figure.js';
import { createFleetProject } from './fleet-project.js';
import { timeCommand } from './time-command.js';

const ROUNDS = 21;

/** Start-up, as a multiple of `node -e ''`: the three commands take turns, and the medians are compared. */
export async function benchStartUp(root: string, serverUrl: string): Promise<readonly Figure[]> {
  const fleet = await createFleetProject({ root, serverUrl, measuredUrl: serverUrl, tenants: 10, concurrency: 8 });
  try {
    const figures: Figure[] = [];
    for (const { name, file, goals } of await findNodes()) {
      const bin = path.join(root, 'bin', 'tenancy.js');
      const env = { BENCH_URL: fleet.databaseUrl };
      const commands = { bare: ['-e', ''], help: [bin, '--help'], list: [bin, 'tenant', 'list'] };
      const times = { bare: [] as number[], help: [] as number[], list: [] as number[] };
      for (let round = 0; round < ROUNDS; round += 1) {
        for (const key of ['bare', 'help', 'list'] as const) {
          times[key].push(await timeCommand(file, commands[key], { cwd: fleet.directory, env }));
        }
      }
      const bare = median(times.bare);
      const detail = (key: 'help' | 'list'): string =>
        `median of ${ROUNDS}: ${median(times[key]).toFixed(0)} ms against ${bare.toFixed(0)} ms`;
      figures.push(
        {
          what: `${name}: \`tenancy --help\` ÷ \`node -e ''\``,
          ratio: median(times.help) / bare,
          goal: { type: 'at-most', ratio: goals.help },
          detail: detail('help'),
        },
        {
          what: `${name}: \`tenancy tenant list\`, 10 tenants ÷ \`node -e ''\``,
          ratio: median(times.list) / bare,
          goal: { type: 'at-most', ratio: goals.list },
          detail: detail('list'),
        },
      );
    }
    return figures;
  } finally {
    await fleet.remove();
  }
}

interface NodeUnderTest {
  readonly name: string;
  readonly file: string;
  readonly goals: { readonly help: number; readonly list: number };
}

/** This Node, and Node 24 where npm can bring it. */
async function findNodes(): Promise<readonly NodeUnderTest[]> {
  const goalsOf = (major: number): NodeUnderTest['goals'] => (major >= 22 ? { help: 1.5, list: 2.7 } : { help: 2, list: 6.5 });
  const here: NodeUnderTest = {
    name: `Node ${process.versions.node}`,
    file: process.execPath,
    goals: goalsOf(Number.parseInt(process.versions.node, 10)),
  };
  const { stdout, exitCode } = await execa('npx', ['-y', '-p', 'node@24', '-c', 'node -p process.execPath'], { reject: false });
  const file = stdout.trim().split('\n').at(-1) ?? '';
  if (exitCode !== 0 || file === '' || file === process.execPath) {
    console.log('not run: Node 24 (npx -p node@24 could not bring it)');
    return [here];
  }
  const { stdout: version } = await execa(file, ['-p', 'process.versions.node']);
  return [here, { name: `Node ${version}`, file, goals: goalsOf(24) }];
}
