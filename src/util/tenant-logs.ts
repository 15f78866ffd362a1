import { appendFile, mkdir } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { redact } from './redact.js';

/** The log files of one run, one for each tenant, made when the first line is written. */
export interface TenantLogs {
  /** Appends lines in the order of the calls; a file that can't be written is no reason to fail a tenant. */
  write(tenant: string, text: string): void;
  /** Null where nothing was written. */
  pathOf(tenant: string): string | null;
  /** Resolves when all of it is in the files. What somebody says after that, such as a hook that was given up, is not written any more. */
  close(): Promise<void>;
}

export function createTenantLogs(directory: string, runId: string): TenantLogs {
  const written = new Set<string>();
  const pending = new Map<string, Promise<void>>();
  let isClosed = false;
  const pathOf = (tenant: string): string => join(directory, runId, `${tenant}.log`);

  async function append(file: string, text: string): Promise<void> {
    try {
      await mkdir(dirname(file), { recursive: true });
      await appendFile(file, text, { mode: 0o600 });
    } catch {
      // Read-only or full: the outcome carries the error itself, the log only adds to it.
      return;
    }
  }

  return {
    write: (tenant, text) => {
      if (isClosed) return;
      written.add(tenant);
      const clean = redact(text.endsWith('\n') ? text : `${text}\n`);
      const next = (pending.get(tenant) ?? Promise.resolve()).then(() => append(pathOf(tenant), clean));
      pending.set(tenant, next);
      void next.then(() => {
        if (pending.get(tenant) === next) pending.delete(tenant);
      });
    },
    pathOf: (tenant) => (written.has(tenant) ? pathOf(tenant) : null),
    close: async () => {
      isClosed = true;
      await Promise.all(pending.values());
    },
  };
}
