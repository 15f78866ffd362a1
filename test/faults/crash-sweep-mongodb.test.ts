import { startMongoDeployment } from '../rig/mongodb/deployment.js';
import { deprovision, firstProvision, migrate, provision, purge, retain, undelete, withLogins } from './fixtures.js';
import { completeMongodb, isolatedMongodb, pendingMongodb } from './fixtures-mongodb.js';
import { isWholeSweep } from './sweep.js';
import { describeCrashSweep } from './sweep-suite.js';

const driver = 'mongodb-database';

describeCrashSweep({
  startServer: () => startMongoDeployment(),
  swept: [
    { driver, command: firstProvision, project: completeMongodb },
    { driver, command: provision, project: completeMongodb },
    { driver, command: migrate, project: pendingMongodb },
    { driver, command: deprovision, project: completeMongodb },
    // A sample has enough with the others, whose steps are the same.
    ...(isWholeSweep ? [retain, undelete, purge] : []).map((command) => ({ driver, command, project: completeMongodb }) as const),
    ...withLogins('0001_accounts').map((command) => ({ driver, command, project: isolatedMongodb }) as const),
  ],
});
