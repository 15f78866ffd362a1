import { defineError, EXIT } from './define.js';

export const registryErrors = {
  TENANCY_REGISTRY_NOT_FOUND: defineError<{ where: string }>({
    exit: EXIT.usage,
    message: ({ where }) => `there is no tenancy registry at ${where}`,
    hint: () => 'check registry.url; `tenancy registry init` or the first `tenancy tenant provision` creates one',
  }),
  TENANCY_REGISTRY_UNREACHABLE: defineError<{ where: string; reason: string }>({
    exit: EXIT.unreachable,
    message: ({ where, reason }) => `the registry at ${where} can't be reached: ${reason}`,
    hint: () => 'check registry.url and that the server is up, then run the same command again',
    isRetryable: true,
  }),
  TENANCY_REGISTRY_READ_ONLY: defineError<{ where: string }>({
    exit: EXIT.unreachable,
    message: ({ where }) => `the registry at ${where} takes no writes: the server is a standby, or set to read-only`,
    hint: () => 'point registry.url at the primary, or run the same command again once the fail-over is done',
    isRetryable: true,
  }),
  TENANCY_REGISTRY_URL_REJECTED: defineError<{ url: string; reason: string }>({
    exit: EXIT.usage,
    message: ({ url, reason }) => `registry.url ${url} can't be used: ${reason}`,
    hint: () =>
      'expected postgres://USER:PASSWORD@HOST:PORT/DATABASE, mysql://USER:PASSWORD@HOST:PORT/DATABASE, mongodb://USER:PASSWORD@HOST:PORT/DATABASE, or embedded:DIR',
  }),
  TENANCY_REGISTRY_LOGIN_REFUSED: defineError<{ where: string; reason: string }>({
    exit: EXIT.usage,
    message: ({ where, reason }) => `the registry at ${where} refused the login: ${reason}`,
    hint: () => 'check the user and the password in registry.url',
  }),
  TENANCY_REGISTRY_DATABASE_MISSING: defineError<{ where: string; database: string }>({
    exit: EXIT.usage,
    message: ({ where, database }) => `there is no database ${database} at ${where}`,
    hint: ({ database }) =>
      `check the database in registry.url, or make it: CREATE DATABASE ${/^[a-z_][a-z0-9_]*$/.test(database) ? database : JSON.stringify(database)}`,
  }),
  TENANCY_REGISTRY_FORBIDDEN: defineError<{ where: string; reason: string; database: string; user: string; grant?: string }>({
    exit: EXIT.usage,
    message: ({ where, reason, user }) => `the user ${user} may not use the registry at ${where}: ${reason}`,
    hint: ({ database, user, grant }) =>
      grant ??
      `a new registry needs \`GRANT CREATE ON DATABASE ${JSON.stringify(database)} TO ${JSON.stringify(user)}\`; an existing one is used by the user who made it, or a member of that role`,
  }),
  TENANCY_REGISTRY_SCHEMA_TAKEN: defineError<{ where: string; collections?: string }>({
    exit: EXIT.usage,
    message: ({ where, collections }) =>
      collections === undefined
        ? `the schema tenancy at ${where} belongs to something else: it has tables, and is no registry`
        : `what is called ${collections} at ${where} belongs to something else: there is no registry beside it`,
    hint: () => 'name another database in registry.url; nothing was changed in this one',
  }),
  TENANCY_REGISTRY_NO_TRANSACTIONS: defineError<{ where: string; reason: string }>({
    exit: EXIT.usage,
    message: ({ where, reason }) => `a registry needs transactions, which the MongoDB server at ${where} doesn't have: ${reason}`,
    hint: () =>
      'start mongod with `--replSet rs0` and run `rs.initiate()` in mongosh once: one server is a replica set too; or keep the registry in PostgreSQL or MySQL',
  }),
  TENANCY_REGISTRY_DAMAGED: defineError<{ where: string; damage: string; collections?: string }>({
    exit: EXIT.usage,
    message: ({ where, damage }) => `the registry at ${where} is damaged: ${damage}`,
    hint: ({ collections }) =>
      collections === undefined
        ? 'restore the schema tenancy of that database from a backup; without one, move what is left aside (`ALTER SCHEMA tenancy RENAME TO tenancy_damaged`) and bring the tenants back in with `tenancy registry adopt`'
        : `restore ${collections} of that database from a backup; without one, point registry.url at a new database and bring the tenants back in with \`tenancy registry adopt\``,
  }),
  TENANCY_REGISTRY_FAILED: defineError<{ where: string; reason: string; sqlState?: string; serverCode?: string }>({
    exit: EXIT.unreachable,
    message: ({ where, reason, sqlState, serverCode }) =>
      `the registry at ${where} failed: ${reason} (${sqlState === undefined ? `error ${serverCode}` : `SQLSTATE ${sqlState}`})`,
    hint: () => "run the same command again; where it fails again, the server's log has more",
    isRetryable: true,
  }),
  TENANCY_REGISTRY_NEWER: defineError<{ where: string; registryVersion: number; knownVersion: number }>({
    exit: EXIT.usage,
    message: ({ where, registryVersion, knownVersion }) =>
      `the registry at ${where} has version ${registryVersion}, newer than the ${knownVersion} that this tenancy-cli knows`,
    hint: () => 'npm i -D tenancy-cli@latest',
  }),
  TENANCY_ID_TAKEN: defineError<{ id: string; takenBy: string }>({
    exit: EXIT.refused,
    message: ({ id, takenBy }) => `${id} can't be registered: it differs from the tenant ${takenBy} in case only`,
    hint: ({ takenBy }) => `did you mean ${takenBy}? ids are unique without case`,
  }),
  TENANCY_PLACEMENT_TAKEN: defineError<{ id: string; takenBy: string; cluster: string; name: string }>({
    exit: EXIT.refused,
    message: ({ id, takenBy, cluster, name }) =>
      `${id} can't be placed at ${name} on cluster ${cluster}: the tenant ${takenBy} lives there`,
    hint: () => 'make `placement` give each tenant a name of its own (names are compared without case)',
  }),
};
