import { describe, expect, it } from 'vitest';
import { describeClusterUrl, parseClusterUrl, withDatabase, withSearchPath } from '../../src/drivers/postgres/cluster-url.js';
import { formatMarker, parseMarker } from '../../src/drivers/postgres/marker.js';
import { quoteName, quoteText } from '../../src/drivers/postgres/quote.js';
import { leavesSessionState } from '../../src/drivers/postgres/session-state.js';

const url = 'postgres://me:p%40ss%2Fword@db.example:5433/app?sslmode=require&application_name=x';

describe("a cluster's URL", () => {
  it('leads to another database of the same server', () => {
    expect(withDatabase(url, 'tenant_é-1')).toBe(
      'postgres://me:p%40ss%2Fword@db.example:5433/tenant_%C3%A9-1?sslmode=require&application_name=x',
    );
    expect(withDatabase('postgres://db', 'a')).toBe('postgres://db/a');
    expect(withDatabase('postgresql://u@/app?host=/run/pg', 'a')).toBe('postgresql://u@/a?host=/run/pg');
  });

  it('leads to a schema, with spaces that libpq understands', () => {
    expect(withSearchPath('postgres://db/app', ['Tenant-1', 'extensions'])).toBe(
      'postgres://db/app?options=-c%20search_path%3D%22Tenant-1%22%2Cextensions',
    );
  });

  it('keeps the options that it has', () => {
    const found = new URL(withSearchPath('postgres://db/app?options=-c%20work_mem%3D1MB&sslmode=disable', ['a', 'ext'])).searchParams;
    expect(found.get('options')).toBe('-c work_mem=1MB -c search_path="a",ext');
    expect(found.get('sslmode')).toBe('disable');
  });

  it('is described without its secrets', () => {
    expect(describeClusterUrl(url)).toBe('postgres://me@db.example:5433/app');
    expect(describeClusterUrl('postgres://me:p@ss@db/app')).toBe('postgres://me@db/app');
    expect(describeClusterUrl('postgres://db/app?password=hush')).toBe('postgres://db/app');
    expect(describeClusterUrl('postgres://u@/app?host=%2Frun%2Fpg')).toBe('postgres://u@/app?host=/run/pg');
    expect(describeClusterUrl('hush')).not.toContain('hush');
  });

  it.each(['', 'app', 'mysql://h/d', 'postgres:/x', 'postgres://h/a#b', 'postgres://u:100%@h/a', 'postgres://h:99999/a'])(
    'is not %j',
    (text) => {
      expect(parseClusterUrl(text)).toBeNull();
    },
  );
});

describe('a marker', () => {
  const marker = { tenant: `o'b"\\é`, registry: 'r', operation: 'o' };

  it('is read back as it was written, with what was kept beside it', () => {
    expect(parseMarker(formatMarker(marker))).toEqual(marker);
    const full = { ...marker, comment: 'was here', cut: [{ role: null, isGrantable: false }] };
    expect(parseMarker(formatMarker(full))).toEqual(full);
  });

  it.each([null, '', 'standard public schema', 'tenancy:', 'tenancy:{', 'tenancy:null', 'tenancy:[]', 'tenancy:{"tenant":1}'])(
    'is not %j',
    (comment) => {
      expect(parseMarker(comment)).toBeNull();
    },
  );
});

describe('quoting', () => {
  it('keeps a name one name, and a text one text', () => {
    expect(quoteName('a"b')).toBe('"a""b"');
    expect(quoteText(`a'b\\`)).toBe(`E'a\\'b\\\\'`);
  });
});

describe('leavesSessionState', () => {
  const sql = (text: string): boolean => leavesSessionState({ type: 'sql', file: 'f.sql', sql: text, isTransactional: true });

  it.each([
    'SET search_path = x',
    'CREATE TABLE t ();\n-- next\nset role bob;',
    `SELECT pg_catalog.set_config('search_path', '', false)`,
    'CREATE TEMP TABLE t (id int)',
    'DO $$ BEGIN SET work_mem = 1; END $$',
    'LISTEN x',
    'SELECT pg_advisory_lock(1)',
    'DECLARE c CURSOR WITH HOLD FOR SELECT 1',
  ])('sees %j', (text) => {
    expect(sql(text)).toBe(true);
  });

  it.each([
    'SET LOCAL lock_timeout = 1',
    'SET CONSTRAINTS ALL DEFERRED',
    'UPDATE t SET a = 1;\nUPDATE t\nSET b = 2',
    'ALTER TABLE t ALTER COLUMN a SET NOT NULL, ALTER b SET DEFAULT 1',
    'CREATE TABLE t (a int REFERENCES u ON DELETE SET NULL)',
    '-- SET x = 1\nSELECT 1',
    'INSERT INTO t VALUES (1) ON CONFLICT (a) DO UPDATE SET a = 2',
  ])('is content with %j', (text) => {
    expect(sql(text)).toBe(false);
  });

  it('trusts no module', () => {
    expect(leavesSessionState({ type: 'module', file: 'm.ts', isTransactional: true, run: async () => {} })).toBe(true);
    expect(leavesSessionState(null)).toBe(false);
  });
});
