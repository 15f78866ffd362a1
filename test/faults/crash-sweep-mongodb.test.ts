import { startMongoDeployment } from '../rig/mongodb/deployment.js';
import { deprovision, firstProvision, migrate, provision } from './fixtures.js';
import { completeMongodb, pendingMongodb } from './fixtures-mongodb.js';
import { describeCrashSweep } from './sweep-suite.js';

const driver = 'mongodb-database';

describeCrashSweep({
  startServer: () => startMongoDeployment(),
  swept: [
    { driver, command: firstProvision, project: completeMongodb },
    { driver, command: provision, project: completeMongodb },
    { driver, command: migrate, project: pendingMongodb },
    { driver, command: deprovision, project: completeMongodb },
  ],
});
