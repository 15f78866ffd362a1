import { isTenancyError, TenancyError } from '../../errors.js';
import { DRIVER_NAMES, type DriverName } from '../../tenant.js';
import type { CommandContext } from '../context.js';
import { readServerSource, type ServerSource } from './read-url.js';

/** The answers as flags; each is also a question. */
export interface InitFlags {
  readonly driver?: string;
  readonly url?: string;
  readonly migrations?: string;
}

export interface Answers {
  readonly driver: DriverName;
  readonly server: ServerSource;
  /** As it is to stand in the config: relative to it, with `./`, or absolute. */
  readonly migrations: string;
}

interface Question<Answer> {
  readonly flag: string;
  readonly text: string;
  readonly preset: string;
  /** @throws TenancyError `TENANCY_OPTION_REJECTED`; at a terminal the question is then asked again. */
  readonly parse: (text: string) => Answer;
}

/**
 * Flag, else the default with `--yes`, else what is typed.
 * @throws TenancyError `TENANCY_OPTION_REJECTED` for a flag, `TENANCY_ANSWERS_MISSING`, `TENANCY_INIT_INTERRUPTED`.
 */
export async function askAnswers(context: CommandContext, flags: InitFlags, presets: { readonly migrations: string }): Promise<Answers> {
  const questions = {
    driver: {
      flag: '--driver',
      text: 'Keep tenants apart by schema (one database for all) or by database (one each)?',
      preset: 'schema',
      parse: parseDriver,
    } satisfies Question<DriverName>,
    server: {
      flag: '--url',
      text: 'Which server? embedded:DIR needs none; else postgres://… or env:NAME',
      preset: 'embedded:.tenancy/postgres',
      parse: readServerSource,
    } satisfies Question<ServerSource>,
    migrations: {
      flag: '--migrations',
      text: 'Folder of the migrations?',
      preset: presets.migrations,
      parse: parseDirectory,
    } satisfies Question<string>,
  };
  const given = { driver: flags.driver, server: flags.url, migrations: flags.migrations };
  const open = (Object.keys(questions) as (keyof Answers)[]).filter((key) => given[key] === undefined);
  const { isYes, canAsk } = context.globals;
  if (open.length > 0 && !isYes && !canAsk)
    throw new TenancyError('TENANCY_ANSWERS_MISSING', { flags: open.map((key) => questions[key].flag) });

  // All that was given is checked before anything is asked.
  const known = {
    driver: parseGiven(questions.driver, given.driver, isYes),
    server: parseGiven(questions.server, given.server, isYes),
    migrations: parseGiven(questions.migrations, given.migrations, isYes),
  };
  if (open.length === 0 || isYes) return known as Answers;
  return withTerminal(context, async (read) => ({
    driver: known.driver ?? (await askUntilParsed(context, questions.driver, read)),
    server: known.server ?? (await askUntilParsed(context, questions.server, read)),
    migrations: known.migrations ?? (await askUntilParsed(context, questions.migrations, read)),
  }));
}

function parseGiven<Answer>({ parse, preset }: Question<Answer>, given: string | undefined, isYes: boolean): Answer | undefined {
  if (given !== undefined) return parse(given);
  return isYes ? parse(preset) : undefined;
}

async function askUntilParsed<Answer>(
  { stderr }: CommandContext,
  question: Question<Answer>,
  read: (text: string) => Promise<string>,
): Promise<Answer> {
  for (;;) {
    const typed = await read(`${question.text} [${question.preset}] `);
    try {
      return question.parse(typed === '' ? question.preset : typed);
    } catch (error) {
      if (!isTenancyError(error, 'TENANCY_OPTION_REJECTED')) throw error;
      stderr.write(`${error.message}\n`);
    }
  }
}

/** Ctrl-C, and an input that ends, are no answer, and not the default either. */
async function withTerminal<T>(
  { stdin, stderr }: CommandContext,
  use: (read: (text: string) => Promise<string>) => Promise<T>,
): Promise<T> {
  const { createInterface } = await import('node:readline/promises');
  const terminal = createInterface({ input: stdin, output: stderr });
  const controller = new AbortController();
  const stop = (): void => controller.abort();
  terminal.once('SIGINT', stop).once('close', stop);
  try {
    return await use(async (text) => (await terminal.question(text, { signal: controller.signal })).trim());
  } catch (error) {
    if (!controller.signal.aborted) throw error;
    stderr.write('\n');
    throw new TenancyError('TENANCY_INIT_INTERRUPTED', {});
  } finally {
    terminal.close();
  }
}

function parseDriver(text: string): DriverName {
  const driver = DRIVER_NAMES.find((name) => name === text.toLowerCase() || name === `postgres-${text.toLowerCase()}`);
  if (driver) return driver;
  throw new TenancyError('TENANCY_OPTION_REJECTED', { option: '--driver', value: text, expected: 'schema or database' });
}

function parseDirectory(text: string): string {
  const directory = text.replaceAll('\\', '/').replace(/(?<=.)\/+$/, '');
  if (directory === '' || /^(\.\/*)+$/.test(directory)) {
    throw new TenancyError('TENANCY_OPTION_REJECTED', {
      option: '--migrations',
      value: text,
      expected: 'a folder of its own, such as ./migrations/tenant',
    });
  }
  return /^(\.{0,2}\/|[A-Za-z]:\/)/.test(directory) ? directory : `./${directory}`;
}
