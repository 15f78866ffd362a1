import { EXIT, type ExitCode } from '../errors/define.js';
import { TenancyError } from '../errors.js';
import { toJsonLine } from '../reporters/json-line.js';
import type { AdoptCandidate } from '../runs/adopt-run.js';
import { DRIVER_NAMES, type DriverName } from '../tenant.js';
import { confirmTyped } from './ask.js';
import type { CommandContext } from './context.js';
import { parseLabels } from './selection-flags.js';
import { type RunFlags, withRun, withTenancy } from './with-tenancy.js';

export async function runRegistryInit(context: CommandContext): Promise<ExitCode> {
  return withTenancy(context, 'registry init', async (tenancy) => {
    const registry = await tenancy.workspace.registry({ create: true });
    const { stdout, globals } = context;
    if (globals.output === 'json') stdout.write(`${toJsonLine({ v: 1, registry: registry.where, id: registry.id })}\n`);
    else if (!globals.isQuiet) stdout.write(`the registry is ready at ${registry.where}\n`);
    return EXIT.ok;
  });
}

export interface AdoptFlags extends RunFlags {
  readonly cluster?: string;
  readonly driver?: string;
  readonly pattern?: string;
  readonly appliedUpTo?: string;
  readonly label?: readonly string[];
  readonly dryRun?: boolean;
  readonly confirm?: string;
}

/** How many of those found are shown before the question. */
const SHOWN = 20;

export async function runRegistryAdopt(context: CommandContext, flags: AdoptFlags): Promise<ExitCode> {
  const labels = parseLabels(flags.label ?? []);
  const driver = parseDriver(flags.driver ?? 'postgres-schema');
  const { pattern } = flags;
  if (pattern === undefined) throw new TenancyError('TENANCY_PATTERN_REJECTED', { pattern: '', reason: 'it is missing' });
  return withRun(context, 'registry adopt', flags, (tenancy) =>
    tenancy.adopt({
      cluster: flags.cluster ?? Object.keys(tenancy.config.clusters)[0] ?? '',
      driver,
      pattern,
      appliedUpTo: flags.appliedUpTo ?? null,
      labels,
      dryRun: flags.dryRun ?? false,
      signals: context.takeSignals(),
      confirm: (found) => confirmFound(context, found, flags.confirm),
    }),
  );
}

async function confirmFound(context: CommandContext, found: readonly AdoptCandidate[], given: string | undefined): Promise<void> {
  const shown = found.slice(0, SHOWN).map(({ id, name }) => `  ${id}  (${name})`);
  const more = found.length > SHOWN ? [`  and ${found.length - SHOWN} more`] : [];
  const count = found.length === 1 ? '1 tenant' : `${found.length} tenants`;
  if (!context.globals.isQuiet) context.stderr.write(`${[`Found ${count} to adopt:`, ...shown, ...more].join('\n')}\n`);
  await confirmTyped(context, String(found.length), given, `Type ${found.length} to mark and register them: `, {
    what: `adopting ${count}`,
    flag: `--confirm ${found.length}`,
  });
}

function parseDriver(raw: string): DriverName {
  const driver = DRIVER_NAMES.find((known) => known === raw);
  if (driver) return driver;
  throw new TenancyError('TENANCY_OPTION_REJECTED', { option: '--driver', value: raw, expected: `one of ${DRIVER_NAMES.join(', ')}` });
}
