import { expect, test } from 'vitest';
import { openRegistry } from '../../src/registry/index.js';
import { verifyAudit } from '../../src/runs/audit/verify-audit.js';
import { canaryPassword, createTestDatabase, query } from '../rig/postgres.js';
import { activate, change } from './registry-rig.js';

test('who may only add events changes neither them nor the heads of their chains', async ({ onTestFinished }) => {
  const database = await createTestDatabase();
  const role = `${database.name}_clerk`;
  await (await openRegistry({ url: database.url, create: true, applicationName: 'tenancy-test' })).close();
  await database.query(`CREATE ROLE ${role} LOGIN PASSWORD '${canaryPassword}'`);
  onTestFinished(async () => {
    await database.query(`DROP OWNED BY ${role}; DROP ROLE ${role}`);
    await database.drop();
  });
  await database.query(`
    GRANT USAGE ON SCHEMA tenancy TO ${role};
    GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA tenancy TO ${role};
    GRANT USAGE ON ALL SEQUENCES IN SCHEMA tenancy TO ${role};
    REVOKE UPDATE, DELETE ON tenancy.events FROM ${role};
    REVOKE INSERT, UPDATE, DELETE ON tenancy.audit_heads FROM ${role}`);
  const url = new URL(database.url);
  url.username = role;
  url.password = canaryPassword;

  const registry = await openRegistry({ url: url.href, create: false, applicationName: 'tenancy-test' });
  await activate(registry, 'acme', 'me');
  await registry.updateTenants([change('acme', null, { from: ['active'], event: 'tenant.labelled' })]);
  const events = await registry.listEvents('acme', { after: 0, limit: 10 });
  expect(events.map(({ place, login }) => [place, login])).toEqual([1, 2, 3].map((place) => [place, role]));
  expect((await verifyAudit(registry)).breaks).toEqual([]);
  await registry.close();

  for (const sql of [
    `UPDATE tenancy.events SET data = '{}'`,
    'DELETE FROM tenancy.events',
    'ALTER TABLE tenancy.events DISABLE TRIGGER ALL',
    `UPDATE tenancy.audit_heads SET hash = ''`,
    'DELETE FROM tenancy.audit_heads',
  ]) {
    await expect(query(url.href, sql), sql).rejects.toThrow(/permission denied|must be owner/);
  }
});
