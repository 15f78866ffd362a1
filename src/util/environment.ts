/** One variable of this process, for references such as `env:NAME` that are resolved long after the command line was read. */
export function readVariable(name: string): string | undefined {
  return process.env[name];
}
