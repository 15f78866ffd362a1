import { expect, test } from 'vitest';
import { createDraining } from '../../src/runs/draining.js';

test.for([
  ['interrupted', 'stopped in flight, by a second interrupt'],
  ['cancelled', 'stopped in flight, by `tenancy run cancel --now`'],
  ['lease-lost', 'stopped in flight, as another process has gone on with this run'],
] as const)('what is in flight is told who stopped it: %s', ([reason, message]) => {
  const signals = { drain: new AbortController().signal, abort: new AbortController().signal };
  const draining = createDraining(signals, () => undefined);
  draining.drain('max-failures');
  draining.abort(reason);
  expect(draining.aborting.reason).toMatchObject({ code: 'TENANCY_RUN_ABORTED', message });
  // The first reason is why no more tenants were started.
  expect(draining.cause?.reason).toBe('max-failures');
  draining.close();
});
