import type { Figure } from './figure.js';
import { createHookProject, runProbed } from './hook-project.js';
import { isSmall } from './small.js';

const TENANTS = isSmall ? 1_000 : 10_000;
const WAIT_MS = 20;
const CONCURRENCY = 16;
const MOST_STALL_MS = 50;

/** How much of its own time the tool adds, where each tenant takes 20 ms. */
export async function benchFanOut(root: string, serverUrl: string): Promise<readonly Figure[]> {
  const idealMs = (TENANTS * WAIT_MS) / CONCURRENCY;
  const figures: Figure[] = [];
  for (const [output, where] of [
    ['tty', 'on a terminal'],
    ['json', 'in JSON'],
  ] as const) {
    const project = await createHookProject(root, serverUrl, { tenants: TENANTS, waitMs: WAIT_MS, concurrency: CONCURRENCY });
    try {
      const { ms, stallMs } = await runProbed(
        project,
        ['tenant', 'migrate', '--all', '--output', output],
        { BENCH_TARGET: output },
        output === 'tty',
      );
      const what = `${TENANTS.toLocaleString('en')} tenants × ${WAIT_MS} ms at concurrency ${CONCURRENCY}, ${where}`;
      figures.push(
        {
          what: `${what} ÷ ideal`,
          ratio: ms / idealMs,
          goal: { type: 'at-most', ratio: 1.1 },
          detail: `${(ms / 1_000).toFixed(2)} s, start-up included, against ${(idealMs / 1_000).toFixed(1)} s`,
        },
        {
          what: `the longest stall of its event loop ÷ ${MOST_STALL_MS} ms, ${where}`,
          ratio: stallMs / MOST_STALL_MS,
          goal: { type: 'at-most', ratio: 1 },
          detail: `${stallMs.toFixed(0)} ms`,
        },
      );
    } finally {
      await project.remove();
    }
  }
  return figures;
}
