import type { Registry } from '../../registry/registry.js';
import type { Draining } from '../draining.js';

/** Who cancelled a run that no server has room for any more: a worker that met it, for all of them. */
const OUT_OF_ROOM = 'tenancy: out of room';

/** Whether that is why it was cancelled. */
export async function isOutOfRoom(registry: Registry, runId: string): Promise<boolean> {
  return (await registry.findRun(runId))?.controlBy === OUT_OF_ROOM;
}

/** The other workers would come to the same, each by a tenant of its own. */
export async function stopForAll(registry: Registry, runId: string, draining: Draining): Promise<void> {
  draining.drain('resources');
  await registry.controlRun(runId, { from: ['go-on', 'pause'], to: 'cancel', by: OUT_OF_ROOM }).catch(() => undefined);
}

/** Of a run that somebody has cancelled: for the reason that they had. */
export async function drainAsAsked(registry: Registry, runId: string, draining: Draining): Promise<void> {
  if (draining.signal.aborted) return;
  const isRoomless = await isOutOfRoom(registry, runId).catch(() => false);
  draining.drain(isRoomless ? 'resources' : 'cancelled');
}
