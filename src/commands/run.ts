import { EXIT, type ExitCode } from '../errors/define.js';
import { TenancyError } from '../errors.js';
import { RETRIED_OUTCOMES } from '../fleet/tally.js';
import type { TenantOutcome } from '../outcome.js';
import { printRunList, printRunShow, toRunListDocument, toRunShowDocument } from '../reporters/documents/run-document.js';
import { writeDocument } from '../reporters/documents/write-document.js';
import type { CommandContext } from './context.js';
import { withTenancy } from './with-tenancy.js';

export async function runRunList(context: CommandContext, flags: { readonly limit?: string }): Promise<ExitCode> {
  const limit = parseLimit(flags.limit ?? '20');
  return withTenancy(context, 'run list', async (tenancy) => {
    const registry = await tenancy.workspace.registry();
    const runs = await registry.listRuns({ before: null, limit });
    await writeDocument(toRunListDocument(runs), printRunList, { ...context, ...context.globals });
    return EXIT.ok;
  });
}

export async function runRunShow(context: CommandContext, id: string): Promise<ExitCode> {
  return withTenancy(context, 'run show', async (tenancy) => {
    const run = await tenancy.findRun(id);
    const registry = await tenancy.workspace.registry();
    const outcomes: TenantOutcome[] = [];
    let after: string | null = null;
    for (;;) {
      const page = await registry.listOutcomes(run.id, { outcomes: [...RETRIED_OUTCOMES, 'skipped'] }, { after, limit: 500 });
      outcomes.push(...page);
      after = page.at(-1)?.tenant ?? null;
      if (page.length < 500 || after === null) break;
    }
    await writeDocument(toRunShowDocument(run, outcomes), printRunShow, { ...context, ...context.globals });
    return EXIT.ok;
  });
}

function parseLimit(raw: string): number {
  const limit = Number(raw);
  if (Number.isInteger(limit) && limit >= 1 && limit <= 1_000) return limit;
  throw new TenancyError('TENANCY_OPTION_REJECTED', { option: '--limit', value: raw, expected: 'a number from 1 to 1000' });
}
