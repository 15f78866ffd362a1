import { defineError, EXIT } from './define.js';

export const scaffoldErrors = {
  TENANCY_ANSWERS_MISSING: defineError<{ flags: readonly string[] }>({
    exit: EXIT.usage,
    message: ({ flags }) => `init asks for ${flags.join(', ')}, and there is no terminal to ask on; nothing was written`,
    hint: ({ flags }) => `add --yes to take the defaults, or give ${flags.join(' and ')}`,
  }),
  TENANCY_INIT_INTERRUPTED: defineError<Record<string, never>>({
    exit: EXIT.interrupted,
    message: () => 'init was interrupted before its questions were answered; nothing was written',
  }),
  TENANCY_FILE_UNWRITABLE: defineError<{ file: string; reason: string }>({
    exit: EXIT.usage,
    message: ({ file, reason }) => `${file} can't be written: ${reason}; what init had written before was taken back`,
    hint: () => 'mend that, then run init again',
  }),
};
