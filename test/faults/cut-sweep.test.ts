import { startPrivateServer } from '../rig/private-server.js';
import { describeCutSweep } from './cut-sweep-suite.js';
import {
  byDriver,
  complete,
  deprovision,
  isolated,
  isolatedCommands,
  migrate,
  pending,
  pooled,
  poolProvision,
  provision,
  purge,
  retain,
  templated,
  templateProvision,
  undelete,
} from './fixtures.js';

describeCutSweep({
  startServer: () => startPrivateServer('18'),
  swept: [
    { driver: 'postgres-database', command: templateProvision, project: templated },
    ...byDriver([provision, deprovision, retain, undelete, purge]).map((swept) => ({ ...swept, project: complete })),
    ...byDriver([migrate]).map((swept) => ({ ...swept, project: pending })),
    ...byDriver([poolProvision]).map((swept) => ({ ...swept, project: pooled })),
    ...byDriver(isolatedCommands).map((swept) => ({ ...swept, project: isolated })),
  ],
});
