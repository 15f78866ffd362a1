import { readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { expect, test } from 'vitest';
import { useExample } from './use-example.js';

const FIRST = 1_705_310_000_000;
const NOTES = 1_709_280_000_000;

/** As drizzle-kit does it: a file, and an entry in the journal. */
function write(directory: string, idx: number, tag: string, when: number, sql: string): void {
  writeFileSync(path.join(directory, `drizzle/${tag}.sql`), sql);
  const journal = path.join(directory, 'drizzle/meta/_journal.json');
  const content = JSON.parse(readFileSync(journal, 'utf8')) as { entries: object[] };
  content.entries.push({ idx, version: '7', when, tag, breakpoints: true });
  writeFileSync(journal, JSON.stringify(content));
}

const example = useExample({
  name: 'drizzle',
  packages: ['drizzle-orm', 'pg'],
  table: '__drizzle_migrations',
  column: 'created_at',
  databaseSchema: 'drizzle',
  applied: [String(FIRST)],
  version: '0000_accounts_and_invoices',
  next: {
    version: '0001_notes',
    applied: String(NOTES),
    write: (directory) => write(directory, 1, '0001_notes', NOTES, 'CREATE TABLE "notes" ("id" int);'),
  },
});

test("what drizzle-kit writes as public is the tenant's own", async () => {
  const rows = await example.database.query(
    "SELECT confrelid::regclass::text AS to FROM pg_constraint WHERE conrelid = 'tenant_globex.invoices'::regclass AND contype = 'f'",
  );
  expect(rows).toEqual([{ to: 'tenant_globex.accounts' }]);
});

test('a migration that Drizzle passes over in silence leaves the tenant unverified', async () => {
  write(example.directory, 2, '0002_merged_late', NOTES - 1, 'CREATE TABLE "late" ("id" int);');
  const { exitCode, stdout, stderr } = await example.tenancy('tenant', 'migrate', '--all');
  expect(exitCode, stderr).toBe(1);
  expect(stdout + stderr).toContain('unverified');
  expect(stdout + stderr).toContain('0002_merged_late');
  expect(await example.database.query("SELECT to_regclass('tenant_globex.late') AS late")).toEqual([{ late: null }]);
});
