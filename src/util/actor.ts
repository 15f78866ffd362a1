/** Who runs this, as far as can be told: for the audit trail. */
import { hostname, userInfo } from 'node:os';
import process from 'node:process';

/** What CI systems call the person or the bot that a job runs for, the first that is set. */
const CI_VARIABLES = [
  'GITHUB_ACTOR',
  'GITLAB_USER_LOGIN',
  'BUILDKITE_BUILD_CREATOR',
  'CIRCLE_USERNAME',
  'BITBUCKET_STEP_TRIGGERER_UUID',
  'BUILD_REQUESTEDFOR',
  'BUILD_USER_ID',
];

const LONGEST = 200;

export interface ActorOptions {
  /** Said by the program that uses us. */
  readonly actor?: string | undefined;
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly command: string | null;
}

/** What is said goes before `TENANCY_ACTOR`, that before the variables of CI systems, and these before the user of the process. */
export function describeActor({ actor, env, command }: ActorOptions): {
  readonly user: string;
  readonly knownBy: string;
  readonly host: string;
  readonly pid: number;
  readonly command: string | null;
} {
  const variable = ['TENANCY_ACTOR', ...CI_VARIABLES].find((name) => (env[name] ?? '') !== '');
  const [said, knownBy] =
    actor !== undefined && actor !== '' ? [actor, 'program'] : variable === undefined ? [null, 'os'] : [env[variable] ?? '', variable];
  return {
    // Found when something is written: what only reads has no use for the users of this machine.
    get user() {
      return (said ?? systemUser()).slice(0, LONGEST);
    },
    knownBy,
    host: hostname(),
    pid: process.pid,
    command,
  };
}

/** A container may run as a number that has no name. */
function systemUser(): string {
  try {
    return userInfo().username;
  } catch {
    return `uid ${process.getuid?.() ?? 'unknown'}`;
  }
}
