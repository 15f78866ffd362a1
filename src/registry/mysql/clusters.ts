import { randomUUID } from 'node:crypto';
import type { Registry } from '../registry.js';
import type { RegistryConnection } from './connection.js';
import { isDuplicate } from './failures.js';
import { logEvents } from './log-events.js';
import type { Statement } from './session.js';

export function createClusterRegister(db: RegistryConnection): Pick<Registry, 'checkCluster'> {
  async function readIdentity(cluster: string): Promise<string | null> {
    const [row] = await db.read<{ identity: string }>('SELECT identity FROM tenancy_clusters WHERE name = ?', [cluster]);
    return row?.identity ?? null;
  }

  return {
    checkCluster: async (cluster, identity, { accept, dryRun = false }) => {
      const change = randomUUID();
      for (;;) {
        const known = await readIdentity(cluster);
        if (known === identity) return { status: 'same' };
        if (known !== null && !accept) return { status: 'different', known };
        if (dryRun) return { status: known === null ? 'new' : 'accepted' };
        // Another process may write between our look and our write: then nothing matches, and the next look sees it.
        if (known === null ? await enter(db, cluster, identity, change) : await replace(db, cluster, identity, known, change)) {
          return { status: known === null ? 'new' : 'accepted' };
        }
      }
    },
  };
}

/** Whether it was us who entered it. */
async function enter(db: RegistryConnection, cluster: string, identity: string, change: string): Promise<boolean> {
  try {
    await db.transact([
      ...logAcceptance(db, cluster, identity, change, null),
      { sql: 'INSERT INTO tenancy_clusters (name, identity) VALUES (?, ?)', params: [cluster, identity] },
    ]);
    return true;
  } catch (error) {
    if (isDuplicate(error)) return false;
    throw error;
  }
}

async function replace(db: RegistryConnection, cluster: string, identity: string, known: string, change: string): Promise<boolean> {
  const answers = await db.transact([
    { sql: 'SELECT name FROM tenancy_clusters WHERE name = ? FOR UPDATE', params: [cluster] },
    ...logAcceptance(db, cluster, identity, change, known),
    {
      sql: 'UPDATE tenancy_clusters SET identity = ?, accepted_at = UTC_TIMESTAMP(6) WHERE name = ? AND identity = ?',
      params: [identity, cluster, known],
    },
    { sql: 'SELECT 1 AS is_written FROM tenancy_events WHERE tenant IS NULL AND change_id = ?', params: [change] },
  ]);
  return (answers.at(-1) ?? []).length > 0;
}

function logAcceptance(
  { actor }: RegistryConnection,
  cluster: string,
  identity: string,
  change: string,
  known: string | null,
): readonly Statement[] {
  const data = JSON.stringify({ cluster, identity, before: known });
  const event = `SELECT NULL AS run_id, NULL AS tenant, 'cluster.accepted' AS type, ? AS data`;
  if (known === null) return logEvents(actor, change, { sql: event, params: [data] });
  return logEvents(actor, change, {
    sql: `${event} FROM tenancy_clusters c WHERE c.name = ? AND c.identity = ?`,
    params: [data, cluster, known],
  });
}
