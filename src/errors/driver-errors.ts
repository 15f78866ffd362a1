import { defineError, EXIT } from './define.js';

export const driverErrors = {
  TENANCY_CLUSTER_UNREACHABLE: defineError<{ cluster: string; where: string; reason: string }>({
    exit: EXIT.unreachable,
    message: ({ cluster, where, reason }) => `cluster ${cluster} at ${where} can't be reached: ${reason}`,
    hint: ({ cluster }) => `check clusters.${cluster}.url and that the server is up, then run the same command again`,
    isRetryable: true,
  }),
  TENANCY_CLUSTER_REFUSED: defineError<{ cluster: string; where: string; reason: string; isDenied: boolean }>({
    exit: EXIT.refused,
    message: ({ cluster, where, reason }) => `cluster ${cluster} at ${where} refused what it was asked: ${reason}`,
    hint: ({ isDenied }) =>
      isDenied ? 'grant it: `tenancy doctor` says what each driver needs' : 'mend that on the server, then run the same command again',
  }),
  TENANCY_CLUSTER_READ_ONLY: defineError<{
    cluster: string;
    where: string;
    reason: string /** Of the server, which makes it so. */;
    setting: string;
  }>({
    exit: EXIT.unreachable,
    message: ({ cluster, where, reason }) => `cluster ${cluster} at ${where} takes no writes: ${reason}`,
    hint: ({ cluster, setting }) =>
      `point clusters.${cluster}.url at the primary, or take ${setting} back, then run the same command again`,
    isRetryable: true,
  }),
  TENANCY_CLUSTER_URL_REJECTED: defineError<{ cluster: string; reason: string }>({
    exit: EXIT.usage,
    message: ({ cluster, reason }) => `clusters.${cluster}.url can't be used: ${reason}`,
    hint: () =>
      'write postgres://USER:PASSWORD@HOST:PORT/DATABASE, mysql://USER:PASSWORD@HOST:PORT, mongodb://USER:PASSWORD@HOST:PORT, or embedded:DIR for one that needs no server',
  }),
  TENANCY_CLIENT_LIBRARY_MISSING: defineError<{ packageName: string; neededBy: string }>({
    exit: EXIT.usage,
    message: ({ packageName, neededBy }) => `${neededBy} needs the npm package ${packageName}, which is not installed`,
    hint: ({ packageName }) => `npm i -D ${packageName}`,
  }),
  TENANCY_DRIVER_MISPLACED: defineError<{ cluster: string; driver: string; engine: string; drivers: readonly string[] }>({
    exit: EXIT.usage,
    message: ({ cluster, driver, engine }) => `cluster ${cluster} is ${engine}, which keeps no ${driver} tenants`,
    hint: ({ cluster, drivers }) =>
      `have \`placement\` return ${drivers.map((name) => `'${name}'`).join(' or ')} for the cluster ${cluster}, or another cluster`,
  }),
  TENANCY_CLUSTER_QUERY_REFUSED: defineError<{ cluster: string; engine: string; call: string; instead: string }>({
    exit: EXIT.usage,
    message: ({ cluster, engine, call }) => `cluster ${cluster} is ${engine}, which ${call} is not for`,
    hint: ({ instead }) => `use ${instead} there`,
  }),
  TENANCY_CONNECTIONS_SHORT: defineError<{
    /** More than one where their names stand for the same server. */
    clusters: readonly string[];
    /** Tenants that would be in flight. */
    concurrency: number;
    needed: number;
    most: number;
    inUse: number;
    /** Whose limit it is, with a space before it; empty for the server's own. */
    by: string;
    /** The greatest that fits; 0: none does. */
    fits: number;
    raise: string;
  }>({
    exit: EXIT.refused,
    message: ({ clusters, concurrency, needed, most, inUse, by }) =>
      `${clusters.length > 1 ? `clusters ${clusters.join(', ')} are one server, which` : `cluster ${clusters.join()}`} can't bear ${concurrency} tenants at once: that takes ${needed} connections, and of its ${most}${by} others have ${inUse}; nothing was started`,
    hint: ({ clusters, fits, raise }) =>
      fits < 1
        ? `wait until there is room, or ${raise}`
        : `say --concurrency ${fits}, or lower ${clusters.map((name) => `clusters.${name}.concurrency`).join(', ')} to that${clusters.length > 1 ? ' together' : ''}, or ${raise}`,
  }),
  TENANCY_THROTTLE_FAILED: defineError<{ cluster: string; reason: string }>({
    exit: EXIT.usage,
    message: ({ cluster, reason }) =>
      `clusters.${cluster}.throttle can't tell whether there is too much to do there: ${reason}; nothing was started`,
    hint: ({ cluster }) => `mend clusters.${cluster}.throttle in the config, or leave it out`,
  }),
  TENANCY_NAME_REJECTED: defineError<{ name: string; driver: string; reason: string }>({
    exit: EXIT.usage,
    message: ({ name, driver, reason }) => `${JSON.stringify(name)} can't be the name of a ${driver} tenant: ${reason}`,
    hint: () => 'change what `placement` returns as name; `tenant_${id}`, in lower case, is fine for every id of at most 56 characters',
  }),
  TENANCY_NAME_TAKEN: defineError<{ name: string; kind: string; owner: string /** Where it isn't PostgreSQL's. */; unmark?: string }>({
    exit: EXIT.refused,
    message: ({ name, kind, owner }) => `the ${kind} ${name} is already there, and ${owner}; it was left alone`,
    hint: ({ name, kind, owner, unmark = `COMMENT ON ${kind.toUpperCase()} ${JSON.stringify(name)} IS NULL` }) =>
      owner.includes('another registry')
        ? `free the id (\`tenancy tenant deprovision <id>\` leaves the ${kind} alone) and choose another name in \`placement\`; if that registry is gone for good, take its mark off (\`${unmark}\`) and bring it in with \`tenancy registry adopt\``
        : `free the id (\`tenancy tenant deprovision <id>\` leaves the ${kind} alone), then choose another name in \`placement\`, or take over a ${kind} that tenancy did not make with \`tenancy registry adopt\``,
  }),
  TENANCY_HOME_NOT_OURS: defineError<{ tenant: string; name: string; kind: string; owner: string }>({
    exit: EXIT.refused,
    message: ({ tenant, name, kind, owner }) =>
      `${tenant}: the ${kind} ${name} ${owner}, so it is not entered, and nothing was written to it`,
    hint: ({ tenant, name, kind }) =>
      `somebody has replaced the ${kind} or the mark on it: look into ${name} by hand, put the tenant's own back, then run \`tenancy tenant repair ${tenant}\``,
  }),
  TENANCY_CREATE_FORBIDDEN: defineError<{
    name: string;
    kind: 'schema' | 'database';
    login: string;
    database: string;
    /** Where it isn't what PostgreSQL asks for. */
    lacks?: string;
    grant?: string;
  }>({
    exit: EXIT.usage,
    message: ({ name, kind, login, database, lacks }) =>
      `the ${kind} ${name} can't be created: the login ${login} lacks ${lacks ?? (kind === 'database' ? 'CREATEDB' : `CREATE on the database ${database}`)}`,
    hint: ({ kind, login, database, grant }) => {
      if (grant !== undefined) return `\`${grant}\`, as an administrator, then run the same command again`;
      return kind === 'database'
        ? `\`ALTER ROLE ${JSON.stringify(login)} CREATEDB\`, as a superuser, then run the same command again`
        : `\`GRANT CREATE ON DATABASE ${JSON.stringify(database)} TO ${JSON.stringify(login)}\`, as its owner or a superuser, then run the same command again`;
    },
  }),
  TENANCY_DROP_REFUSED: defineError<{ name: string; kind: string; reasons: readonly string[]; isHalfDropped?: boolean }>({
    exit: EXIT.refused,
    message: ({ name, kind, reasons }) => `the ${kind} ${name} is not dropped:${list(reasons)}`,
    hint: ({ isHalfDropped }) =>
      `${isHalfDropped ? 'a part of it is gone already, of others nothing' : 'nothing was dropped'}; settle what is named above, then run the same command again`,
  }),
  TENANCY_LOGIN_TAKEN: defineError<{ tenant: string; login: string }>({
    exit: EXIT.refused,
    message: ({ tenant, login }) => `${tenant}: there is a login ${login} already that doesn't carry its marker; it was left alone`,
    hint: () => 'no login but ours is called so: look at who made it, and drop or rename it',
  }),
  TENANCY_LOGIN_UNVERIFIED: defineError<{ tenant: string; login: string; reason: string }>({
    exit: EXIT.tenantsFailed,
    message: ({ tenant, login, reason }) => `${tenant}: its login ${login} is not as it has to be: ${reason}`,
    hint: () => 'the login was made, and nobody was told to use it yet; once that is mended, run the same command again',
  }),
  TENANCY_LOGIN_IN_USE: defineError<{ tenant: string; login: string; reason: string }>({
    exit: EXIT.refused,
    message: ({ tenant, login, reason }) => `${tenant}: its login ${login} can't be dropped: ${reason}`,
    hint: () => 'it was given something beyond its home; take that away, and run the same command again',
  }),
  TENANCY_ACCESS_REFUSED: defineError<{ name: string; kind: string; owner: string }>({
    exit: EXIT.refused,
    message: ({ name, kind, owner }) => `access to the ${kind} ${name} is left as it is: it ${owner}`,
    hint: () => 'look at it with `tenancy tenant show`',
  }),
  TENANCY_TRANSACTION_REJECTED: defineError<{ name: string; statement: string }>({
    exit: EXIT.usage,
    message: ({ name, statement }) => `db.query in ${name}: ${statement} is not allowed, each query is a transaction of its own`,
    hint: () => 'send the statements that belong together as one query, without BEGIN and COMMIT',
  }),
  TENANCY_SESSION_POOLED: defineError<{ where: string; what: string }>({
    exit: EXIT.usage,
    message: ({ where, what }) =>
      `${where}: ${what} needs a session of its own, and a pooler (PgBouncer) that stands before the server gives none; it was not done`,
    hint: () =>
      'use SET LOCAL and pg_advisory_xact_lock within one query or a file that is one transaction, put CREATE INDEX CONCURRENTLY and its like into a .sql file with `-- tenancy: no-transaction`, or have the url of the cluster name the server itself',
  }),
  TENANCY_TRANSACTION_LEFT_OPEN: defineError<{ name: string }>({
    exit: EXIT.usage,
    message: ({ name }) => `a transaction was left open in ${name}; it has been rolled back`,
    hint: () => 'send BEGIN, the statements and COMMIT as one query',
  }),
};

function list(reasons: readonly string[]): string {
  return reasons.length === 1 ? ` ${reasons[0]}` : reasons.map((reason) => `\n  - ${reason}`).join('');
}
