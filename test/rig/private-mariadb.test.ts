import { existsSync } from 'node:fs';
import path from 'node:path';
import { createConnection } from 'mysql2/promise';
import { expect, test } from 'vitest';
import { createTestMysql, mysqlServer, queryMysql } from './mysql.js';
import { startPrivateMariadb } from './private-mariadb.js';
import { describeOn } from './require.js';

describeOn('mariadb', () => {
  test('a database is made, used and dropped, with the databases and users called after it', async () => {
    const database = await createTestMysql();
    const [row] = await database.query<{ db: string; sum: number }>('SELECT database() AS db, 1 + ? AS sum', [2]);
    expect(row).toEqual({ db: database.name, sum: 3 });
    await database.query(`CREATE DATABASE \`${database.name}_tenant\``);
    await database.query(`CREATE USER '${database.name}_app'@'%' IDENTIFIED BY 'x'`);
    await database.drop();
    const { url } = await mysqlServer();
    expect(await queryMysql(url, 'SHOW DATABASES LIKE ?', [`${database.name}%`])).toEqual([]);
    expect(await queryMysql(url, 'SELECT user FROM mysql.user WHERE user LIKE ?', [`${database.name}%`])).toEqual([]);
  });

  test('dropping a database that a client is connected to fails, and drops it all the same', async () => {
    const database = await createTestMysql();
    const connection = await createConnection({ uri: database.url });
    connection.on('error', () => undefined);
    await expect(database.drop()).rejects.toThrow(/1 connections leaked[^]*root/);
    await expect(queryMysql(database.url, 'SELECT 1')).rejects.toThrow('Unknown database');
    connection.destroy();
  });

  test('a server with other settings is started beside the shared one, and leaves no folder', async () => {
    const server = await startPrivateMariadb({ log_bin: 'binlog', server_id: '1' });
    expect(await queryMysql(server.url, 'SELECT @@log_bin AS logged')).toEqual([{ logged: 1 }]);
    expect((await mysqlServer()).url).not.toBe(server.url);
    expect(existsSync(server.log)).toBe(true);
    await server.stop();
    expect(existsSync(path.dirname(server.log))).toBe(false);
  });
});
