import { describe, expect, test } from 'vitest';
import type { TenantOutcome } from '../../src/outcome.js';
import type { Run } from '../../src/registry/registry.js';
import { printConfig } from '../../src/reporters/documents/config-document.js';
import { printDoctor, toDoctorDocument } from '../../src/reporters/documents/doctor-document.js';
import { printRunList, printRunShow, toRunListDocument, toRunShowDocument } from '../../src/reporters/documents/run-document.js';
import type { Palette } from '../../src/reporters/palette.js';
import { at, failure, print } from './documents-rig.js';

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
