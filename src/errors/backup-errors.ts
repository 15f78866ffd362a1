import { defineError, EXIT } from './define.js';

export const backupErrors = {
  TENANCY_BACKUP_TOOL_MISSING: defineError<{ cluster: string; tool: string; where: string; install: string }>({
    exit: EXIT.usage,
    message: ({ cluster, tool, where }) => `cluster ${cluster}: ${tool} is needed, and was not found ${where}; nothing was touched`,
    hint: ({ tool, install }) => `install it: ${install}; or say where it is: backups.tools: { '${tool}': '/path/to/${tool}' }`,
  }),
  TENANCY_BACKUP_TOOL_REFUSED: defineError<{ cluster: string; tool: string; reason: string; install: string }>({
    exit: EXIT.usage,
    message: ({ cluster, reason }) => `cluster ${cluster}: ${reason}; nothing was touched`,
    hint: ({ tool, install }) => `${install}; or say where a newer one is: backups.tools: { '${tool}': '/path/to/${tool}' }`,
  }),
  TENANCY_BACKUP_NOT_CONFIGURED: defineError<{ command: string; file: string }>({
    exit: EXIT.usage,
    message: ({ command, file }) => `${command} needs to know where backups are kept, and ${file} doesn't say`,
    hint: () => "add backups: { directory: './backups' } to it",
  }),
  TENANCY_BACKUP_NOT_SUPPORTED: defineError<{ driver: string }>({
    exit: EXIT.usage,
    message: ({ driver }) => `tenancy makes no backups of ${driver} tenants by itself`,
    hint: () => 'make them in a hook of your own: hooks.backup',
  }),
  TENANCY_BACKUP_DIRECTORY_REJECTED: defineError<{ directory: string; reason: string }>({
    exit: EXIT.usage,
    message: ({ directory, reason }) => `no backup can be written to ${directory}: ${reason}`,
    hint: () => 'correct backups.directory, or who may write there, then run the same command again',
  }),
  TENANCY_BACKUP_UNWRITTEN: defineError<{ tenant: string; path: string; reason: string }>({
    exit: EXIT.tenantsFailed,
    message: ({ tenant, path, reason }) => `${tenant}: the backup could not be written to ${path}: ${reason}; nothing of it was left`,
    hint: () => 'make room, or correct backups.directory, then run the same command again',
  }),
  TENANCY_BACKUP_NOT_FOUND: defineError<{ tenant: string; wanted: string; reason: string }>({
    exit: EXIT.usage,
    message: ({ tenant, wanted, reason }) =>
      wanted === 'last' ? `${tenant} has no backup: ${reason}` : `${tenant} has no backup ${wanted}: ${reason}`,
    hint: ({ tenant }) => `see \`tenancy tenant backups ${tenant}\`; \`--from\` takes an id of those, \`last\`, or the path of a file`,
  }),
  TENANCY_BACKUP_DAMAGED: defineError<{ path: string; reason: string }>({
    exit: EXIT.refused,
    message: ({ path, reason }) => `${path} is not what was backed up: ${reason}; nothing was written`,
    hint: () => 'restore from another backup, or fetch this one again from where it is kept',
  }),
  TENANCY_RESTORE_REFUSED: defineError<{ tenant: string; reason: string; next: string }>({
    exit: EXIT.refused,
    message: ({ tenant, reason }) => `${tenant} can't be restored: ${reason}`,
    hint: ({ next }) => next,
  }),
};
