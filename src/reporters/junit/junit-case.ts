import type { RunCommand, RunEvent } from '../../events.js';
import type { TenantOutcome } from '../../outcome.js';
import { describeOutcome } from '../describe.js';
import { describeCommand } from '../words.js';
import { escapeText, printAttributes, toSeconds } from './xml.js';

export type CaseResult = 'passed' | 'failure' | 'error' | 'skipped';

/** One `<testcase>`. */
export interface JunitCase {
  readonly result: CaseResult;
  readonly ms: number;
  readonly xml: string;
}

/** A tenant that was up to date is no case: it is counted. */
export function toCase(outcome: TenantOutcome, command: RunCommand): JunitCase {
  const { tenant, cluster, ms, error } = outcome;
  const print = (result: CaseResult, inner: string): JunitCase => printCase(result, { name: tenant, group: cluster, command, ms, inner });
  switch (outcome.outcome) {
    case 'applied':
    case 'up-to-date':
      return print('passed', '');
    case 'failed':
    case 'unverified':
    case 'unknown': {
      const lines = [
        describeOutcome(outcome, command),
        ...(error?.hint === undefined ? [] : [`→ ${error.hint}`]),
        ...(error?.log == null ? [] : [`log ${error.log}`]),
      ];
      return print('failure', printProblem('failure', error?.message ?? outcome.outcome, error?.code ?? outcome.outcome, lines.join('\n')));
    }
    case 'skipped':
    case 'cancelled':
    case 'not-started':
      return print('skipped', `<skipped${printAttributes({ message: describeOutcome(outcome, command) })}/>`);
  }
}

/** What a dry run would do: nothing was tried, so that nothing passed. */
export function toPlannedCase(planned: Extract<RunEvent, { type: 'tenant.planned' }>, command: RunCommand): JunitCase {
  const { tenant: name, cluster: group, from, to } = planned;
  const message = `dry run: would ${describeCommand(command).verb}, ${from ?? 'nothing'} → ${to ?? 'nothing'}`;
  return printCase('skipped', { name, group, command, ms: 0, inner: `<skipped${printAttributes({ message })}/>` });
}

/** What ended or stopped the run as a whole. */
export function toRunCase(name: string, command: string, problem: { readonly code: string; readonly message: string }): JunitCase {
  const inner = printProblem('error', problem.message, problem.code, problem.message);
  return printCase('error', { name, group: null, command, ms: 0, inner });
}

interface CaseParts {
  readonly name: string;
  readonly group: string | null;
  readonly command: string;
  readonly ms: number;
  readonly inner: string;
}

function printCase(result: CaseResult, { name, group, command, ms, inner }: CaseParts): JunitCase {
  const classname = ['tenancy', command, ...(group === null ? [] : [group])].join('.');
  const attributes = printAttributes({ name, classname, time: toSeconds(ms) });
  const xml = inner === '' ? `    <testcase${attributes}/>\n` : `    <testcase${attributes}>${inner}</testcase>\n`;
  return { result, ms, xml };
}

function printProblem(tag: 'failure' | 'error', message: string, type: string, text: string): string {
  const [first = ''] = message.split('\n');
  return `<${tag}${printAttributes({ message: first, type })}>${escapeText(text)}</${tag}>`;
}
