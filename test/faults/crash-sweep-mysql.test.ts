import { startPrivateMariadb } from '../rig/private-mariadb.js';
import { describeOn } from '../rig/require.js';
import { deprovision, firstProvision, migrate, provision, purge, retain, undelete, withLogins } from './fixtures.js';
import { completeMysql, isolatedMysql, pendingMysql } from './fixtures-mysql.js';
import { isWholeSweep } from './sweep.js';
import { describeCrashSweep } from './sweep-suite.js';

const driver = 'mysql-database';

describeOn('mariadb', () => {
  describeCrashSweep({
    startServer: () => startPrivateMariadb(),
    swept: [
      { driver, command: firstProvision, project: completeMysql },
      { driver, command: provision, project: completeMysql },
      { driver, command: migrate, project: pendingMysql },
      { driver, command: deprovision, project: completeMysql },
      ...(isWholeSweep ? [retain, undelete, purge] : [retain]).map((command) => ({ driver, command, project: completeMysql }) as const),
      ...withLogins('0001_accounts').map((command) => ({ driver, command, project: isolatedMysql }) as const),
    ],
  });
});
