import { createConnection, type RowDataPacket } from 'mysql2/promise';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { createTestMysql, queryMysql } from '../rig/mysql.js';
import { suiteOn } from '../rig/require.js';
import { mysqlAttacks } from './isolation-attacks.js';
import { attackOf, type Fleet, findUnrefused, openFleet, PAIRS, send } from './isolation-fleet.js';

const MYSQL = `CREATE TABLE things (id int AUTO_INCREMENT PRIMARY KEY, value varchar(80));
INSERT INTO things (value) VALUES ('precious');
CREATE PROCEDURE peek() SELECT COUNT(*) FROM things;
`;

suiteOn('mariadb')('21 isolation: mysql-database', { timeout: 120_000 }, () => {
  let fleet: Fleet;
  let server: Awaited<ReturnType<typeof createTestMysql>>;
  beforeAll(async () => {
    server = await createTestMysql();
    fleet = await openFleet(server.url, server.url, 'mysql-database', `${server.name}_`, MYSQL);
  }, 120_000);
  afterAll(async () => {
    await fleet?.close();
    await server?.drop();
  });

  it('nothing that one tenant tries on another succeeds, and it sees no name of another', async ({ task }) => {
    let tried = 0;
    for (const [attacker, victim] of PAIRS) {
      const other = await createConnection({ uri: fleet.urls.get(victim) ?? '' });
      const attack = await attackOf(fleet, [attacker, victim], other.threadId, 'root');
      const client = await createConnection({ uri: fleet.urls.get(attacker) ?? '' });
      try {
        const statements = mysqlAttacks(attack);
        const succeeded = await findUnrefused(send(statements, (sql) => client.query(sql)));
        expect([attacker, victim, succeeded]).toEqual([attacker, victim, []]);
        tried += statements.length;
        const ask = async (sql: string): Promise<unknown[]> =>
          (await client.query<RowDataPacket[]>(sql))[0].map((row) => Object.values(row)[0]);
        expect(await ask('SHOW DATABASES')).not.toContain(attack.other);
        expect(await ask(`SELECT COUNT(*) FROM information_schema.TABLES WHERE TABLE_SCHEMA = '${attack.other}'`)).toEqual([0]);
        expect(await ask(`SELECT COUNT(*) FROM information_schema.PROCESSLIST WHERE USER = '${attack.otherLogin}'`)).toEqual([0]);
        expect(await ask(`SELECT LOAD_FILE('/etc/hostname')`)).toEqual([null]);
        await client.query(`INSERT INTO things (value) VALUES ('mine')`);
        await client.query('CALL peek()');
        expect((await other.query<RowDataPacket[]>(`SELECT COUNT(*) AS n FROM things WHERE value = 'precious'`))[0]).toMatchObject([
          { n: 1 },
        ]);
      } finally {
        client.destroy();
        other.destroy();
      }
    }
    task.meta.points = { tried, converged: tried };
    expect(await queryMysql(server.url, `SELECT Db FROM mysql.db WHERE User = '${await fleet.loginOf('a_b')}'`)).toEqual([
      { Db: fleet.nameOf('a_b').replaceAll('_', '\\_') },
    ]);
  });
});
