import { describe, expect, it } from 'vitest';
import { resolveUrl } from '../../src/config/resolve-url.js';
import { parseTenantId } from '../../src/tenant.js';
import { failure, resolve, sound, template } from './config-rig.js';

const acme = { id: parseTenantId('Acme'), labels: { plan: 'pro' } };

describe('placement', () => {
  it('is recorded as it was returned, and nothing more', async () => {
    const { place } = await resolve({
      ...sound,
      placement: (tenant: typeof acme) => ({ ...template, name: `t_${tenant.labels.plan}`, extra: 1 }),
    });
    expect(place(acme)).toEqual({ cluster: 'main', driver: 'postgres-schema', name: 't_pro' });
  });

  const wrong: readonly [unknown, string][] = [
    [undefined, 'it returned nothing, not { cluster, driver, name }'],
    [Promise.resolve(template), 'it returned a promise: placement is asked without waiting, and depends on the tenant alone'],
    [{ ...template, cluster: 'mani' }, "it returned the cluster 'mani', and there is only main (did you mean main?)"],
    [
      { ...template, driver: 'postgres' },
      "it returned the driver 'postgres', and there is only postgres-schema, postgres-database, mysql-database, mongodb-database",
    ],
    [{ ...template, name: 3 }, 'it returned 3 as the name, which is a text'],
    [
      { ...template, driver: 'mysql-database' },
      'it returned the driver mysql-database for the cluster main, whose server keeps postgres-schema or postgres-database tenants',
    ],
  ];
  for (const [answer, reason] of wrong) {
    it(`is refused with the tenant's id: ${reason}`, async () => {
      const { place } = await resolve({ ...sound, placement: () => answer });
      expect(await failure(() => place(acme))).toBe(`the config: \`placement\`: for tenant "Acme" ${reason}`);
    });
  }

  it('that throws is told with the tenant', async () => {
    const { place } = await resolve({
      ...sound,
      placement: () => {
        throw new TypeError('boom');
      },
    });
    expect(await failure(() => place(acme))).toBe('the config: `placement`: for tenant "Acme" the function threw TypeError: boom');
  });

  it('with an illegal physical name is refused', async () => {
    const { place } = await resolve({ ...sound, placement: () => ({ ...template, name: 'pg_x' }) });
    expect(() => place(acme)).toThrow(expect.objectContaining({ code: 'TENANCY_NAME_REJECTED' }));
  });
});

describe('a URL that a function fetches', () => {
  it('is fetched once, and shared with the registry that defaults to it', async () => {
    let calls = 0;
    const config = await resolve({
      ...sound,
      clusters: {
        main: {
          url: async () => {
            calls += 1;
            return 'embedded:db';
          },
        },
      },
    });
    expect(calls).toBe(0);
    expect(await resolveUrl(config.registry.url, 'registry.url', config.root)).toBe('embedded:/app/db');
    expect(await resolveUrl(config.clusters.main?.url ?? '', 'clusters.main.url', config.root)).toBe('embedded:/app/db');
    expect(calls).toBe(1);
  });

  const wrong: readonly [() => unknown, string][] = [
    [
      () => undefined,
      'the function returned no such URL: expected a URL such as postgres://…, mysql://…, mongodb://… or embedded:DIR, got undefined',
    ],
    [
      () => 'redis://x',
      "the function returned no such URL: expected a URL such as postgres://…, mysql://…, mongodb://… or embedded:DIR, got 'redis://x'",
    ],
    [
      () => {
        throw new Error('vault is sealed');
      },
      'the function failed: vault is sealed',
    ],
    [() => Promise.reject('no'), 'the function failed: no'],
  ];
  for (const [source, reason] of wrong) {
    it(`is refused with its path: ${reason}`, async () => {
      const config = await resolve({ ...sound, registry: { url: source } });
      expect(await failure(resolveUrl(config.registry.url, 'registry.url', config.root))).toBe(`the config: \`registry.url\`: ${reason}`);
    });
  }
});
