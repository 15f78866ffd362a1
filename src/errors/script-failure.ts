/** What is known of a script that failed in a tenant: a migration or a seed. */
export interface ScriptFailure {
  readonly tenant: string;
  readonly reason: string;
  readonly file?: string;
  readonly line?: number;
  readonly column?: number;
  /** An excerpt that points at the place. */
  readonly statement?: string;
  /** What to do first, where the statement kept a part of its work. */
  readonly advice?: string;
}

/** One sentence, with the place in the file and, on lines of its own, the statement. */
export function wordScriptFailure(what: string, { tenant, reason, line, column, statement }: ScriptFailure): string {
  const place = line === undefined ? '' : `, line ${line}${column === undefined ? '' : `, column ${column}`}`;
  return `${tenant}: ${what}${place}: ${reason}${statement === undefined ? '' : `\n${statement}`}`;
}
