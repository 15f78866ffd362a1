import { defineError, EXIT } from './define.js';

export const secretErrors = {
  TENANCY_SECRET_NOT_STORED: defineError<{ tenant: string; login: string; sink: string; reason: string }>({
    exit: EXIT.tenantsFailed,
    message: ({ tenant, login, sink, reason }) => `${tenant}: the password of ${login} could not be stored by ${sink}: ${reason}`,
    hint: () => 'no login was made or changed; once the place for secrets takes it, run the same command again',
  }),
  TENANCY_SECRET_NOT_REMOVED: defineError<{ tenant: string; login: string; sink: string; reason: string }>({
    exit: EXIT.tenantsFailed,
    message: ({ tenant, login, sink, reason }) => `${tenant}: the password of ${login} could not be removed by ${sink}: ${reason}`,
    hint: () => 'the login itself is gone or locked; run the same command again to have the rest done',
  }),
  TENANCY_SECRETS_UNSAFE: defineError<{ path: string; reason: string; mend: string }>({
    exit: EXIT.refused,
    message: ({ path, reason }) => `${path} is no place for secrets: ${reason}`,
    hint: ({ mend }) => mend,
  }),
  TENANCY_SECRET_UNREADABLE: defineError<{ ref: string; reason: string }>({
    exit: EXIT.usage,
    message: ({ ref, reason }) => `the secret ${ref} can't be read: ${reason}`,
    hint: () => 'a reference is env:NAME, file:PATH, exec:COMMAND ARGS, or vault:PATH#key with VAULT_ADDR and VAULT_TOKEN set',
  }),
  TENANCY_LOGIN_MISSING: defineError<{ tenant: string }>({
    exit: EXIT.usage,
    message: ({ tenant }) => `${tenant} has no login of its own`,
    hint: ({ tenant }) => `with \`isolation: 'role'\` in the config, \`tenancy tenant rotate ${tenant}\` gives it one`,
  }),
  TENANCY_ISOLATION_OFF: defineError<{ tenant: string; cluster: string }>({
    exit: EXIT.usage,
    message: ({ tenant, cluster }) => `${tenant} can't be given a login of its own: isolation is off for cluster ${cluster}`,
    hint: () => "say `isolation: 'role'` and where passwords go, `secrets: { directory: './secrets' }`",
  }),
};
