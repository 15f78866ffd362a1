import { randomBytes } from 'node:crypto';
import { existsSync, readdirSync } from 'node:fs';
import path from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { checksumContents } from '../rig/home-checksum.js';
import { checkInvariants, checksumTenants } from '../rig/invariants.js';
import { query } from '../rig/postgres.js';
import { type PrivateServer, startPrivateServer } from '../rig/private-server.js';
import { describeOn } from '../rig/require.js';
import { createSandboxProject, type Sandbox, type SandboxProject } from '../rig/sandbox.js';

/** Of what a tenant may consist of, one each. */
const migrations = {
  '0001_rich.sql': `CREATE EXTENSION IF NOT EXISTS citext;
CREATE TYPE mood AS ENUM ('sad', 'ok', 'happy');
CREATE DOMAIN positive AS integer CHECK (VALUE > 0);
CREATE TABLE counts (name text NOT NULL);
INSERT INTO counts VALUES ('0001_rich');
CREATE TABLE accounts (id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, name citext NOT NULL UNIQUE, mood mood DEFAULT 'ok', doubled integer
  GENERATED ALWAYS AS (length(name::text) * 2) STORED, paid positive, raw bytea);
CREATE TABLE "Odd "" name; --" (id serial PRIMARY KEY, account bigint REFERENCES accounts ON DELETE CASCADE, "select" text DEFAULT E'a\\n\\\\b''c');
CREATE TABLE events (at date NOT NULL, what text) PARTITION BY RANGE (at);
CREATE TABLE events_2026 PARTITION OF events FOR VALUES FROM ('2026-01-01') TO ('2027-01-01');
CREATE INDEX ON accounts (lower(name::text)) WHERE mood <> 'sad';
CREATE VIEW happy AS SELECT id, name FROM accounts WHERE mood = 'happy';
CREATE MATERIALIZED VIEW totals AS SELECT mood, count(*) FROM accounts GROUP BY mood;
CREATE FUNCTION shout(word text) RETURNS text LANGUAGE sql IMMUTABLE AS 'SELECT upper(word)';
CREATE FUNCTION stamp() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN NEW.paid := coalesce(NEW.paid, 1); RETURN NEW; END $$;
CREATE TRIGGER stamped BEFORE INSERT ON accounts FOR EACH ROW EXECUTE FUNCTION stamp();
ALTER TABLE accounts ENABLE ROW LEVEL SECURITY;
CREATE POLICY everybody ON accounts USING (paid > 0);
COMMENT ON TABLE accounts IS 'those who pay';
INSERT INTO accounts (name, mood, raw) SELECT 'Account ' || n || E' \\u00fc\\n', (enum_range(NULL::mood))[1 + n % 3], decode(md5(n::text), 'hex') FROM generate_series(1, 500) n;
INSERT INTO "Odd "" name; --" (account) SELECT id FROM accounts;
INSERT INTO events SELECT date '2026-01-01' + n % 300, 'x' || n FROM generate_series(1, 300) n;
REFRESH MATERIALIZED VIEW totals;
`,
  '0002_more.sql': `ALTER TABLE accounts ADD COLUMN email text;
UPDATE accounts SET email = 'x' || id;
INSERT INTO counts VALUES ('0002_more');
`,
};

const DRIVERS = ['postgres-schema', 'postgres-database'] as const;

describeOn('postgresql-client', () => {
  describe('18 backup', { timeout: 240_000 }, () => {
    let server: PrivateServer;
    let project: SandboxProject;

    beforeAll(async () => {
      // Debian's pg_dump is of this major, and none newer may be here.
      [server, project] = await Promise.all([
        startPrivateServer('15'),
        createSandboxProject({ migrations, configExtra: `backups: { directory: process.env.SANDBOX_BACKUPS },` }),
      ]);
    });
    afterAll(() => Promise.all([project?.remove(), server?.stop()]));

    interface Scene extends Sandbox {
      readonly backups: string;
      /** Exits with that code, or the test fails with what it said. */
      tenancy(args: readonly string[], exitCode?: number): Promise<string>;
      contents(id: string): Promise<string>;
      invariants(bystanders?: ReadonlyMap<string, string>): Promise<void>;
      backupsOf(id: string): readonly string[];
    }

    async function open(driver: (typeof DRIVERS)[number]): Promise<Scene> {
      const sandbox = await project.open(server.url, driver);
      const backups = path.join(project.project.directory, `backups-${sandbox.name}`);
      const env = { SANDBOX_BACKUPS: backups };
      return {
        ...sandbox,
        backups,
        tenancy: async (args, exitCode = 0) => {
          const result = await sandbox.run(args, { env });
          expect(result, args.join(' ')).toMatchObject({ exitCode });
          return `${result.stdout}${result.stderr}`;
        },
        contents: (id) => checksumContents(sandbox.url, { driver, name: sandbox.prefix + id }),
        invariants: async (bystanders) => {
          await checkInvariants({ adminUrl: sandbox.url, registryUrl: sandbox.url, ...(bystanders ? { bystanders } : {}) });
          const roles = await sandbox.query(`SELECT rolname FROM pg_roles WHERE rolname LIKE 'tenancy\\_%'`);
          const databases = await sandbox.query(`SELECT datname FROM pg_database WHERE datname LIKE 'tenancy\\_restore%'`);
          expect([...roles, ...databases]).toEqual([]);
        },
        backupsOf: (id) => (existsSync(path.join(backups, id)) ? readdirSync(path.join(backups, id)) : []),
      };
    }

    it.each(DRIVERS)('of %s restores equal to the checksum before the drop', async (driver) => {
      const scene = await open(driver);
      try {
        await scene.prepare(['acme', 'bystander']);
        const app = `app_${randomBytes(4).toString('hex')}`;
        const gone = `gone_${randomBytes(4).toString('hex')}`;
        const home = driver === 'postgres-schema' ? `${scene.prefix}acme` : 'public';
        await query(scene.url, `CREATE ROLE ${app}; CREATE ROLE ${gone}`);
        await query(
          scene.homeUrl('acme'),
          `SET search_path TO "${home}"; GRANT USAGE ON SCHEMA "${home}" TO ${app}; GRANT SELECT ON accounts TO ${gone}, ${app};
           ALTER DEFAULT PRIVILEGES IN SCHEMA "${home}" GRANT SELECT ON TABLES TO ${app}; INSERT INTO accounts (name) VALUES ('late');`,
        );
        const bystanders = await checksumTenants(scene.url, scene.url, ['bystander']);
        await query(scene.homeUrl('acme'), `REVOKE SELECT ON "${home}".accounts FROM ${gone}`);
        const before = await scene.contents('acme');
        await query(scene.homeUrl('acme'), `GRANT SELECT ON "${home}".accounts TO ${gone}`);

        await scene.tenancy(['tenant', 'deprovision', 'acme', '--confirm', 'acme']);
        await query(scene.url, `DROP OWNED BY ${gone}; DROP ROLE ${gone}`);
        expect(scene.backupsOf('acme')).toHaveLength(2);
        await scene.invariants(bystanders);

        await scene.tenancy(['tenant', 'restore', 'acme']);
        expect(await scene.contents('acme')).toBe(before);
        await scene.invariants(bystanders);
        // It is a tenant like any other: its history, its fence and its marker are its own.
        await project.project.write('migrations/0003_last.sql', "CREATE TABLE last (id int); INSERT INTO counts VALUES ('0003_last');");
        await scene.tenancy(['tenant', 'migrate', '--all']);
        await scene.invariants();
        await scene.tenancy(['tenant', 'deprovision', 'acme', '--confirm', 'acme']);
        await query(scene.homeUrl('bystander'), `DROP OWNED BY ${app}`);
        await query(scene.url, `DROP OWNED BY ${app}; DROP ROLE ${app}`);
      } finally {
        await project.project.write('migrations/0003_last.sql', 'SELECT 1;');
        await scene.drop();
      }
    });
  });
});
