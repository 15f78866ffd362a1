import { randomUUID } from 'node:crypto';
import type { Registry } from '../registry.js';
import type { RegistryConnection } from './connection.js';

export function createClusterRegister(db: RegistryConnection): Pick<Registry, 'checkCluster'> {
  return {
    checkCluster: async (cluster, identity, { accept, dryRun = false }) => {
      if (dryRun) {
        const [row] = await db.query<{ identity: string }>('SELECT identity FROM tenancy.clusters WHERE name = $1', [cluster]);
        if (row === undefined) return { status: 'new' };
        if (row.identity === identity) return { status: 'same' };
        return accept ? { status: 'accepted' } : { status: 'different', known: row.identity };
      }
      const change = randomUUID();
      for (;;) {
        const [row] = await db.query<{ known: string | null; is_written: boolean }>(CHECK, [cluster, identity, accept, change, db.actor]);
        const known = row?.known ?? null;
        if (row?.is_written === true) return { status: known === null ? 'new' : 'accepted' };
        if (known === identity) return { status: 'same' };
        if (known !== null) return { status: 'different', known };
        // Another process entered it between our look and our write; the next look sees it.
      }
    },
  };
}

const CHECK = `
  WITH known AS (SELECT identity FROM tenancy.clusters WHERE name = $1),
  written AS (
    INSERT INTO tenancy.clusters AS c (name, identity) VALUES ($1, $2)
    ON CONFLICT (name) DO UPDATE SET identity = excluded.identity, accepted_at = clock_timestamp()
      WHERE $3::boolean AND c.identity <> excluded.identity
    RETURNING 1
  ), logged AS (
    INSERT INTO tenancy.events (type, data, change_id, actor)
    SELECT 'cluster.accepted', jsonb_build_object('cluster', $1::text, 'identity', $2::text, 'before', (SELECT identity FROM known)), $4::uuid, $5::jsonb
      FROM written
  )
  SELECT (SELECT identity FROM known) AS known, EXISTS (SELECT FROM written) AS is_written`;
