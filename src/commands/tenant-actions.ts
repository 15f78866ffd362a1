import { EXIT, type ExitCode } from '../errors/define.js';
import { TenancyError } from '../errors.js';
import { toJsonLine } from '../reporters/json-line.js';
import { explainWait, parseWait } from '../util/duration.js';
import type { CommandContext } from './context.js';
import { type RunFlags, withRun, withTenancy } from './with-tenancy.js';

export async function runSuspend(context: CommandContext, id: string, flags: RunFlags): Promise<ExitCode> {
  return withRun(context, 'tenant suspend', flags, (tenancy) => tenancy.suspend(id, { signals: context.takeSignals() }));
}

export async function runResume(context: CommandContext, id: string, flags: RunFlags): Promise<ExitCode> {
  return withRun(context, 'tenant resume', flags, (tenancy) => tenancy.resume(id, { signals: context.takeSignals() }));
}

export interface RotateFlags extends RunFlags {
  readonly finish?: boolean;
  readonly overlap?: string;
}

export async function runRotate(context: CommandContext, id: string, flags: RotateFlags): Promise<ExitCode> {
  const { finish = false, overlap } = flags;
  const expected = overlap === undefined ? null : explainWait(overlap);
  if (expected !== null) throw new TenancyError('TENANCY_OPTION_REJECTED', { option: '--overlap', value: overlap ?? '', expected });
  if (finish && overlap !== undefined) {
    const expected = 'one of --finish and --overlap, not both';
    throw new TenancyError('TENANCY_OPTION_REJECTED', { option: '--finish', value: '--overlap', expected });
  }
  const overlapMs = overlap === undefined ? null : parseWait(overlap);
  return withRun(context, 'tenant rotate', flags, (tenancy) =>
    tenancy.rotate(id, { signals: context.takeSignals(), isFinish: finish, overlapMs }),
  );
}

export interface RepairFlags extends RunFlags {
  readonly applied?: boolean;
  readonly rerun?: boolean;
  readonly appliedUpTo?: string;
}

export async function runRepair(context: CommandContext, id: string, flags: RepairFlags): Promise<ExitCode> {
  if (flags.applied && flags.rerun) {
    throw new TenancyError('TENANCY_OPTION_REJECTED', {
      option: '--applied',
      value: '--rerun',
      expected: 'one of --applied and --rerun, not both',
    });
  }
  const answer = flags.applied ? 'applied' : flags.rerun ? 'rerun' : undefined;
  return withRun(context, 'tenant repair', flags, (tenancy) =>
    tenancy.repair(id, {
      signals: context.takeSignals(),
      ...(answer ? { answer } : {}),
      ...(flags.appliedUpTo === undefined ? {} : { appliedUpTo: flags.appliedUpTo }),
    }),
  );
}

export async function runProtect(context: CommandContext, id: string, isProtected: boolean): Promise<ExitCode> {
  const word = isProtected ? 'protected' : 'unprotected';
  return withTenancy(context, `tenant ${isProtected ? 'protect' : 'unprotect'}`, async (tenancy) => {
    const isChanged = await tenancy.setProtected(id, isProtected);
    say(
      context,
      { tenant: id, protected: isProtected, changed: isChanged },
      isChanged ? `${id} is ${word} now` : `${id} is ${word} already`,
    );
    return EXIT.ok;
  });
}

export async function runUnlock(context: CommandContext, id: string): Promise<ExitCode> {
  return withTenancy(context, 'tenant unlock', async (tenancy) => {
    const lease = await tenancy.unlock(id);
    const text = lease
      ? `${id} is unlocked; the lock was held by ${lease.owner} on ${lease.host} since ${lease.since.toISOString()}`
      : `${id} was not locked`;
    say(context, { tenant: id, unlocked: lease !== null, lease: lease && { ...lease, since: lease.since.toISOString() } }, text);
    return EXIT.ok;
  });
}

/** The result of a command that is no run: a sentence, or one JSON document. */
function say({ stdout, globals }: CommandContext, document: object, text: string): void {
  if (globals.output === 'json') stdout.write(`${toJsonLine({ v: 1, ...document })}\n`);
  else if (!globals.isQuiet) stdout.write(`${text}\n`);
}
