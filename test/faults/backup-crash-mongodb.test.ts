import { startMongoDeployment } from '../rig/mongodb/deployment.js';
import { commandsAt, configExtra, describeBackups, removal, sweptBy } from './backup-crash-suite.js';
import { completeMongodb } from './fixtures-mongodb.js';
import { isWholeSweep } from './sweep.js';

const { backup, givenUp, restore, copy } = commandsAt('0006_notes');

describeBackups({
  startServer: () => startMongoDeployment(),
  swept: sweptBy(
    'mongodb-database',
    { ...completeMongodb, configExtra },
    isWholeSweep ? [backup, givenUp, restore, copy, removal] : [restore, removal],
  ),
  findLeft: async () => [],
});
