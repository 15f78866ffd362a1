import path from 'node:path';
import { execa } from 'execa';
import { type Figure, median } from './figure.js';
import { createFleetProject } from './fleet-project.js';
import { timeCommand } from './time-command.js';

const ROUNDS = 21;

/** All of these ask the registry, and what they answer is there already: it is the start that takes the time. */
const READING = [
  ['tenant', 'list'],
  ['status'],
  ['tenant', 'show', 't0001'],
  ['run', 'list'],
  ['run', 'show', 'last'],
  ['audit', 'show', 't0001'],
] as const;

/** Start-up, as a multiple of `node -e ''`: the commands take turns, and the medians are compared. */
export async function benchStartUp(root: string, serverUrl: string): Promise<readonly Figure[]> {
  const fleet = await createFleetProject({ root, serverUrl, measuredUrl: serverUrl, tenants: 10, concurrency: 8 });
  try {
    const figures: Figure[] = [];
    for (const { name, file, goals } of await findNodes()) {
      const bin = path.join(root, 'bin', 'tenancy.js');
      const env = { BENCH_URL: fleet.databaseUrl };
      const bare = { args: ['-e', ''], times: [] as number[] };
      const measured = [['--help'], ...READING].map((words) => ({ words, args: [bin, ...words], times: [] as number[] }));
      for (let round = 0; round < ROUNDS; round += 1) {
        for (const { args, times } of [bare, ...measured]) times.push(await timeCommand(file, args, { cwd: fleet.directory, env }));
      }
      const bareMs = median(bare.times);
      for (const { words, times } of measured) {
        figures.push({
          what: `${name}: \`tenancy ${words.join(' ')}\` ÷ \`node -e ''\``,
          ratio: median(times) / bareMs,
          goal: { type: 'at-most', ratio: words[0] === '--help' ? goals.help : goals.reading },
          detail: `median of ${ROUNDS}: ${median(times).toFixed(0)} ms against ${bareMs.toFixed(0)} ms`,
        });
      }
    }
    return figures;
  } finally {
    await fleet.remove();
  }
}

interface NodeUnderTest {
  readonly name: string;
  readonly file: string;
  readonly goals: { readonly help: number; readonly reading: number };
}

/** This Node, and Node 24 where npm can bring it. */
async function findNodes(): Promise<readonly NodeUnderTest[]> {
  const goalsOf = (major: number): NodeUnderTest['goals'] => (major >= 22 ? { help: 1.5, reading: 2.7 } : { help: 2, reading: 6.5 });
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
