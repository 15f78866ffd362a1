import type { Sandbox } from '../rig/sandbox.js';

/** A row of the registry as one statement left it. */
export interface Row {
  readonly id: string;
  readonly status: string;
  readonly incarnation: number;
  readonly fence: number;
  readonly is_protected: boolean;
  readonly schema_version: string | null;
  readonly migrations_hash: string | null;
  readonly operation: { readonly id: string; readonly type: string } | null;
  readonly lease_owner: string | null;
  readonly lease_expires_at: string | null;
  readonly retained_until: string | null;
}

export interface Change {
  readonly before: Row | null;
  readonly after: Row | null;
  readonly at: string;
}

/** Where a tenant may go from where it is, written down once more, and not read from the program. */
const REACHABLE: Readonly<Record<string, readonly string[]>> = {
  absent: ['pending', 'provisioning'],
  pending: ['provisioning', 'deprovisioning'],
  provisioning: ['active', 'failed', 'deprovisioning'],
  active: ['suspended', 'deprovisioning'],
  suspended: ['active', 'deprovisioning'],
  failed: ['provisioning', 'deprovisioning'],
  deprovisioning: ['deprovisioned', 'failed', 'active', 'suspended', 'retained'],
  retained: ['active', 'suspended', 'deprovisioning'],
  deprovisioned: ['pending', 'provisioning'],
};

const VERSIONS: readonly (string | null)[] = [null, '0001_accounts', '0002_orders', '0003_notes'];

/** Has the registry keep every state that a tenant's row was ever in, whoever wrote it and however it was rolled back or not. */
export async function observe(sandbox: Sandbox): Promise<void> {
  await sandbox.query(`
    CREATE TABLE public.observed (sequence bigserial, at timestamptz DEFAULT clock_timestamp(), before jsonb, after jsonb);
    CREATE FUNCTION public.observe() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER AS $$
    BEGIN
      INSERT INTO public.observed (before, after)
        VALUES (CASE WHEN TG_OP <> 'INSERT' THEN to_jsonb(OLD) END, CASE WHEN TG_OP <> 'DELETE' THEN to_jsonb(NEW) END);
      RETURN NULL;
    END $$;
    CREATE TRIGGER observe AFTER INSERT OR UPDATE OR DELETE ON tenancy.tenants FOR EACH ROW EXECUTE FUNCTION public.observe()`);
}

export async function readChanges(sandbox: Sandbox): Promise<Change[]> {
  return sandbox.query<Change>('SELECT before, after, at::text FROM public.observed ORDER BY sequence');
}

/** All that no command may ever do to a row, whatever was killed. */
export function findUnreachable(changes: readonly Change[]): string[] {
  const found: string[] = [];
  for (const { before, after, at } of changes) {
    const violate = (what: string): void => void found.push(`${(after ?? before)?.id} at ${at}: ${what}`);
    if (after === null) {
      violate('its row was deleted');
      continue;
    }
    const from = before?.status ?? 'absent';
    const isReborn = from === 'deprovisioned' && after.status !== 'deprovisioned';
    if (from !== after.status && !REACHABLE[from]?.includes(after.status)) violate(`${from} became ${after.status}`);
    if (after.incarnation !== (before?.incarnation ?? (isReborn ? 0 : 1)) + (isReborn ? 1 : 0))
      violate(`its incarnation went from ${before?.incarnation} to ${after.incarnation} as ${from} became ${after.status}`);
    if (before !== null && after.fence < before.fence) violate(`its fence went back from ${before.fence} to ${after.fence}`);
    if (!VERSIONS.includes(after.schema_version)) violate(`it is at ${after.schema_version}, which nobody has`);
    // A rollback forgets it before it begins.
    if (after.schema_version !== null && after.migrations_hash === null && after.schema_version !== before?.schema_version)
      violate(`it came to ${after.schema_version} without a hash`);
    if (after.status === 'active' && from !== 'active' && after.schema_version === null) violate('it is active without a version');
    if (after.status === 'deprovisioned' && after.schema_version !== null) violate('it is gone and has a version');
    if (after.status === 'deprovisioning' && from !== 'deprovisioning' && before?.is_protected)
      violate('it was protected, and is deprovisioned');
    if (['active', 'suspended', 'deprovisioned'].includes(after.status) && after.operation !== null)
      violate(`it is ${after.status}, and ${after.operation.type} is under way`);
    if (after.status === 'retained' && (after.operation?.type !== 'deprovision' || after.retained_until === null))
      violate(`it is retained until ${after.retained_until}, by ${after.operation?.type ?? 'nothing'}`);
    if (after.status === 'retained' && after.schema_version !== before?.schema_version)
      violate(`it came from ${before?.schema_version} to ${after.schema_version} while it was retained`);
    if (['active', 'suspended'].includes(after.status) && after.retained_until !== null)
      violate(`it is ${after.status}, and retained until ${after.retained_until}`);
    const isTaken = after.lease_owner !== null && before?.lease_owner != null && after.lease_owner !== before.lease_owner;
    if (isTaken && Date.parse(before.lease_expires_at ?? '') > Date.parse(at))
      violate(`${after.lease_owner} took the lease of ${before.lease_owner} while it held`);
    if (isTaken && after.fence <= before.fence) violate('its lease was taken with the fence of before');
  }
  return found;
}
