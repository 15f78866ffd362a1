import { Writable } from 'node:stream';
import { describe, expect, test } from 'vitest';
import type { TenantOutcome } from '../../src/events.js';
import type { Backup, Run, TenantSummary } from '../../src/registry/registry.js';
import { printConfig } from '../../src/reporters/documents/config-document.js';
import { printDoctor, toDoctorDocument } from '../../src/reporters/documents/doctor-document.js';
import { printRunList, printRunShow, toRunListDocument, toRunShowDocument } from '../../src/reporters/documents/run-document.js';
import { toStatusDocument } from '../../src/reporters/documents/status-document.js';
import { printStatus } from '../../src/reporters/documents/status-text.js';
import { printTenantShow, toTenantShowDocument } from '../../src/reporters/documents/tenant-document.js';
import { createTenantListWriter } from '../../src/reporters/documents/tenant-list.js';
import { type DocumentOptions, writeDocument } from '../../src/reporters/documents/write-document.js';
import type { Palette } from '../../src/reporters/palette.js';
import { measureWidth } from '../../src/reporters/terminal-text.js';
import { parseTenantId, type Tenant } from '../../src/tenant.js';
import { assertDocument, type DocumentName } from '../rig/events-schema.js';

const at = new Date('2026-01-02T03:04:05.678Z');

function tenantNamed(id: string, changes: Partial<Tenant> = {}): Tenant {
  return {
    id: parseTenantId(id),
    labels: {},
    cluster: 'main',
    driver: 'postgres-schema',
    name: `tenant_${id}`,
    status: 'active',
    incarnation: 1,
    isProtected: false,
    schemaVersion: '0008_index_lines',
    migrationsHash: 'abc',
    credentialRef: null,
    login: null,
    lastError: null,
    operation: null,
    homeOperationId: 'op_1',
    createdAt: at,
    updatedAt: at,
    activatedAt: at,
    deprovisionedAt: null,
    retainedUntil: null,
    isRetentionOver: false,
    lease: null,
    fence: 1,
    ...changes,
  };
}

const failure = {
  code: 'TENANCY_MIGRATION_FAILED',
  message: 'globex: migration 0007, line 3: no\n\u001b[2JUPDATE x',
  step: 'migrate',
  at: at.toISOString(),
};
const globex = tenantNamed('globex', {
  status: 'failed',
  isProtected: true,
  labels: { plan: 'gold', region: 'eu' },
  schemaVersion: null,
  migrationsHash: null,
  lastError: failure,
  operation: { id: 'op_2', type: 'provision', cameFrom: null },
  lease: { owner: 'p_1', host: 'ci-3', since: at, expiresAt: at, isExpired: true },
  activatedAt: null,
});

class Sink extends Writable {
  text = '';
  override _write(chunk: Buffer, _encoding: string, done: () => void): void {
    this.text += chunk.toString();
    done();
  }
}

const optionsFor = (stdout: Sink, output: DocumentOptions['output'] = 'plain'): DocumentOptions => ({
  output,
  stdout,
  isColorful: false,
  isQuiet: false,
  columns: () => 100,
});

/** Writes a document both ways: its JSON is checked by the published schema, its text is the answer. */
async function print<Document>(
  name: DocumentName,
  document: Document,
  words: (document: Document, palette: Palette) => readonly string[],
): Promise<string> {
  const json = new Sink();
  await writeDocument(document, words, optionsFor(json, 'json'));
  expect(assertDocument(name, json.text)).toEqual(document);
  const text = new Sink();
  await writeDocument(document, words, optionsFor(text));
  return text.text;
}

describe('tenant list', () => {
  async function list(pages: readonly (readonly Tenant[])[], options: Partial<DocumentOptions> = {}): Promise<string> {
    const sink = new Sink();
    const writer = createTenantListWriter({ ...optionsFor(sink), ...options });
    for (const page of pages) await writer.write(page);
    await writer.end();
    return sink.text;
  }

  test('is a table, page after page', async () => {
    expect(
      await list([[tenantNamed('acme', { labels: { plan: 'free' } }), globex], [tenantNamed('initech', { status: 'suspended' })]]),
    ).toMatchInlineSnapshot(`
      "id                status                         version           cluster  name           labels
      acme              active                         0008_index_lines  main     tenant_acme    plan=free
      globex            failed, protected, last error  -                 main     tenant_globex  plan=gold region=eu
      initech           suspended                      0008_index_lines  main     tenant_initech
      "
    `);
  });

  test('is one JSON document over all pages', async () => {
    const text = await list([[tenantNamed('acme'), globex], [], [tenantNamed('initech')]], { output: 'json' });
    expect(assertDocument<{ tenants: { id: string }[] }>('tenantList', text).tenants.map(({ id }) => id)).toEqual([
      'acme',
      'globex',
      'initech',
    ]);
    expect(assertDocument('tenantList', await list([], { output: 'json' }))).toEqual({ v: 1, tenants: [] });
  });

  test('is bare ids with --quiet, to be piped into another command', async () => {
    expect(await list([[tenantNamed('acme'), globex]], { isQuiet: true })).toBe('acme\nglobex\n');
    expect(await list([], { isQuiet: true })).toBe('');
  });

  test('says when there is none', async () => {
    expect(await list([[]])).toBe('no tenants\n');
  });

  test('keeps a row on a line of the terminal, and cuts and colours nothing for a pipe', async () => {
    const write = async (isTTY: boolean) => {
      const stdout = Object.assign(new Sink(), { isTTY });
      const writer = createTenantListWriter({ ...optionsFor(stdout, 'tty'), isColorful: true, columns: () => 40 });
      await writer.write([globex]);
      await writer.end();
      return stdout.text;
    };
    expect((await write(true)).split('\n').every((line) => measureWidth(line) <= 40)).toBe(true);
    expect(await write(true)).toContain('\u001b[31m');
    expect(await write(false)).toContain('region=eu\n');
    expect(await write(false)).not.toContain('\u001b');
  });
});

test('tenant show tells all that is known of one', async () => {
  const steps = [
    { operationId: 'op_2', tenant: 'globex', step: 'create', state: 'done', attempt: 1, error: null, startedAt: at, finishedAt: at },
    { operationId: 'op_2', tenant: 'globex', step: 'migrate', state: 'failed', attempt: 2, error: 'no', startedAt: at, finishedAt: null },
  ] as const;
  const chained = { place: 1, actor: null, login: null, hash: null };
  const events = [{ sequence: 1, at, runId: 'r_1', tenant: 'globex', type: 'tenant.registered', data: {}, ...chained }];
  const backup: Backup = {
    id: 'k3x9m2p7qa',
    tenant: globex.id,
    incarnation: 1,
    cluster: 'main',
    driver: 'postgres-schema',
    path: '/backups/globex/20260102T030405Z-k3x9m2p7qa.dump',
    format: 'pg_dump-custom',
    sha256: 'a'.repeat(64),
    bytes: 10_467,
    schemaVersion: '0012_index',
    migrationsHash: 'b'.repeat(64),
    runId: 'r_1',
    at,
  };
  expect(
    await print('tenantShow', toTenantShowDocument({ tenant: globex, steps, events, backups: [backup] }), printTenantShow),
  ).toMatchInlineSnapshot(`
    "globex
      status   failed, protected
      schema   tenant_globex on main
      version  none
      labels   plan=gold region=eu
      created  2026-01-02 03:04:05 UTC
      updated  2026-01-02 03:04:05 UTC
      lease    p_1 on ci-3 since 2026-01-02 03:04:05 UTC, expired

    ✖ last error in migrate, 2026-01-02 03:04:05 UTC
      globex: migration 0007, line 3: no
      UPDATE x
      TENANCY_MIGRATION_FAILED

    steps of the provision under way
      ✔ create
      ✖ migrate, attempt 2: no

    backups
      BACKUP      AT                       VERSION        SIZE  FILE
      k3x9m2p7qa  2026-01-02 03:04:05 UTC  0012_index  10.5 kB  /backups/globex/20260102T030405Z-k3x9m2p7qa.dump

    history
      2026-01-02 03:04:05 UTC  tenant.registered  r_1
    "
  `);
});

describe('status', () => {
  const summary = (changes: Partial<TenantSummary>): TenantSummary => ({
    status: 'active',
    cluster: 'main',
    driver: 'postgres-schema',
    schemaVersion: '0008',
    migrationsHash: 'abc',
    tenants: 1,
    withError: 0,
    ...changes,
  });
  const facts = {
    registry: 'postgres://db.internal/app',
    target: '0008',
    goal: () => ({ target: { schemaVersion: '0008', migrationsHash: 'abc' }, migrations: ['0006', '0007', '0008'] }),
    laggards: [],
    failures: [],
  };

  test('counts tenants by state and version, and names who lags and what failed', async () => {
    const document = toStatusDocument({
      ...facts,
      summaries: [
        summary({ tenants: 412 }),
        summary({ tenants: 1000, cluster: 'eu' }),
        summary({ schemaVersion: '0006', migrationsHash: 'x', tenants: 68, withError: 3 }),
        summary({ migrationsHash: 'other', tenants: 2 }),
        summary({ schemaVersion: '0009', migrationsHash: 'y', tenants: 1 }),
        summary({ status: 'suspended', schemaVersion: null, migrationsHash: null, tenants: 4 }),
        summary({ status: 'failed', schemaVersion: null, migrationsHash: null, tenants: 1, withError: 1 }),
        summary({ status: 'deprovisioned', tenants: 7 }),
      ],
      laggards: [tenantNamed('hooli', { schemaVersion: '0006' })],
      failures: [globex],
    });
    expect(document).toMatchObject({ tenants: 1488, behind: 72, withError: 4 });
    expect(await print('fleetStatus', document, printStatus)).toMatchInlineSnapshot(`
      "1,488 tenants on main (488), eu (1,000)  postgres://db.internal/app

        1,483  active
            4  suspended
            7  deprovisioned
            1  failed

      versions
        1,412  0008  ━━━━━━━━━━━━━━━━━━━━━━━━  current
           68  0006  ━                         behind
            4  none  ━                         behind
            2  0008  ━                         drifted
            1  0009  ━                         ahead

      behind (72)
        hooli  0006  main
        and 71 more

      failures (4)
        ✖  globex  failed  migrate: migration 0007, line 3: no
        and 3 more

      → to bring them to 0008: tenancy tenant migrate --all
      "
    `);
  });

  test('says when nothing is pending, and when there is nothing at all', async () => {
    expect(await print('fleetStatus', toStatusDocument({ ...facts, summaries: [summary({ tenants: 3 })] }), printStatus)).toContain(
      '✔ nothing is pending\n',
    );
    expect(await print('fleetStatus', toStatusDocument({ ...facts, summaries: [] }), printStatus)).toBe(
      '0 tenants  postgres://db.internal/app\n',
    );
  });

  test('judges no version where there is no target', () => {
    expect(
      toStatusDocument({ ...facts, target: null, goal: () => ({ target: null, migrations: [] }), summaries: [summary({})] }).versions,
    ).toEqual([{ schemaVersion: '0008', tenants: 1, state: 'unknown' }]);
  });
});

describe('runs', () => {
  const counts = { applied: 8, 'up-to-date': 1, failed: 1, unverified: 0, unknown: 0, skipped: 0, cancelled: 0, 'not-started': 0 };
  const run: Run = {
    id: 'r_7k2m9x',
    command: 'migrate',
    owner: 'p_1',
    host: 'ci-3',
    target: '0008',
    options: { all: true },
    selected: 10,
    status: 'finished',
    counts,
    notStarted: 0,
    exitCode: 1,
    control: 'go-on',
    controlBy: null,
    pausedAt: null,
    endReason: null,
    stopped: null,
    startedAt: at,
    finishedAt: new Date(at.getTime() + 12_300),
  };
  const { code, message } = failure;
  const failed: TenantOutcome = {
    tenant: 'globex',
    cluster: 'main',
    outcome: 'failed',
    attempts: 1,
    from: '0006',
    to: '0006',
    ms: 12,
    error: { code, message, hook: 'migrate', retryable: false, log: null },
  };

  test('are listed newest first, as they come', async () => {
    const running: Run = { ...run, id: 'r_8', status: 'running', counts: null, notStarted: null, exitCode: null, finishedAt: null };
    expect(await print('runList', toRunListDocument([running, run]), printRunList)).toMatchInlineSnapshot(`
      "run       started                  command  tenants  status      took  outcomes
      r_8       2026-01-02 03:04:05 UTC  migrate       10  running
      r_7k2m9x  2026-01-02 03:04:05 UTC  migrate       10  finished  12.3 s  8 migrated, 1 up to date, 1 failed
      "
    `);
    expect(await print('runList', toRunListDocument([]), printRunList)).toBe('no runs\n');
  });

  test('show what failed and how to try again', async () => {
    const skipped: TenantOutcome = { tenant: 'hooli', cluster: 'main', outcome: 'skipped', attempts: 0, from: null, to: null, ms: 0 };
    expect(await print('runShow', toRunShowDocument(run, [failed, skipped]), printRunShow)).toMatchInlineSnapshot(`
      "r_7k2m9x
        command   migrate to 0008
        status    finished, exit 1
        started   2026-01-02 03:04:05 UTC by p_1 on ci-3
        took      12.3 s
        tenants   10
        outcomes  8 migrated, 1 up to date, 1 failed

      ✖ globex failed in migrate on main
        migration 0007, line 3: no
        UPDATE x
        TENANCY_MIGRATION_FAILED

      skipped  hooli

      → to try again what is left: tenancy run retry r_7k2m9x
      "
    `);
  });
});

test('doctor says what is well, and of the rest what to do', async () => {
  const document = toDoctorDocument([
    { name: 'node', status: 'ok', detail: 'v20.20.2' },
    { name: 'clusters.main', status: 'warning', detail: '100 connections, 8 configured', hint: 'raise max_connections' },
    { name: 'registry', status: 'failed', detail: 'there is none', hint: 'run `tenancy registry init`' },
  ]);
  expect(document.status).toBe('failed');
  expect(await print('doctor', document, printDoctor)).toMatchInlineSnapshot(`
    "✔ node           v20.20.2
    ! clusters.main  100 connections, 8 configured
                     → raise max_connections
    ✖ registry       there is none
                     → run \`tenancy registry init\`

    1 failed, 1 to look at
    "
  `);
});

test('config print indents what belongs together', () => {
  const asIs = (text: string): string => text;
  const palette: Palette = { bold: asIs, dim: asIs, red: asIs, green: asIs, yellow: asIs, cyan: asIs };
  const config = {
    file: null,
    registry: { url: 'postgres://***@db/app' },
    clusters: { main: { concurrency: 8, regions: ['eu', 'us'] } },
    hooks: {},
    seeds: [],
    skipped: undefined,
  };
  expect(`\n${printConfig(config, palette).join('\n')}\n`).toMatchInlineSnapshot(`
    "
    file: none
    registry:
      url: postgres://***@db/app
    clusters:
      main:
        concurrency: 8
        regions:
          - eu
          - us
    hooks: {}
    seeds: []
    "
  `);
});
