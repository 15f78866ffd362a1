import { startPrivateMariadb } from '../rig/private-mariadb.js';
import { describeOn } from '../rig/require.js';
import { describeDoubleCrash } from './double-crash-suite.js';
import { deprovision, firstProvision, migrate, nextLife, provision, retain, undelete, wayBack } from './fixtures.js';
import { completeMysql, isolatedMysql, pendingMysql } from './fixtures-mysql.js';
import { describeRace } from './race-suite.js';
import { describeZombie } from './zombie-suite.js';

const driver = 'mysql-database';
const project = pendingMysql;
const startServer = () => startPrivateMariadb();
const dropsBy = /DROP DATABASE/;
const isolated = { driver, project: isolatedMysql } as const;
const drops = { request: dropsBy, phase: 'before' } as const;
const retains = { request: /_tenancy\.homes\b.*'retained'/, phase: 'before' } as const;
const overtaken = [
  { ...isolated, what: 'drop the login', command: deprovision, stopsAt: drops, meanwhile: nextLife },
  { ...isolated, what: 'close the home', command: retain, stopsAt: retains, meanwhile: wayBack },
];
const swept = [provision, migrate, deprovision].map((command) => ({ driver, command, project }) as const);

const kept = [retain, undelete].map((command) => ({ driver, command, project: completeMysql }) as const);

describeOn('mariadb', () => {
  describeDoubleCrash({ startServer, swept }, { pairs: 2 });
  describeRace({ startServer, swept: [firstProvision, migrate, deprovision].map((command) => ({ driver, command, project }) as const) });
  describeZombie({ startServer, swept: [...swept, ...kept] }, { dropsBy, oneOf: 3, overtaken });
});
