import { startPrivateMariadb } from '../rig/private-mariadb.js';
import { describeOn } from '../rig/require.js';
import { deprovision, firstProvision, migrate, provision } from './fixtures.js';
import { completeMysql, pendingMysql } from './fixtures-mysql.js';
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
    ],
  });
});
