import { describe, expect, test } from 'vitest';
import type { Backup, TenantSummary } from '../../src/registry/registry.js';
import { toStatusDocument } from '../../src/reporters/documents/status-document.js';
import { printStatus } from '../../src/reporters/documents/status-text.js';
import { printTenantShow, toTenantShowDocument } from '../../src/reporters/documents/tenant-document.js';
import { createTenantListWriter } from '../../src/reporters/documents/tenant-list.js';
import type { DocumentOptions } from '../../src/reporters/documents/write-document.js';
import { measureWidth } from '../../src/reporters/terminal-text.js';
import type { Tenant } from '../../src/tenant.js';
import { assertDocument } from '../rig/events-schema.js';
import { at, globex, optionsFor, print, Sink, tenantNamed } from './documents-rig.js';

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
