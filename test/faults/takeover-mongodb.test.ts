import { startMongoDeployment } from '../rig/mongodb/deployment.js';
import { describeDoubleCrash } from './double-crash-suite.js';
import { deprovision, firstProvision, migrate, provision } from './fixtures.js';
import { isolatedMongodb, pendingMongodb } from './fixtures-mongodb.js';
import { describeRace } from './race-suite.js';
import { describeZombie } from './zombie-suite.js';

const driver = 'mongodb-database';
const project = pendingMongodb;
const startServer = () => startMongoDeployment();
const swept = [provision, migrate, deprovision].map((command) => ({ driver, command, project }) as const);

describeDoubleCrash({ startServer, swept }, { pairs: 2 });
describeRace({ startServer, swept: [firstProvision, migrate, deprovision].map((command) => ({ driver, command, project }) as const) });
// A login of its own is taken in the drop itself, where its users are looked for once more.
const nextLives = [
  { driver, project: isolatedMongodb, what: 'its login', stopsAt: { request: /^usersInfo/, behind: /^update _tenancy$/, phase: 'before' } },
] as const;
// MongoDB drops whatever has the name when a drop arrives: what was sent can't be recalled, so it is stopped before that.
// The stand-in is one process of JavaScript, and slower than a server: each point there takes an hour.
describeZombie({ startServer, swept }, { dropsBy: /^usersInfo/, oneOf: 5, nextLives });
