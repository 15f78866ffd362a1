import { TenancyError } from '../errors.js';
import type { CommandContext } from './context.js';

/** Asks on the terminal. @throws TenancyError `TENANCY_CONFIRMATION_MISSING` where nobody can be asked. */
async function ask(context: CommandContext, question: string, unasked: { readonly what: string; readonly flag: string }): Promise<string> {
  if (!context.globals.canAsk) throw new TenancyError('TENANCY_CONFIRMATION_MISSING', unasked);
  const { createInterface } = await import('node:readline/promises');
  const terminal = createInterface({ input: context.stdin(), output: context.stderr });
  const controller = new AbortController();
  // Ctrl-C, and an input that ends, answer nothing; the question is then not left hanging.
  terminal.once('SIGINT', () => controller.abort());
  terminal.once('close', () => controller.abort());
  try {
    return (await terminal.question(question, { signal: controller.signal })).trim();
  } catch (error) {
    if (!controller.signal.aborted) throw error;
    context.stderr.write('\n');
    return '';
  } finally {
    terminal.close();
  }
}

/** The id (or count) has to be typed, or to have been given by its flag; `--yes` does not replace it. */
export async function confirmTyped(
  context: CommandContext,
  expected: string,
  given: string | undefined,
  question: string,
  unasked: { readonly what: string; readonly flag: string },
): Promise<void> {
  const answer = given ?? (await ask(context, question, unasked));
  if (answer !== expected) throw new TenancyError('TENANCY_CONFIRMATION_MISMATCHED', { expected, given: answer });
}
