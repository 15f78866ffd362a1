import { defineError, EXIT } from './define.js';

export const lifecycleErrors = {
  TENANCY_ID_REJECTED: defineError<{ id: string; reason: string }>({
    exit: EXIT.usage,
    message: ({ id, reason }) => `${JSON.stringify(id)} can't be a tenant id: ${reason}`,
    hint: () => 'an id is 1 to 63 of A-Z a-z 0-9 _ -, and starts with a letter or a digit',
  }),
};
