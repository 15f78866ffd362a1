import type { EmitRunEvent, RunEvent } from '../events.js';

/**
 * Holds back what is told of a tenant until it proves to have work to do; one that turns out to be up to date is then counted
 * and never listed, so that what a run prints is in proportion to what it does.
 */
export function holdIdleTenants(emit: EmitRunEvent): EmitRunEvent {
  const held = new Map<string, RunEvent[]>();
  return (event) => {
    if (event.type === 'tenant.started') {
      held.set(event.tenant, [event]);
      return;
    }
    const tenant = ('tenant' in event ? event.tenant : null) ?? undefined;
    const waiting = tenant === undefined ? undefined : held.get(tenant);
    if (tenant !== undefined && waiting) {
      const isIdle = event.type === 'step.started' || (event.type === 'step.finished' && event.status === 'done-before');
      if (isIdle) {
        waiting.push(event);
        return;
      }
      held.delete(tenant);
      if (event.type === 'tenant.finished' && event.outcome === 'up-to-date') return;
      for (const early of waiting) emit(early);
    }
    if (event.type === 'tenant.finished' && event.outcome === 'up-to-date') return;
    emit(event);
  };
}
