/** What of the process ends it. */
export interface ExitHost {
  exit: NodeJS.Process['exit'];
}

/**
 * From now on code of the user's that calls `process.exit` fails where it stands, as if it had thrown. It would end the work on every
 * tenant in the middle, and with the 0 that scripts are fond of a deploy would take that for done. Returns what does end the process.
 */
export function refuseExits(host: ExitHost): NodeJS.Process['exit'] {
  const end = host.exit.bind(host);
  host.exit = (code) => {
    throw new Error(`process.exit(${code ?? ''}) was called, which would end the work on every tenant: return instead, or throw`);
  };
  return end;
}
