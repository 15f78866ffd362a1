import { Client } from 'pg';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { ClusterEngine, TenantDriver, TenantTarget } from '../../src/drivers/driver.js';
import { openClusterEngine } from '../../src/drivers/index.js';
import { createTestDatabase, type TestDatabase } from '../rig/postgres.js';
import { markerOf } from './driver-suite.js';

const never = new AbortController().signal;
const TRIGGER = 'CREATE FUNCTION acme.f() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RETURN NULL; END $$';
const NUMBER = 'CREATE FUNCTION acme.f(int) RETURNS int IMMUTABLE LANGUAGE sql AS $$ SELECT $1 $$';
const COMPARE = 'CREATE FUNCTION acme.compare(globex.pair, globex.pair) RETURNS int LANGUAGE sql AS $$ SELECT ($1).a - ($2).a $$';

/** What there is of acme's, what of globex's rests on it, and what the refusal names. */
const TAKEN: readonly (readonly [kind: string, acme: string, globex: string, ...reasons: RegExp[]])[] = [
  ['a view', 'CREATE TABLE acme.t (id int)', 'CREATE VIEW globex.v AS SELECT * FROM acme.t', /^view globex\.v /],
  [
    'a view on a view',
    'CREATE TABLE acme.t (id int); CREATE VIEW acme.v AS SELECT * FROM acme.t',
    'CREATE VIEW globex.vv AS SELECT * FROM acme.v',
    /^view globex\.vv /,
  ],
  [
    'a materialized view with its index',
    'CREATE TABLE acme.t (id int)',
    'CREATE MATERIALIZED VIEW globex.m AS SELECT * FROM acme.t; CREATE INDEX ON globex.m (id)',
    /^materialized view globex\.m /,
  ],
  [
    'a rule on a table',
    'CREATE TABLE acme.log (n int)',
    'CREATE TABLE globex.t (id int); CREATE RULE r AS ON INSERT TO globex.t DO ALSO INSERT INTO acme.log VALUES (1)',
    /^rule r on table globex\.t /,
  ],
  [
    'a rule on a view',
    'CREATE TABLE acme.log (n int)',
    'CREATE VIEW globex.v AS SELECT 1 AS n; CREATE RULE r AS ON INSERT TO globex.v DO INSTEAD INSERT INTO acme.log VALUES (1)',
    /^rule r on view globex\.v /,
  ],
  [
    'a foreign key',
    'CREATE TABLE acme.t (id int PRIMARY KEY)',
    'CREATE TABLE globex.r (t int REFERENCES acme.t)',
    /^constraint r_t_fkey on table globex\.r /,
  ],
  ['a check', NUMBER, 'CREATE TABLE globex.k (n int CONSTRAINT k CHECK (acme.f(n) > 0))', /^constraint k on table globex\.k /],
  [
    'the type of a column',
    `CREATE TYPE acme.mood AS ENUM ('ok')`,
    'CREATE TABLE globex.m (mood acme.mood)',
    /^column mood of table globex\.m /,
  ],
  [
    'the type of an array',
    'CREATE TYPE acme.c AS (n int)',
    'CREATE TABLE globex.m (all_of_them acme.c[])',
    /^column all_of_them of table globex\.m /,
  ],
  ['a part of a type', 'CREATE DOMAIN acme.d AS int', 'CREATE TYPE globex.c AS (d acme.d)', /^column d of composite type globex\.c /],
  ['a domain', 'CREATE DOMAIN acme.d AS int', 'CREATE DOMAIN globex.dd AS acme.d', /^type globex\.dd /],
  ['the check of a domain', NUMBER, 'CREATE DOMAIN globex.dd AS int CONSTRAINT k CHECK (acme.f(VALUE) > 0)', /^constraint k /],
  ['a range', 'CREATE DOMAIN acme.d AS int', 'CREATE TYPE globex.r AS RANGE (SUBTYPE = acme.d)', /^type globex\.r /],
  ['a collation', `CREATE COLLATION acme.c FROM "C"`, 'CREATE TABLE globex.t (w text COLLATE acme.c)', /^column w of table globex\.t /],
  [
    'a default',
    'CREATE SEQUENCE acme.q',
    `CREATE TABLE globex.d (id int DEFAULT nextval('acme.q'))`,
    /^default value for column id of table globex\.d /,
  ],
  [
    'a generated column',
    NUMBER,
    'CREATE TABLE globex.g (n int, f int GENERATED ALWAYS AS (acme.f(n)) STORED)',
    /^column f of table globex\.g /,
    /^default value for column f of table globex\.g /,
  ],
  ['an index', NUMBER, 'CREATE TABLE globex.i (n int); CREATE INDEX x ON globex.i (acme.f(n))', /^index globex\.x /],
  [
    'the condition of an index',
    NUMBER,
    'CREATE TABLE globex.i (n int); CREATE INDEX x ON globex.i (n) WHERE acme.f(n) > 0',
    /^index globex\.x /,
  ],
  [
    'a trigger',
    TRIGGER,
    'CREATE TABLE globex.g (id int); CREATE TRIGGER g AFTER INSERT ON globex.g EXECUTE FUNCTION acme.f()',
    /^trigger g on table globex\.g /,
  ],
  [
    'the condition of a trigger',
    NUMBER,
    `CREATE TABLE globex.g (id int); CREATE FUNCTION globex.f() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RETURN NULL; END $$;
     CREATE TRIGGER g AFTER INSERT ON globex.g FOR EACH ROW WHEN (acme.f(new.id) > 0) EXECUTE FUNCTION globex.f()`,
    /^trigger g on table globex\.g /,
  ],
  ['a policy', NUMBER, 'CREATE TABLE globex.p (n int); CREATE POLICY p ON globex.p USING (acme.f(n) > 0)', /^policy p on table globex\.p /],
  [
    'a policy that looks elsewhere',
    'CREATE TABLE acme.t (id int)',
    'CREATE TABLE globex.p (n int); CREATE POLICY p ON globex.p USING (n IN (SELECT id FROM acme.t))',
    /^policy p on table globex\.p /,
  ],
  [
    'a partition',
    'CREATE TABLE acme.p (id int) PARTITION BY LIST (id)',
    'CREATE TABLE globex.p1 PARTITION OF acme.p DEFAULT',
    /^table globex\.p1 /,
  ],
  ['a table that inherits', 'CREATE TABLE acme.t (id int)', 'CREATE TABLE globex.c () INHERITS (acme.t)', /^table globex\.c /],
  ['a table of a type', 'CREATE TYPE acme.c AS (n int)', 'CREATE TABLE globex.t OF acme.c', /^table globex\.t /],
  ['statistics', 'CREATE TABLE acme.t (a int, b int)', 'CREATE STATISTICS globex.st ON a, b FROM acme.t', /^statistics object globex\.st /],
  [
    'statistics of an expression',
    NUMBER,
    'CREATE TABLE globex.t (a int); CREATE STATISTICS globex.st ON acme.f(a), a FROM globex.t',
    /^statistics object globex\.st /,
  ],
  [
    'a function by what it takes',
    'CREATE TYPE acme.c AS (n int)',
    'CREATE FUNCTION globex.f(acme.c) RETURNS int LANGUAGE sql AS $$ SELECT 1 $$',
    /^function globex\.f\(/,
  ],
  [
    'a function by what it does',
    NUMBER,
    'CREATE FUNCTION globex.g() RETURNS int LANGUAGE sql RETURN acme.f(1)',
    /^function globex\.g\(\) /,
  ],
  [
    'an aggregate',
    'CREATE FUNCTION acme.f(int, int) RETURNS int LANGUAGE sql AS $$ SELECT $1 $$',
    'CREATE AGGREGATE globex.a(int) (SFUNC = acme.f, STYPE = int)',
    /^function globex\.a\(integer\) /,
  ],
  [
    'an operator',
    'CREATE FUNCTION acme.f(int, int) RETURNS int LANGUAGE sql AS $$ SELECT $1 $$',
    'CREATE OPERATOR globex.=== (LEFTARG = int, RIGHTARG = int, FUNCTION = acme.f)',
    /^operator globex\.===\(integer,integer\) /,
  ],
  [
    'a class of operators',
    COMPARE,
    'CREATE OPERATOR CLASS globex.ops FOR TYPE globex.pair USING btree FAMILY globex.family AS FUNCTION 1 acme.compare(globex.pair, globex.pair)',
    /^operator class globex\.ops for access method btree /,
  ],
  [
    'a member of a family of operators',
    COMPARE,
    'ALTER OPERATOR FAMILY globex.family USING btree ADD FUNCTION 1 acme.compare(globex.pair, globex.pair)',
    /^function 1 \(globex\.pair, globex\.pair\) of operator family globex\.family /,
  ],
  [
    'a cast',
    'CREATE FUNCTION acme.f(globex.pair) RETURNS text LANGUAGE sql AS $$ SELECT 1 $$',
    'CREATE CAST (globex.pair AS text) WITH FUNCTION acme.f(globex.pair)',
    /^cast from globex\.pair to text /,
  ],
  [
    'a configuration of text search',
    'CREATE TEXT SEARCH DICTIONARY acme.d (TEMPLATE = simple)',
    'CREATE TEXT SEARCH CONFIGURATION globex.c (PARSER = "default"); ALTER TEXT SEARCH CONFIGURATION globex.c ADD MAPPING FOR word WITH acme.d',
    /^text search configuration globex\.c /,
  ],
  [
    'an event trigger',
    'CREATE FUNCTION acme.e() RETURNS event_trigger LANGUAGE plpgsql AS $$ BEGIN END $$',
    'CREATE EVENT TRIGGER reach ON sql_drop EXECUTE FUNCTION acme.e()',
    /^event trigger reach /,
  ],
  [
    'a server',
    'CREATE FUNCTION acme.f(text[], oid) RETURNS boolean LANGUAGE sql AS $$ SELECT true $$',
    'CREATE FOREIGN DATA WRAPPER reach VALIDATOR acme.f; CREATE SERVER reach FOREIGN DATA WRAPPER reach; CREATE USER MAPPING FOR CURRENT_USER SERVER reach',
    /^foreign-data wrapper reach /,
    /^server reach /,
  ],
  [
    'a language',
    `CREATE FUNCTION acme.l() RETURNS language_handler LANGUAGE c AS '$libdir/plpgsql', 'plpgsql_call_handler'`,
    'CREATE LANGUAGE reach HANDLER acme.l',
    /^language reach /,
  ],
  [
    'an access method',
    `CREATE FUNCTION acme.h(internal) RETURNS table_am_handler LANGUAGE internal AS 'heap_tableam_handler'`,
    'CREATE ACCESS METHOD reach TYPE TABLE HANDLER acme.h; CREATE TABLE globex.t (id int) USING reach',
    /^access method reach /,
    /^table globex\.t /,
  ],
  [
    'a transform',
    `CREATE FUNCTION acme.f(internal) RETURNS internal IMMUTABLE LANGUAGE internal AS 'prsd_lextype'`,
    'CREATE TRANSFORM FOR globex.pair LANGUAGE plpgsql (FROM SQL WITH FUNCTION acme.f(internal))',
    /^transform for globex\.pair language plpgsql /,
  ],
  [
    'rows in a partition',
    'CREATE TABLE globex.p (id int) PARTITION BY LIST (id)',
    'CREATE TABLE acme.p1 PARTITION OF globex.p FOR VALUES IN (1); INSERT INTO globex.p VALUES (1)',
    /^table globex\.p keeps rows in it, in table acme\.p1: detach the partition first$/,
  ],
  [
    'an extension whose type it uses',
    'CREATE EXTENSION citext SCHEMA acme',
    'CREATE TABLE globex.c (name acme.citext)',
    /^column name of table globex\.c /,
  ],
];

/** What of globex's may be there without being touched. */
const LEFT: readonly (readonly [kind: string, sql: string, isWhole: string])[] = [
  [
    'what acme uses of it',
    `CREATE TABLE globex.plans (id int PRIMARY KEY); INSERT INTO globex.plans VALUES (1); CREATE TYPE globex.kind AS ENUM ('a');
     CREATE TABLE acme.t (id serial PRIMARY KEY, n int GENERATED ALWAYS AS IDENTITY, plan int REFERENCES globex.plans, kind globex.kind, doc text);
     CREATE VIEW acme.v AS SELECT t.id FROM acme.t JOIN globex.plans ON plan = plans.id;
     CREATE MATERIALIZED VIEW acme.m AS SELECT * FROM acme.v;
     CREATE RULE r AS ON INSERT TO acme.t DO ALSO INSERT INTO globex.plans VALUES (2);
     CREATE DOMAIN acme.positive AS int CHECK (VALUE > 0);
     CREATE TABLE acme.p (id int, PRIMARY KEY (id)) PARTITION BY RANGE (id);
     CREATE TABLE acme.p1 PARTITION OF acme.p FOR VALUES FROM (0) TO (10);
     ALTER TABLE acme.t ENABLE ROW LEVEL SECURITY; CREATE POLICY mine ON acme.t USING (true);
     CREATE STATISTICS acme.st ON id, n FROM acme.t;
     ALTER DEFAULT PRIVILEGES IN SCHEMA acme GRANT SELECT ON TABLES TO PUBLIC`,
    'SELECT count(*) = 1 AS ok FROM globex.plans',
  ],
  [
    'its part of a publication',
    `CREATE TABLE globex.t (id int); CREATE TABLE acme.t (id int);
     CREATE PUBLICATION reach FOR TABLE globex.t, acme.t; CREATE PUBLICATION reach_schemas FOR TABLES IN SCHEMA acme, globex`,
    `SELECT array_agg(pubname || ' ' || schemaname || '.' || tablename ORDER BY pubname) = '{reach globex.t,reach_schemas globex.t}' AS ok FROM pg_publication_tables`,
  ],
  [
    "a cast between acme's types",
    `CREATE TYPE acme.a AS (n int); CREATE FUNCTION acme.f(acme.a) RETURNS text LANGUAGE sql AS $$ SELECT 1 $$; CREATE CAST (acme.a AS text) WITH FUNCTION acme.f(acme.a);
     CREATE TABLE globex.t (id int)`,
    'SELECT count(*) = 0 AS ok FROM globex.t',
  ],
  [
    'an extension of which it uses nothing',
    'CREATE EXTENSION citext SCHEMA acme; CREATE TABLE globex.t (id int)',
    'SELECT count(*) = 0 AS ok FROM globex.t',
  ],
  [
    'the partition that nobody else has rows in',
    'CREATE SCHEMA shared; CREATE TABLE shared.p (tenant text) PARTITION BY LIST (tenant); CREATE TABLE acme.p PARTITION OF shared.p DEFAULT; CREATE TABLE globex.t (id int)',
    'SELECT count(*) = 0 AS ok FROM shared.p, globex.t',
  ],
];

/** What PostgreSQL itself keeps one schema's from resting on another's. */
const IMPOSSIBLE: readonly (readonly [kind: string, sql: string, message: RegExp])[] = [
  [
    'a sequence that belongs to a column elsewhere',
    'CREATE TABLE globex.t (id int); CREATE SEQUENCE acme.q OWNED BY globex.t.id',
    /must be in same schema/,
  ],
  [
    'the condition of a publication',
    `${NUMBER}; CREATE TABLE globex.t (n int); CREATE PUBLICATION reach FOR TABLE globex.t WHERE (acme.f(n) > 0)`,
    /invalid publication WHERE expression/,
  ],
];

describe("the drop of a schema beside another tenant's", () => {
  let database: TestDatabase;
  let engine: ClusterEngine;
  let driver: TenantDriver;

  beforeAll(async () => {
    database = await createTestDatabase('15');
    engine = await openClusterEngine({
      cluster: 'main',
      url: database.url,
      maxConnections: 2,
      extensionsSchema: 'extensions',
      applicationName: 'contract',
    });
    driver = engine.driver('postgres-schema');
  });
  afterAll(async () => {
    await engine.close();
    await database.drop();
  });

  async function withTenants(use: (acme: TenantTarget) => Promise<void>): Promise<void> {
    const [acme, globex] = ['acme', 'globex'].map((name) => ({ name, marker: markerOf(name) })) as [TenantTarget, TenantTarget];
    try {
      for (const target of [acme, globex]) await driver.create(target, never);
      await database.query('CREATE TYPE globex.pair AS (a int, b int); CREATE OPERATOR FAMILY globex.family USING btree');
      await use(acme);
    } finally {
      await database.query(`
        DROP EVENT TRIGGER IF EXISTS reach; DROP PUBLICATION IF EXISTS reach, reach_schemas;
        DROP SCHEMA IF EXISTS acme, globex, shared CASCADE`);
    }
  }

  /** All that there is in the database, but for what PostgreSQL brings along. */
  const describeAll = (): Promise<unknown[]> =>
    database.query(`SELECT DISTINCT pg_describe_object(classid, objid, objsubid) AS object FROM pg_depend WHERE objid >= 16384 ORDER BY 1`);

  it.for(TAKEN)('is refused for %s', ([, inside, outside, ...reasons]) =>
    withTenants(async (acme) => {
      await database.query(inside);
      await database.query(outside);
      const before = await describeAll();
      expect(await driver.planDrop(acme)).toEqual(reasons.map((reason) => expect.stringMatching(reason)));
      await expect(driver.drop(acme, never)).rejects.toMatchObject({ code: 'TENANCY_DROP_REFUSED', exitCode: 4 });
      expect(await describeAll()).toEqual(before);
    }),
  );

  it.each(LEFT)('leaves %s whole', (_, sql, isWhole) =>
    withTenants(async (acme) => {
      await database.query(sql);
      expect(await driver.planDrop(acme)).toEqual([]);
      expect(await driver.drop(acme, never)).toBe('dropped');
      expect(await database.query(isWhole)).toEqual([{ ok: true }]);
    }),
  );

  it.each(IMPOSSIBLE)('need not think of %s', (_, sql, message) =>
    withTenants(async () => {
      await expect(database.query(sql)).rejects.toThrow(message);
    }),
  );

  it.each([
    ['on a piece of it', NUMBER, 'ALTER TABLE globex.t ADD n int DEFAULT acme.f(1)', 'ALTER TABLE globex.t DROP n'],
    [
      'on what goes last',
      `CREATE COLLATION acme.c FROM "C"`,
      'ALTER TABLE globex.t ADD n text COLLATE acme.c',
      'ALTER TABLE globex.t DROP n',
    ],
  ])('of many tables is refused for what came to rest %s while it was under way', { timeout: 60_000 }, (_, inside, outside, settle) =>
    withTenants(async (acme) => {
      await database.query(`${inside}; CREATE TABLE globex.t (id int);
        DO $$ BEGIN FOR i IN 1..400 LOOP EXECUTE format('CREATE TABLE acme.t%s (id serial PRIMARY KEY)', i); END LOOP; END $$`);
      // Somebody reads the oldest table, which comes last of them, so the drop waits there.
      const reader = new Client({ connectionString: database.url });
      await reader.connect();
      await reader.query('BEGIN; SELECT FROM acme.t1');
      const dropping = driver.drop(acme, never).then(String, (error: unknown) => error);
      await expect
        .poll(() => database.query(`SELECT FROM pg_locks WHERE relation = to_regclass('acme.t1') AND NOT granted`), { timeout: 10_000 })
        .not.toEqual([]);
      await database.query(outside);
      await reader.query('COMMIT');
      await reader.end();
      expect(await dropping).toMatchObject({ code: 'TENANCY_DROP_REFUSED', hint: expect.stringContaining('a part of it is gone already') });
      expect(await database.query(`SELECT FROM pg_attribute WHERE attrelid = 'globex.t'::regclass AND attname = 'n'`)).toHaveLength(1);
      await database.query(settle);
      expect(await driver.drop(acme, never)).toBe('dropped');
    }),
  );

  it('of many tables takes what rests on them in the schema itself', { timeout: 60_000 }, () =>
    withTenants(async (acme) => {
      await database.query(`DO $$ BEGIN FOR i IN 1..400 LOOP EXECUTE format('CREATE TABLE acme.t%s (id serial PRIMARY KEY)', i); END LOOP; END $$;
        CREATE FUNCTION acme.f() RETURNS SETOF acme.t7 LANGUAGE sql AS $$ SELECT * FROM acme.t7 $$;
        CREATE VIEW acme.v AS SELECT * FROM acme.t9; CREATE TABLE acme.late (); ALTER TABLE acme.t2 ADD c acme.t399`);
      expect(await driver.drop(acme, never)).toBe('dropped');
      expect(await driver.probe(acme)).toEqual({ status: 'absent' });
    }),
  );
});
