import type { ChainedEvent, ChainHead, ChainPosition, Registry } from '../../registry/registry.js';
import { HashesDigest } from '../../util/hash-chain.js';
import { type AuditBreak, ChainCheck } from './check-chain.js';

export type { AuditBreak, AuditDamage } from './check-chain.js';

/** What a verification of the audit trail came to. */
export interface AuditVerification {
  readonly chains: number;
  readonly events: number;
  /** Ends of runs whose record of heads was compared. */
  readonly runs: number;
  readonly broken: number;
  /** At most the first thousand of the broken. */
  readonly breaks: readonly AuditBreak[];
}

export interface VerifyAuditOptions {
  /** Of one tenant only. @default the whole trail */
  readonly tenant?: string | null;
  /** Heads that were kept elsewhere, by chain. */
  readonly against?: ReadonlyMap<string, Pick<ChainHead, 'place' | 'hash'>>;
  /** Told of each as it is found. */
  readonly onBreak?: (found: AuditBreak) => void;
}

const REGISTRY_CHAIN = '*';
const PAGE = 2_000;
/** How many breaks are kept; all are told. */
const MOST = 1_000;
const MOST_UNTOLD = 100;

/** Reads every event once, in pages, and keeps none: the memory doesn't grow with the trail. May be asked while runs write to it. */
export async function verifyAudit(registry: Registry, options: VerifyAuditOptions = {}): Promise<AuditVerification> {
  const { tenant = null, against = new Map(), onBreak } = options;
  const breaks: AuditBreak[] = [];
  const broken = new Set<string>();
  const tally = { chains: 0, events: 0, runs: 0, broken: 0 };
  const tell = (found: AuditBreak): void => {
    tally.broken += 1;
    if (breaks.length < MOST) {
      breaks.push(found);
      if (found.tenant !== null) broken.add(found.tenant);
    }
    onBreak?.(found);
  };

  const unseen = new Map([...against].filter(([chain]) => tenant === null || chain === tenant));
  const heads = readInOrder(
    (after) => registry.readHeads({ chain: tenant, after, limit: PAGE }),
    ({ chain }) => chain,
  );
  const groups = groupByChain(readEvents(registry, tenant));
  let head = await next(heads);
  const finish = async (check: ChainCheck, chain: string, known: ChainHead | null): Promise<void> => {
    const settled = await catchUp(registry, check, chain, known);
    tally.chains += 1;
    tally.events += check.events;
    for (const found of check.finish(settled)) tell(found);
    unseen.delete(chain);
  };
  for await (const { chain, check } of groups(against)) {
    while (head !== null && head.chain < chain) {
      // Nothing is left of it but its head.
      await finish(new ChainCheck(head.chain, against.get(head.chain) ?? null), head.chain, head);
      head = await next(heads);
    }
    const isThere = head !== null && head.chain === chain;
    await finish(check, chain, isThere ? head : null);
    if (isThere) head = await next(heads);
  }
  for (; head !== null; head = await next(heads)) {
    await finish(new ChainCheck(head.chain, against.get(head.chain) ?? null), head.chain, head);
  }
  for (const [chain, known] of unseen) {
    const reason = `its whole chain is missing: it had ${known.place} events when its head was kept`;
    tell({ tenant: toTenant(chain), damage: 'truncated', from: 1, to: known.place, event: null, run: null, reason });
  }
  if (tenant === null) await verifyRuns(registry, { broken, tell, count: () => (tally.runs += 1) });
  else await verifyOutcomesOf(registry, tenant, { broken, tell });
  return { ...tally, breaks };
}

/** Where head and events disagree, others may just have written: then both are read again. */
async function catchUp(registry: Registry, check: ChainCheck, chain: string, known: ChainHead | null): Promise<ChainHead | null> {
  let head = known;
  for (let looks = 1; looks <= 10 && (head?.place ?? 0) !== check.place; looks += 1) {
    const after = { chain, place: check.place, sequence: Number.MAX_SAFE_INTEGER };
    for (const event of await registry.readChains({ chain, after, limit: PAGE })) check.add(event);
    [head = null] = await registry.readHeads({ chain, after: null, limit: 1 });
  }
  return head;
}

async function* readEvents(registry: Registry, chain: string | null): AsyncGenerator<ChainedEvent> {
  for (let after: ChainPosition | null = null; ; ) {
    const page: readonly ChainedEvent[] = await registry.readChains({ chain, after, limit: PAGE });
    yield* page;
    after = page.at(-1) ?? null;
    if (page.length < PAGE) return;
  }
}

/** A check for each chain, once all of its events have gone through it. */
function groupByChain(events: AsyncGenerator<ChainedEvent>) {
  return async function* (against: VerifyAuditOptions['against']): AsyncGenerator<{ readonly chain: string; readonly check: ChainCheck }> {
    let current: { readonly chain: string; readonly check: ChainCheck } | null = null;
    for await (const event of events) {
      if (current === null || current.chain !== event.chain) {
        if (current !== null) yield current;
        current = { chain: event.chain, check: new ChainCheck(event.chain, against?.get(event.chain) ?? null) };
      }
      current.check.add(event);
    }
    if (current !== null) yield current;
  };
}

interface RunsScope {
  readonly broken: ReadonlySet<string>;
  tell(found: AuditBreak): void;
}

/** What each run's end has recorded is compared with what there is of it now. */
async function verifyRuns(registry: Registry, scope: RunsScope & { count(): void }): Promise<void> {
  for await (const event of readEvents(registry, REGISTRY_CHAIN)) {
    if (event.type !== 'run.finished' || event.runId === null) continue;
    const { heads } = JSON.parse(event.fields[2] ?? '{}') as { heads?: { events: number; digest: string } };
    if (heads === undefined) continue;
    scope.count();
    const found = await digestRun(registry, event.runId, event.sequence);
    if (found.events === heads.events && found.digest === heads.digest) continue;
    await tellRun(registry, event.runId, heads.events - found.events, scope);
  }
}

async function digestRun(registry: Registry, runId: string, before: number): Promise<{ readonly events: number; readonly digest: string }> {
  const digest = new HashesDigest();
  const hashes = readInOrder(
    (after) => registry.readRunHashes(runId, { before, after, limit: PAGE }),
    (hash) => hash,
  );
  for await (const hash of hashes) digest.add(hash);
  return digest.finish();
}

/** Names the tenants whose outcome is gone from the trail; where that doesn't explain it, the run. */
async function tellRun(registry: Registry, runId: string, missing: number, { broken, tell }: RunsScope): Promise<void> {
  const untold = await registry.listUntold({ runId }, MOST_UNTOLD);
  for (const { tenant } of untold) {
    if (!broken.has(tenant)) tell(describeUntold(tenant, runId));
  }
  if (untold.length === missing || untold.length === MOST_UNTOLD) return;
  const reason = `what ${runId} did to its tenants isn't what its end recorded: events of it were ${missing > 0 ? 'removed' : 'rewritten'}`;
  tell({ tenant: null, damage: missing > 0 ? 'removed' : 'edited', from: null, to: null, event: null, run: runId, reason });
}

async function verifyOutcomesOf(registry: Registry, tenant: string, { broken, tell }: RunsScope): Promise<void> {
  if (broken.has(tenant)) return;
  for (const { run } of await registry.listUntold({ tenant }, MOST_UNTOLD)) tell(describeUntold(tenant, run));
}

function describeUntold(tenant: string, run: string): AuditBreak {
  const reason = `${run} has an outcome of it that its trail lacks`;
  return { tenant, damage: 'truncated', from: null, to: null, event: 'tenant.settled', run, reason };
}

function toTenant(chain: string): string | null {
  return chain === REGISTRY_CHAIN ? null : chain;
}

/** Item by item, in pages. */
async function* readInOrder<Item>(
  read: (after: string | null) => Promise<readonly Item[]>,
  keyOf: (item: Item) => string,
): AsyncGenerator<Item, null> {
  for (let after: string | null = null; ; ) {
    const page = await read(after);
    yield* page;
    const last = page.at(-1);
    if (page.length < PAGE || last === undefined) return null;
    after = keyOf(last);
  }
}

async function next<Item>(items: AsyncGenerator<Item, null>): Promise<Item | null> {
  return (await items.next()).value;
}
