import { EXIT, type ExitCode } from '../errors/define.js';
import { TenancyError } from '../errors.js';
import { printPool, printPoolFilling, toPoolDocument, toPoolFillDocument } from '../reporters/documents/pool-document.js';
import { writeDocument } from '../reporters/documents/write-document.js';
import type { CommandContext } from './context.js';
import { withHooks, withTenancy } from './with-tenancy.js';

interface PoolFlags {
  readonly cluster?: string;
}

export async function runPoolStatus(context: CommandContext, { cluster }: PoolFlags): Promise<ExitCode> {
  return withTenancy(context, 'pool status', async (tenancy) => {
    const pools = await tenancy.readPool(cluster === undefined ? {} : { cluster });
    await writeDocument(toPoolDocument(pools), printPool, { ...context, ...context.globals });
    return EXIT.ok;
  });
}

export async function runPoolFill(context: CommandContext, count: string | undefined, { cluster }: PoolFlags): Promise<ExitCode> {
  const wanted = parseCount(count);
  return withHooks(context, 'pool fill', async (tenancy) => {
    const signals = context.takeSignals();
    const pools = await tenancy.fillPool({ count: wanted, cluster: cluster ?? null, signals });
    await writeDocument(toPoolFillDocument(pools), printPoolFilling, { ...context, ...context.globals });
    if (signals.drain.aborted) return EXIT.interrupted;
    return pools.some(({ failed }) => failed.length > 0) ? EXIT.tenantsFailed : EXIT.ok;
  });
}

function parseCount(raw: string | undefined): number | null {
  if (raw === undefined) return null;
  if (/^\d{1,6}$/.test(raw)) return Number(raw);
  throw new TenancyError('TENANCY_OPTION_REJECTED', { option: 'pool fill', value: raw, expected: 'how many are to be ready, such as 20' });
}
