import { startMongoDeployment } from '../rig/mongodb/deployment.js';
import { describeCutSweep } from './cut-sweep-suite.js';
import { deprovision, migrate, provision, purge, retain, undelete, withLogins } from './fixtures.js';
import { completeMongodb, isolatedMongodb, pendingMongodb } from './fixtures-mongodb.js';

const driver = 'mongodb-database';

describeCutSweep({
  startServer: () => startMongoDeployment(),
  swept: [
    ...[provision, deprovision, retain, undelete, purge].map((command) => ({ driver, command, project: completeMongodb }) as const),
    { driver, command: migrate, project: pendingMongodb },
    ...withLogins('0001_accounts').map((command) => ({ driver, command, project: isolatedMongodb }) as const),
  ],
});
