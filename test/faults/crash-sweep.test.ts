import { startPrivateServer } from '../rig/private-server.js';
import {
  byDriver,
  complete,
  deprovision,
  firstProvision,
  migrate,
  pending,
  pooled,
  poolProvision,
  provision,
  templated,
  templateProvision,
} from './fixtures.js';
import { describeCrashSweep } from './sweep-suite.js';

describeCrashSweep({
  startServer: () => startPrivateServer('18'),
  swept: [
    { driver: 'postgres-schema', command: firstProvision, project: complete },
    { driver: 'postgres-database', command: templateProvision, project: templated },
    ...byDriver([provision, deprovision]).map((swept) => ({ ...swept, project: complete })),
    ...byDriver([migrate]).map((swept) => ({ ...swept, project: pending })),
    ...byDriver([poolProvision]).map((swept) => ({ ...swept, project: pooled })),
  ],
});
