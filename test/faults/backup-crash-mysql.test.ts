import { queryMysql } from '../rig/mysql.js';
import { startPrivateMariadb } from '../rig/private-mariadb.js';
import { describeOn } from '../rig/require.js';
import { commandsAt, configExtra, describeBackups, removal, sweptBy } from './backup-crash-suite.js';
import { completeMysql } from './fixtures-mysql.js';
import { isWholeSweep } from './sweep.js';

describeOn('mariadb', () => {
  describeOn('mariadb-client', () => {
    const project = { ...completeMysql, configExtra };
    const { backup, givenUp, restore, copy } = commandsAt('0006_notes');
    describeBackups({
      startServer: () => startPrivateMariadb(),
      swept: sweptBy('mysql-database', project, isWholeSweep ? [backup, givenUp, restore, copy, removal] : [restore, removal]),
      findLeft: async (url) => {
        const users = await queryMysql<{ name: string }>(
          url,
          `SELECT User AS name FROM mysql.user WHERE User NOT IN ('root', 'mysql', 'mariadb.sys', 'PUBLIC', '')`,
        );
        return users.map(({ name }) => name);
      },
    });
  });
});
