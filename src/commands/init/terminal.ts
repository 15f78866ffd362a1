import { isTenancyError, TenancyError } from '../../errors.js';
import type { CommandContext } from '../context.js';

export interface Question<Answer> {
  readonly flag: string;
  readonly text: string;
  readonly preset: string;
  /** @throws TenancyError `TENANCY_OPTION_REJECTED`; at a terminal the question is then asked again. */
  readonly parse: (text: string) => Answer;
}

export type Ask = <Answer>(question: Question<Answer>) => Promise<Answer>;

/**
 * Closed in every case. Ctrl-C, and an input that ends, are no answer, and not the default either.
 * @throws TenancyError `TENANCY_INIT_INTERRUPTED`
 */
export async function withTerminal<T>({ stdin, stderr }: CommandContext, use: (ask: Ask) => Promise<T>): Promise<T> {
  const { createInterface } = await import('node:readline/promises');
  const terminal = createInterface({ input: stdin(), output: stderr });
  const controller = new AbortController();
  const stop = (): void => controller.abort();
  terminal.once('SIGINT', stop).once('close', stop);
  const ask: Ask = async ({ text, preset, parse }) => {
    for (;;) {
      const typed = (await terminal.question(`${text} [${preset}] `, { signal: controller.signal })).trim();
      try {
        return parse(typed === '' ? preset : typed);
      } catch (error) {
        if (!isTenancyError(error, 'TENANCY_OPTION_REJECTED')) throw error;
        stderr.write(`${error.message}\n`);
      }
    }
  };
  try {
    return await use(ask);
  } catch (error) {
    if (!controller.signal.aborted) throw error;
    stderr.write('\n');
    throw new TenancyError('TENANCY_INIT_INTERRUPTED', {});
  } finally {
    terminal.close();
  }
}
