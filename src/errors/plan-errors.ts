import { defineError, EXIT } from './define.js';

/** How many reasons a sentence bears. */
const NAMED = 5;

export const planErrors = {
  TENANCY_PLAN_REJECTED: defineError<{ file: string; reason: string }>({
    exit: EXIT.usage,
    message: ({ file, reason }) => `${file} can't be carried out: ${reason}`,
    hint: () => 'make one with `--dry-run --save FILE`',
  }),
  TENANCY_PLAN_UNSAVED: defineError<{ file: string; reason: string }>({
    exit: EXIT.refused,
    message: ({ file, reason }) => `the plan can't be written to ${file}: ${reason}`,
    hint: () => 'give --save another file',
  }),
  TENANCY_PLAN_MOVED: defineError<{ file: string; moved: readonly string[] }>({
    exit: EXIT.refused,
    message: ({ file, moved }) =>
      `${file} doesn't hold any more, and nothing was touched: ${moved.slice(0, NAMED).join('; ')}${moved.length > NAMED ? `; and ${moved.length - NAMED} more` : ''}`,
    hint: () => 'look again with `--dry-run --save`, then carry out the new plan',
  }),
  TENANCY_PLAN_LEFT: defineError<{ tenant: string; planned: string; found: string }>({
    exit: EXIT.refused,
    message: ({ tenant, planned, found }) =>
      `${tenant} was changed after the plan was checked: ${found} would be to do, and planned was ${planned}; nothing was done to it`,
    hint: () => 'look again with `--dry-run --save`, then carry out the new plan',
  }),
};
