/** What a plan file holds; published as `docs/plan.schema.json`. Has no secret: ids, versions, digests and identities. */
import { createHash } from 'node:crypto';
import * as z from 'zod/mini';
import { TenancyError } from '../../errors.js';
import { DRIVER_NAMES, TENANT_STATUSES } from '../../tenant.js';

const text = z.string();
const count = z.int().check(z.nonnegative());
const version = z.nullable(text);
const status = z.enum(TENANT_STATUSES);
const driver = z.enum(DRIVER_NAMES);

const savedGroup = z.strictObject({
  cluster: text,
  driver,
  status,
  /** As the registry recorded them. */
  schemaVersion: version,
  migrationsHash: version,
  knownBy: z.enum(['registry', 'tenant']),
  from: version,
  to: version,
  migrations: z.array(text),
  count,
  /** `digestOf` its tenants. */
  digest: text,
  /** Each id with its incarnation. */
  tenants: z.record(text, count),
});

const savedPlan = z.strictObject({
  v: z.literal(1),
  type: z.literal('tenancy.plan'),
  command: z.enum(['migrate', 'rollback']),
  createdAt: text,
  /** Id of the registry. */
  registry: text,
  /** `--to`, as it was given. */
  to: version,
  allowOutOfOrder: z.boolean(),
  target: version,
  /** A `TenantFilter`: by it those are found that came later. */
  selection: z.record(text, z.unknown()),
  selected: count,
  upToDate: count,
  /** Selected too, but nothing could be planned for them. */
  failed: count,
  extensionsSchema: text,
  /** Of the servers; null where one could not be reached. */
  clusters: z.record(text, z.strictObject({ identity: version })),
  migrators: z.partialRecord(
    driver,
    z.strictObject({ identity: text, target: version, contents: z.array(z.strictObject({ name: text, digest: text })) }),
  ),
  groups: z.array(savedGroup),
});

export type SavedPlan = z.infer<typeof savedPlan>;
export type SavedGroup = z.infer<typeof savedGroup>;

/** SHA-256, hex, of the lines `id:incarnation`, sorted bytewise. */
export function digestOf(tenants: Readonly<Record<string, number>>): string {
  const lines = Object.entries(tenants).map(([id, incarnation]) => `${id}:${incarnation}`);
  return createHash('sha256').update(lines.sort().join('\n')).digest('hex');
}

/** @throws TenancyError `TENANCY_PLAN_REJECTED`: it is no plan, or not all of one. */
export function parsePlan(json: string, file: string): SavedPlan {
  const refuse = (reason: string): never => {
    throw new TenancyError('TENANCY_PLAN_REJECTED', { file, reason });
  };
  let raw: unknown;
  try {
    raw = JSON.parse(json);
  } catch {
    return refuse('it is no JSON');
  }
  const { success, data, error } = z.safeParse(savedPlan, raw);
  if (!success) {
    const [issue] = error.issues;
    const isPlan = (raw as { readonly type?: unknown } | null)?.type === 'tenancy.plan';
    return refuse(isPlan ? `${issue?.path.join('.') || 'it'} is not what a plan of this version has there` : 'it is no plan of ours');
  }
  const ids = new Set<string>();
  for (const group of data.groups) {
    const named = Object.keys(group.tenants);
    const isWhole = named.length === group.count && digestOf(group.tenants) === group.digest;
    if (!isWhole || named.some((id) => ids.has(id))) return refuse('its list of tenants is not the one that was saved');
    for (const id of named) ids.add(id);
  }
  return data;
}
