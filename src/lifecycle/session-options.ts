import type { SessionOptions } from '../drivers/driver.js';
import type { TenantScope } from './run-context.js';

export function sessionOptions({ run, fence, signal }: TenantScope): SessionOptions {
  return {
    fence,
    runId: run.runId,
    lockTimeoutMs: run.limits.lockTimeoutMs,
    statementTimeoutMs: run.limits.statementTimeoutMs,
    signal,
  };
}
