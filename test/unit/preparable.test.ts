import { describe, expect, it, test } from 'vitest';
import type { LocalMigration } from '../../src/migrations/migration.js';
import { countPreparable } from '../../src/migrations/preparable.js';

function sql(text: string): LocalMigration {
  const up = { type: 'sql', file: 'x.sql', sql: text, isTransactional: true } as const;
  return { name: 'x', file: 'x.sql', checksum: '', up, down: null };
}

const asDefinition = (text: string): boolean =>
  countPreparable([sql(text)], { what: 'definitions', isSchema: false, publicTo: null }) === 1;

describe('what may be carried out ahead of any tenant', () => {
  test.each([
    'CREATE TABLE a (id uuid PRIMARY KEY DEFAULT gen_random_uuid(), at timestamptz DEFAULT now())',
    'CREATE TABLE IF NOT EXISTS a (n int GENERATED ALWAYS AS (1 + 1) STORED, i int GENERATED ALWAYS AS IDENTITY)',
    'CREATE UNIQUE INDEX CONCURRENTLY i ON a (id)',
    'CREATE FUNCTION f() RETURNS int LANGUAGE sql AS $$ INSERT INTO a SELECT random() RETURNING 1 $$',
    'CREATE VIEW v AS SELECT now()',
    'CREATE TRIGGER t BEFORE INSERT ON a FOR EACH ROW EXECUTE FUNCTION f()',
    'CREATE EXTENSION IF NOT EXISTS citext',
    'CREATE USER MAPPING FOR CURRENT_USER SERVER s',
    "ALTER TABLE a ADD COLUMN b text NOT NULL DEFAULT 'x'",
    'COMMENT ON TABLE a IS $$x$$; GRANT SELECT ON a TO app; REVOKE ALL ON SCHEMA public FROM PUBLIC; SET search_path = app; DROP TABLE b',
    '-- nothing but a comment',
  ])('%s', (text) => expect(asDefinition(text)).toBe(true));

  test.each([
    'INSERT INTO a VALUES (1)',
    'CREATE TABLE a (id int); INSERT INTO a VALUES (1)',
    'UPDATE a SET b = 1',
    'DO $$ BEGIN PERFORM 1; END $$',
    'SELECT create_parent()',
    'CALL p()',
    'WITH x AS (INSERT INTO a VALUES (1) RETURNING 1) SELECT * FROM x',
    'CREATE TABLE b AS SELECT now() AS at',
    'CREATE TEMPORARY TABLE IF NOT EXISTS b AS (VALUES (1))',
    'CREATE UNLOGGED TABLE b AS TABLE a',
    'CREATE MATERIALIZED VIEW m AS SELECT random()',
    'CREATE ROLE app',
    'CREATE USER app',
    'ALTER DATABASE d SET timezone = $$UTC$$',
    'GRANT CONNECT ON DATABASE d TO app',
    'GRANT admin TO app',
    'COMMENT ON DATABASE d IS $$x$$',
    'CREATE SUBSCRIPTION s CONNECTION $$x$$ PUBLICATION p',
    'IMPORT FOREIGN SCHEMA s FROM SERVER x INTO y',
  ])('not %s', (text) => expect(asDefinition(text)).toBe(false));

  it('ends at the first file that may not, and with every file at the first module', () => {
    const module: LocalMigration = { ...sql(''), up: { type: 'module', file: 'x.mjs', isTransactional: true, run: async () => undefined } };
    const files = [
      sql('CREATE TABLE a ()'),
      sql('INSERT INTO a DEFAULT VALUES'),
      sql('CREATE TABLE b ()'),
      module,
      sql('CREATE TABLE c ()'),
    ];
    const count = (what: 'none' | 'definitions' | 'sql', isSchema = false, publicTo: 'tenant' | null = null): number =>
      countPreparable(files, { what, isSchema, publicTo });
    expect([count('none'), count('definitions'), count('sql'), count('sql', true), count('sql', true, 'tenant')]).toEqual([0, 1, 3, 3, 0]);
  });

  it('is not what keeps the name of a schema that will have another', () => {
    const file = sql('CREATE FUNCTION f() RETURNS int LANGUAGE sql SET search_path FROM CURRENT AS $$ SELECT 1 $$');
    expect(countPreparable([file], { what: 'sql', isSchema: true, publicTo: null })).toBe(0);
    expect(countPreparable([file], { what: 'sql', isSchema: false, publicTo: null })).toBe(1);
  });
});
