import { startPrivateServer } from '../rig/private-server.js';
import { byDriver, deprovision, migrate, pending, provision } from './fixtures.js';
import { describeZombie } from './zombie-suite.js';

const swept = byDriver([provision, migrate, deprovision]).map((each) => ({ ...each, project: pending }));
describeZombie({ startServer: () => startPrivateServer('18'), swept }, { dropsBy: /DROP SCHEMA/ });
