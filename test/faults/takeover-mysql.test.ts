import { startPrivateMariadb } from '../rig/private-mariadb.js';
import { describeOn } from '../rig/require.js';
import { describeDoubleCrash } from './double-crash-suite.js';
import { deprovision, firstProvision, migrate, provision } from './fixtures.js';
import { isolatedMysql, pendingMysql } from './fixtures-mysql.js';
import { describeRace } from './race-suite.js';
import { describeZombie } from './zombie-suite.js';

const driver = 'mysql-database';
const project = pendingMysql;
const startServer = () => startPrivateMariadb();
const dropsBy = /DROP DATABASE/;
const swept = [provision, migrate, deprovision].map((command) => ({ driver, command, project }) as const);

describeOn('mariadb', () => {
  describeDoubleCrash({ startServer, swept }, { pairs: 2 });
  describeRace({ startServer, swept: [firstProvision, migrate, deprovision].map((command) => ({ driver, command, project }) as const) });
  describeZombie(
    { startServer, swept },
    { dropsBy, nextLives: [{ driver, project: isolatedMysql, what: 'its login', stopsAt: { request: dropsBy, phase: 'before' } }] },
  );
});
