import type { Palette } from '../palette.js';
import { sanitizeLine, sanitizeLines } from '../sanitize.js';

/** One thing that `tenancy doctor` looked at. */
export interface DoctorCheck {
  /** `node`, `config`, `registry`, `clusters.main`… */
  readonly name: string;
  readonly status: 'ok' | 'warning' | 'failed';
  /** What was found, in a sentence. */
  readonly detail: string;
  /** What to do about it. */
  readonly hint?: string | undefined;
}

/** `tenancy doctor`. */
export interface DoctorDocument {
  readonly v: 1;
  /** The worst of all checks. */
  readonly status: DoctorCheck['status'];
  readonly checks: readonly DoctorCheck[];
}

export function toDoctorDocument(checks: readonly DoctorCheck[]): DoctorDocument {
  const has = (status: DoctorCheck['status']): boolean => checks.some((check) => check.status === status);
  return { v: 1, status: has('failed') ? 'failed' : has('warning') ? 'warning' : 'ok', checks };
}

export function printDoctor({ checks }: DoctorDocument, palette: Palette): readonly string[] {
  const width = Math.max(0, ...checks.map(({ name }) => sanitizeLine(name).length));
  const lines = checks.flatMap(({ name, status, detail, hint }) => {
    const sign = status === 'ok' ? palette.green('✔') : status === 'failed' ? palette.red('✖') : palette.yellow('!');
    const [first = '', ...more] = sanitizeLines(detail);
    const indent = ' '.repeat(width + 4);
    return [
      `${sign} ${palette.bold(sanitizeLine(name).padEnd(width))}  ${first}`,
      ...more.map((line) => `${indent}${line}`),
      ...(hint === undefined ? [] : sanitizeLines(hint).map((line, index) => `${indent}${index === 0 ? palette.cyan('→') : ' '} ${line}`)),
    ];
  });
  const count = (wanted: DoctorCheck['status']): number => checks.filter(({ status }) => status === wanted).length;
  const [failed, warned] = [count('failed'), count('warning')];
  if (failed + warned === 0) return [...lines, '', `${palette.green('✔')} all is well`];
  const parts = [
    ...(failed === 0 ? [] : [palette.red(`${failed} failed`)]),
    ...(warned === 0 ? [] : [palette.yellow(`${warned} to look at`)]),
  ];
  return [...lines, '', parts.join(', ')];
}
