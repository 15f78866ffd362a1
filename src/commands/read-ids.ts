import { TenancyError } from '../errors.js';
import type { CommandContext } from './context.js';

/** The ids that were named; `-` stands for those on stdin, one a line, blank lines and `#` comments left out. @throws TenancyError `TENANCY_STDIN_EMPTY` */
export async function readIds(context: CommandContext, named: readonly string[]): Promise<readonly string[]> {
  if (!named.includes('-')) return named;
  let text = '';
  for await (const chunk of context.stdin()) text += String(chunk);
  const lines = text
    .replace(/^\uFEFF/, '')
    .split(/\r?\n/)
    .map((line) => line.trim())
    .filter((line) => line !== '' && !line.startsWith('#'));
  // Not left to a selection that is empty: whoever typed `-` has said which tenants.
  if (lines.length === 0) throw new TenancyError('TENANCY_STDIN_EMPTY', {});
  return named.flatMap((id) => (id === '-' ? lines : [id]));
}
