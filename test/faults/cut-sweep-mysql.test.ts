import { startPrivateMariadb } from '../rig/private-mariadb.js';
import { describeOn } from '../rig/require.js';
import { describeCutSweep } from './cut-sweep-suite.js';
import { deprovision, migrate, provision, purge, retain, undelete, withLogins } from './fixtures.js';
import { completeMysql, isolatedMysql, pendingMysql } from './fixtures-mysql.js';

const driver = 'mysql-database';

describeOn('mariadb', () => {
  describeCutSweep({
    startServer: () => startPrivateMariadb(),
    swept: [
      ...[provision, deprovision, retain, undelete, purge].map((command) => ({ driver, command, project: completeMysql }) as const),
      { driver, command: migrate, project: pendingMysql },
      ...withLogins('0001_accounts').map((command) => ({ driver, command, project: isolatedMysql }) as const),
    ],
  });
});
