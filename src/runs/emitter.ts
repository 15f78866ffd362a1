import type { ResolvedConfig } from '../config/types.js';
import { TenancyError } from '../errors.js';
import type { EmitRunEvent, StampedRunEvent } from '../events.js';
import { wallClock } from '../util/clock.js';
import { redact } from '../util/redact.js';
import { holdIdleTenants } from './hold-idle-tenants.js';

interface Listeners {
  /** Its hook `onEvent` listens too. */
  readonly config: ResolvedConfig;
  readonly onEvent: (event: StampedRunEvent) => void;
  readonly onNotice: (text: string) => void;
}

/** Stamps events, and tells them to whoever listens. A listener that fails harms no tenant: it is a warning, once. */
export function createEmitter({ config, onEvent, onNotice }: Listeners, runId: string, holdsIdle = true): EmitRunEvent {
  const { onEvent: hook } = config.hooks;
  const noticeOnce = once((error) => onNotice(`a listener to the events of ${runId} failed: ${describe(error)}`));

  function tell(event: StampedRunEvent): void {
    try {
      onEvent(event);
    } catch (error) {
      noticeOnce(error);
    }
  }
  const warnOnce = once((error) => {
    const { code, message } = new TenancyError('TENANCY_HOOK_FAILED', { tenant: 'run', hook: 'onEvent', reason: describe(error) });
    tell({ v: 1, at: wallClock().toISOString(), run: runId, type: 'run.warned', code, message });
  });

  const emit: EmitRunEvent = (event) => {
    const stamped: StampedRunEvent = { v: 1, at: wallClock().toISOString(), run: runId, ...event };
    tell(stamped);
    if (!hook) return;
    try {
      Promise.resolve(hook(stamped)).catch(warnOnce);
    } catch (error) {
      warnOnce(error);
    }
  };
  return holdsIdle ? holdIdleTenants(emit) : emit;
}

function once(use: (error: unknown) => void): (error: unknown) => void {
  let isUsed = false;
  return (error) => {
    if (isUsed) return;
    isUsed = true;
    use(error);
  };
}

function describe(error: unknown): string {
  return redact(error instanceof Error ? error.message : String(error));
}
