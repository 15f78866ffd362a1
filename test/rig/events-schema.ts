import { readFileSync } from 'node:fs';
import type { ValidateFunction } from 'ajv';
import { Ajv2020 } from 'ajv/dist/2020.js';
import type { StampedRunEvent } from '../../src/events.js';
import type { SavedPlan } from '../../src/runs/plan/saved-plan.js';

interface EventsSchema {
  readonly oneOf: readonly { readonly $ref: string }[];
  readonly $defs: Readonly<Record<string, object>>;
}

const readSchema = (name: string) => JSON.parse(readFileSync(new URL(`../../docs/${name}`, import.meta.url), 'utf8')) as EventsSchema;

export const eventsSchema = readSchema('events.schema.json');
const ajv = new Ajv2020({ strict: true, strictTypes: false, allowUnionTypes: true, validateFormats: false });
ajv.addSchema(eventsSchema, 'events');
ajv.addSchema(readSchema('documents.schema.json'), 'documents');
ajv.addSchema(readSchema('plan.schema.json'), 'plan');

/** Each line by the schema of its own type, whose errors are readable; an unknown type by none. */
function validatorOf(type: unknown): ValidateFunction | undefined {
  const isEvent = eventsSchema.oneOf.some(({ $ref }) => $ref === `#/$defs/${String(type)}`);
  return isEvent ? ajv.getSchema(`events#/$defs/${String(type)}`) : undefined;
}

/** Throws where the value isn't an event as `docs/events.schema.json` publishes it. */
export function assertEvent(value: unknown): StampedRunEvent {
  const validate = validatorOf((value as { type?: unknown } | null)?.type);
  if (validate === undefined) throw new Error(`no such type of event: ${JSON.stringify(value)}`);
  if (!validate(value)) throw new Error(`${ajv.errorsText(validate.errors)} in ${JSON.stringify(value)}`);
  return value as StampedRunEvent;
}

/**
 * What every NDJSON output must be: each line an event of the published schema, `run.finished` once and last, `tenant.finished` at most once
 * for a tenant, and one run's id throughout.
 */
export function assertEvents(lines: string): StampedRunEvent[] {
  if (!lines.endsWith('\n')) throw new Error(`the last line has no end: ${JSON.stringify(lines.slice(-200))}`);
  const events = lines
    .slice(0, -1)
    .split('\n')
    .map((line) => assertEvent(parseLine(line)));
  const ends = events.filter(({ type }) => type === 'run.finished').length;
  if (ends !== 1) throw new Error(`run.finished came ${ends} times`);
  if (events.at(-1)?.type !== 'run.finished') throw new Error(`the last event is ${events.at(-1)?.type}`);
  const finished = new Set<string>();
  for (const event of events) {
    if (event.type !== 'tenant.finished') continue;
    if (finished.has(event.tenant)) throw new Error(`${event.tenant} finished twice`);
    finished.add(event.tenant);
  }
  const runs = new Set(events.map(({ run }) => run).filter((run) => run !== null));
  if (runs.size > 1) throw new Error(`events of several runs: ${[...runs].join(', ')}`);
  return events;
}

function parseLine(line: string): unknown {
  try {
    return JSON.parse(line);
  } catch (cause) {
    throw new Error(`not JSON: ${line}`, { cause });
  }
}

export type DocumentName =
  | 'tenantList'
  | 'backupList'
  | 'tenantShow'
  | 'fleetStatus'
  | 'runList'
  | 'runShow'
  | 'runControl'
  | 'runMerge'
  | 'doctor'
  | 'auditHeads'
  | 'auditTrail'
  | 'auditVerify'
  | 'poolStatus'
  | 'poolFill'
  | 'init';

/** Throws where stdout isn't one document of this name, as `docs/documents.schema.json` publishes it. */
export function assertDocument<T = unknown>(name: DocumentName, stdout: string): T {
  const value = parseLine(stdout) as T;
  const validate = ajv.getSchema(`documents#/$defs/${name}`);
  if (validate === undefined) throw new Error(`no such document: ${name}`);
  if (!validate(value)) throw new Error(`${ajv.errorsText(validate.errors)} in ${stdout.slice(0, 2000)}`);
  return value;
}

/** Throws where a saved plan isn't one as `docs/plan.schema.json` publishes it. */
export function assertPlan(json: string): SavedPlan {
  const value = parseLine(json);
  const validate = ajv.getSchema('plan');
  if (!validate?.(value)) throw new Error(`${ajv.errorsText(validate?.errors)} in ${json.slice(0, 2000)}`);
  return value as SavedPlan;
}
