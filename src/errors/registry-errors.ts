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
};
