import type { StepName } from '../events.js';
import type { TenantTouch } from '../registry/registry.js';
import { redact } from '../util/redact.js';
import type { TenantScope } from './run-context.js';

/** Which kind of statement a step sends to the tenant's database; those that only look, or write to the registry, send none. */
const TOUCH_OF: Partial<Readonly<Record<StepName, string>>> = {
  create: 'create',
  mark: 'mark',
  migrate: 'migrate',
  rollback: 'rollback',
  seed: 'seed',
  repair: 'repair',
  'cut-access': 'revoke',
  retain: 'revoke',
  unretain: 'grant',
  'restore-access': 'grant',
  backup: 'backup',
  load: 'restore',
  drop: 'drop',
  'drop-access': 'drop-login',
  'create-login': 'create-login',
  'retire-login': 'revoke',
};

/** Of a tenant that is tried again and again; the newest are what its end tells. */
const MOST = 100;

/** Remembers what was sent to the tenant's database: it goes into the audit trail with the outcome, in the same statement. */
export function touch({ touched }: Pick<TenantScope, 'touched'>, what: TenantTouch): void {
  insert(touched, touched.length, what);
}

function insert(touched: TenantTouch[], place: number, { detail, ...what }: TenantTouch): void {
  touched.splice(place, 0, { ...what, ...(detail === undefined ? {} : { detail: redact(detail) }) });
  if (touched.length > MOST) touched.shift();
}

/** Of a step as a whole, unless it has told more exactly what it sent. `since`: how much had been told before it. */
export function touchByStep(
  scope: Pick<TenantScope, 'touched'>,
  step: StepName,
  since: number,
  { isFailed, detail }: { readonly isFailed: boolean; readonly detail?: string | undefined },
): void {
  const what = TOUCH_OF[step];
  if (what === undefined || scope.touched.slice(since).some((each) => each.what === what)) return;
  // Before what its hooks did.
  insert(scope.touched, since, { what, ...(isFailed ? { isFailed: true } : {}), ...(detail === undefined ? {} : { detail }) });
}
