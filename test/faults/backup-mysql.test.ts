import { readdirSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { checkInvariants } from '../rig/check-invariants.js';
import { createTestMysql, queryMysql, type TestMysql } from '../rig/mysql.js';
import { checksumMysqlContents } from '../rig/mysql-checksum.js';
import { withDatabase } from '../rig/postgres.js';
import { createProject, type TestProject } from '../rig/project.js';
import { describeOn } from '../rig/require.js';

const migrations = {
  '0001_rich.sql': `CREATE TABLE accounts (id bigint AUTO_INCREMENT PRIMARY KEY, name varchar(100) NOT NULL COMMENT 'who''s', raw blob, flags bit(3), doubled int AS (CHAR_LENGTH(name) * 2) STORED,
  paid decimal(10, 3), at datetime(6) DEFAULT '2026-01-02 03:04:05.678901', KEY names (name(10))) COMMENT 'those who pay';
CREATE TABLE \`odd \`\` name; --\` (id int PRIMARY KEY, account bigint, \`select\` text, FOREIGN KEY (account) REFERENCES accounts (id) ON DELETE CASCADE);
INSERT INTO accounts (name, raw, flags, paid) VALUES ('a\\n''b;\\\\ü😀', 0x00ff0a27, b'101', 1.5), ('CREATE DEFINER=\`x\`@\`y\` FUNCTION', NULL, NULL, NULL);
INSERT INTO \`odd \`\` name; --\` SELECT id, id, '/*!50013 DEFINER=\`x\`@\`y\` SQL SECURITY DEFINER */' FROM accounts;
CREATE VIEW named AS SELECT id, name FROM accounts;
`,
};

const routines = [
  `CREATE FUNCTION shout(word varchar(100)) RETURNS varchar(100) DETERMINISTIC RETURN upper(word)`,
  `CREATE PROCEDURE fill() BEGIN INSERT INTO accounts (name) VALUES ('DELIMITER ;;'); SELECT 1; END`,
  `CREATE TRIGGER stamped BEFORE INSERT ON accounts FOR EACH ROW SET NEW.paid = coalesce(NEW.paid, 7)`,
  `CREATE EVENT nightly ON SCHEDULE EVERY 1 DAY DISABLE DO DELETE FROM accounts WHERE id < 0`,
];

describeOn('mariadb', () => {
  describeOn('mariadb-client', () => {
    describe('18 backup', { timeout: 120_000 }, () => {
      let server: TestMysql;
      let project: TestProject;
      const home = (id: string): string => `${server.name}_${id}`;

      beforeAll(async () => {
        server = await createTestMysql();
        project = await createProject({
          databaseUrl: server.url,
          driver: 'mysql-database',
          namePrefix: `${server.name}_`,
          migrations,
          configExtra: `backups: { directory: './backups' },`,
        });
      });
      afterAll(async () => {
        await project?.remove();
        await server?.drop();
      });

      afterEach(() => checkInvariants({ adminUrl: server.url, registryUrl: server.url }));

      const tenancy = async (args: readonly string[], exitCode = 0): Promise<string> => {
        const result = await project.run(args);
        expect(result, args.join(' ')).toMatchObject({ exitCode });
        return `${result.stdout}${result.stderr}`;
      };
      const run = (id: string, sql: string): Promise<unknown> => queryMysql(withDatabase(server.url, home(id)), sql);
      const contents = (id: string): Promise<string> => checksumMysqlContents(server.url, home(id));

      it('of mysql-database restores equal to the checksum before the drop, and as another tenant beside it', async () => {
        await tenancy(['tenant', 'provision', 'acme', 'bystander']);
        for (const sql of routines) await run('acme', sql);
        const [before, bystander] = [await contents('acme'), await contents('bystander')];
        await tenancy(['tenant', 'deprovision', 'acme', '--confirm', 'acme']);
        await tenancy(['tenant', 'restore', 'acme']);
        expect(await contents('acme')).toBe(before);
        await tenancy(['tenant', 'restore', 'acme', '--as', 'beta']);
        expect(await contents('beta')).toBe(before);
        expect(await contents('acme')).toBe(before);
        expect(await contents('bystander')).toBe(bystander);
        // Each has a marker and a fence of its own.
        await project.write('migrations/0002_more.sql', 'CREATE TABLE more (id int PRIMARY KEY);');
        await tenancy(['tenant', 'migrate', '--all']);
        await tenancy(['tenant', 'deprovision', 'beta', '--confirm', 'beta']);
        expect(await contents('acme')).not.toBe(before);
      });

      it("gives nobody the rights of the cluster's login where a definer has gone", async () => {
        await tenancy(['tenant', 'provision', 'gamma']);
        const definer = `'${server.name}_x'@'%'`;
        await queryMysql(server.url, `CREATE USER ${definer}`);
        await queryMysql(server.url, `GRANT ALL ON \`${home('gamma')}\`.* TO ${definer}`);
        await run('gamma', `CREATE DEFINER = ${definer} FUNCTION whose() RETURNS varchar(100) READS SQL DATA RETURN current_user()`);
        await run('gamma', `CREATE DEFINER = ${definer} VIEW theirs AS SELECT id FROM accounts`);
        await tenancy(['tenant', 'backup', 'gamma']);
        await tenancy(['tenant', 'deprovision', 'gamma', '--confirm', 'gamma', '--skip-backup']);
        await queryMysql(server.url, `DROP USER ${definer}`);
        await tenancy(['tenant', 'restore', 'gamma']);
        const security = `SELECT security_type AS type FROM information_schema.routines WHERE routine_schema = ? UNION ALL
          SELECT security_type FROM information_schema.views WHERE table_schema = ? AND table_name = 'theirs'`;
        expect(await queryMysql(server.url, security, [home('gamma'), home('gamma')])).toEqual([{ type: 'INVOKER' }, { type: 'INVOKER' }]);
      });

      it("names no database, and so nobody else's", () => {
        const folder = path.join(project.directory, 'backups/acme');
        const [file = ''] = readdirSync(folder).filter((name) => name.endsWith('.sql'));
        const dump = readFileSync(path.join(folder, file), 'utf8');
        expect(dump).not.toMatch(/^\s*(USE|CREATE DATABASE)\b/im);
        expect(dump).toContain('CREATE TABLE `accounts`');
      });
    });
  });
});
