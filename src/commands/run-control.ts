import { EXIT, type ExitCode } from '../errors/define.js';
import { toRunDocument } from '../reporters/documents/run-document.js';
import { toJsonLine } from '../reporters/json-line.js';
import type { ControlAnswer } from '../runs/control-run.js';
import { confirmTyped } from './ask.js';
import type { CommandContext } from './context.js';
import { withRun, withTenancy } from './with-tenancy.js';

export async function runRunPause(context: CommandContext, id: string): Promise<ExitCode> {
  return withTenancy(context, 'run pause', async (tenancy) => {
    const answer = await tenancy.pauseRun(id);
    return tell(context, answer, {
      done: 'is paused: it starts no more tenants',
      already: 'is paused already',
      unheard: 'was asked to pause, and its process has not said so yet',
    });
  });
}

export async function runRunCancel(context: CommandContext, id: string, flags: { readonly now?: boolean }): Promise<ExitCode> {
  const isNow = flags.now ?? false;
  return withTenancy(context, 'run cancel', async (tenancy) => {
    const answer = await tenancy.cancelRun(id, { isNow });
    return tell(context, answer, {
      done: isNow ? 'is cancelled: what is in flight is stopped' : 'is cancelled: what is in flight is finished, and nothing more started',
      already: 'is being cancelled already',
      unheard: '',
    });
  });
}

/** One that lives is told to go on; any other is gone on with here. */
export async function runRunResume(context: CommandContext, id: string, flags: { readonly confirm?: string }): Promise<ExitCode> {
  return withRun(context, 'run resume', {}, async (tenancy) => {
    const { command } = await tenancy.findRun(id);
    const resumed = await tenancy.resumeRun(id, {
      signals: context.takeSignals(),
      confirm: async (selected) => {
        if (command !== 'rollback' || (selected <= 1 && flags.confirm === undefined)) return;
        await confirmTyped(
          context,
          String(selected),
          flags.confirm,
          `Go on rolling back ${selected} tenants? Type ${selected} to go on: `,
          {
            what: `going on with a rollback of ${selected} tenants`,
            flag: `--confirm ${selected}`,
          },
        );
      },
    });
    if (resumed.type === 'carried-on') return resumed.report;
    const exitCode = tell(context, resumed.answer, {
      done: 'goes on',
      already: 'is not paused: it goes on already',
      unheard: 'was asked to go on, and its process has not said so yet',
    });
    return { exitCode };
  });
}

interface Words {
  readonly done: string;
  readonly already: string;
  readonly unheard: string;
}

function tell({ stdout, globals }: CommandContext, { run, isChanged, isHeard }: ControlAnswer, words: Words): ExitCode {
  const isOver = run.status !== 'running' && run.status !== 'paused';
  const end = isOver ? `has ended meanwhile: ${run.status}` : null;
  const text = `${run.id} ${end ?? (isHeard ? (isChanged ? words.done : words.already) : words.unheard)}`;
  const document = { v: 1, run: toRunDocument(run), changed: isChanged, heard: isHeard };
  if (globals.output === 'json') stdout.write(`${toJsonLine(document)}\n`);
  else if (!globals.isQuiet) stdout.write(`${text}\n`);
  return EXIT.ok;
}
