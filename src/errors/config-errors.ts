import { defineError, EXIT } from './define.js';

export const configErrors = {
  TENANCY_CONFIG_NOT_FOUND: defineError<{ directory: string }>({
    exit: EXIT.usage,
    message: ({ directory }) => `no tenancy.config.ts was found in ${directory} or above it`,
    hint: () => 'run `npx tenancy init` to write one, or point at yours with --config PATH',
  }),
};
