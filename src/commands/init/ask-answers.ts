import type { EngineName } from '../../drivers/driver.js';
import { driversOf, engineOf } from '../../drivers/names.js';
import { TenancyError } from '../../errors.js';
import { DRIVER_NAMES, type DriverName } from '../../tenant.js';
import type { CommandContext } from '../context.js';
import { askDirectory, askDriver, askServer } from './questions.js';
import { engineOfServer, type ServerSource } from './read-url.js';
import { type Ask, type Question, withTerminal } from './terminal.js';

/** The answers as flags; each is also a question. */
export interface InitFlags {
  readonly driver?: string;
  readonly url?: string;
  readonly migrations?: string;
}

export interface Answers {
  readonly driver: DriverName;
  readonly server: ServerSource;
  /** As it is to stand in the config: relative to it, with `./`, or absolute. Null where a migrator of the project's own does it. */
  readonly migrations: string | null;
}

/** What the project itself answers. */
export interface Proposals {
  /** Of the server that its libraries speak to. */
  readonly engine: EngineName;
  /** The folder to propose; null where a migrator of its own needs none. */
  migrations(engine: EngineName): Promise<string | null>;
}

interface Given {
  readonly driver: DriverName | undefined;
  readonly server: ServerSource | undefined;
  readonly migrations: string | undefined;
}

/**
 * Flag, else the default with `--yes`, else what is typed; what follows from the rest is not asked.
 * @throws TenancyError `TENANCY_OPTION_REJECTED` for a flag, `TENANCY_ANSWERS_MISSING`, `TENANCY_INIT_INTERRUPTED`.
 */
export async function askAnswers(context: CommandContext, flags: InitFlags, proposals: Proposals): Promise<Answers> {
  const given = readFlags(flags, proposals);
  const { isYes, canAsk } = context.globals;
  if (isYes) return answerAll(context, given, proposals, async ({ parse, preset }) => parse(preset));

  const open: string[] = [];
  const answers = await answerAll(context, given, proposals, async ({ flag, parse, preset }) => {
    open.push(flag);
    return parse(preset);
  });
  if (open.length === 0) return answers;
  if (!canAsk) throw new TenancyError('TENANCY_ANSWERS_MISSING', { flags: open });
  return withTerminal(context, (ask) => answerAll(context, given, proposals, ask));
}

/** All that was given is checked before anything is asked. */
function readFlags(flags: InitFlags, proposals: Proposals): Given {
  const driver = DRIVER_NAMES.find((name) => name === flags.driver);
  const parse = <Answer>(question: Question<Answer>, text: string | undefined): Answer | undefined =>
    text === undefined ? undefined : question.parse(text);
  return {
    driver: driver ?? parse(askDriver(null, proposals.engine), flags.driver),
    server: parse(askServer(proposals.engine, driver), flags.url),
    migrations: parse(askDirectory(''), flags.migrations),
  };
}

/** The server first: it says which drivers there are to choose from. */
async function answerAll({ env }: CommandContext, given: Given, proposals: Proposals, ask: Ask): Promise<Answers> {
  const likely = given.driver === undefined ? proposals.engine : engineOf(given.driver);
  const server = given.server ?? (await ask(askServer(likely, given.driver)));
  const engine = engineOfServer(server, env);
  const driver = given.driver ?? onlyDriver(engine) ?? (await ask(askDriver(engine, likely)));
  const proposed = given.migrations === undefined ? await proposals.migrations(engineOf(driver)) : null;
  const migrations = given.migrations ?? (proposed === null ? null : await ask(askDirectory(proposed)));
  return { driver, server, migrations };
}

function onlyDriver(engine: EngineName | null): DriverName | null {
  const [first = null, second] = engine === null ? [] : driversOf(engine);
  return second === undefined ? first : null;
}
