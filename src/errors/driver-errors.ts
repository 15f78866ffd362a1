import { defineError, EXIT } from './define.js';

export const driverErrors = {
  TENANCY_CLUSTER_UNREACHABLE: defineError<{ cluster: string; where: string; reason: string }>({
    exit: EXIT.unreachable,
    message: ({ cluster, where, reason }) => `cluster ${cluster} at ${where} can't be reached: ${reason}`,
    hint: ({ cluster }) => `check clusters.${cluster}.url and that the server is up, then run the same command again`,
    isRetryable: true,
  }),
};
