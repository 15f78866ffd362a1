import { startMongoDeployment } from '../rig/mongodb/deployment.js';
import { describeDoubleCrash } from './double-crash-suite.js';
import { deprovision, firstProvision, migrate, nextLife, provision, retain, undelete, wayBack } from './fixtures.js';
import { completeMongodb, isolatedMongodb, pendingMongodb } from './fixtures-mongodb.js';
import { describeRace } from './race-suite.js';
import { isWholeSweep } from './sweep.js';
import { describeZombie } from './zombie-suite.js';

const driver = 'mongodb-database';
const project = pendingMongodb;
const startServer = () => startMongoDeployment();
const swept = [provision, migrate, deprovision].map((command) => ({ driver, command, project }) as const);

describeDoubleCrash({ startServer, swept }, { pairs: 2 });
describeRace({ startServer, swept: [firstProvision, migrate, deprovision].map((command) => ({ driver, command, project }) as const) });
// A login of its own is taken in the drop itself, where its users are looked for once more.
const dropsUsers = { request: /^usersInfo/, behind: /^update _tenancy$/, phase: 'before' } as const;
const retains = { request: /^update _tenancy$/, phase: 'before' } as const;
const isolated = { driver, project: isolatedMongodb } as const;
const overtaken = [
  { ...isolated, what: 'drop the login', command: deprovision, stopsAt: dropsUsers, meanwhile: nextLife },
  { ...isolated, what: 'close the home', command: retain, stopsAt: retains, meanwhile: wayBack },
];
// A sample has enough with the others, whose steps are the same.
const kept = (isWholeSweep ? [retain, undelete] : [retain]).map((command) => ({ driver, command, project: completeMongodb }) as const);
// MongoDB drops whatever has the name when a drop arrives: what was sent can't be recalled, so it is stopped before that.
describeZombie({ startServer, swept: [...swept, ...kept] }, { dropsBy: /^usersInfo/, oneOf: 3, overtaken });
