import { startPrivateServer } from '../rig/private-server.js';
import { byDriver, deprovision, firstProvision, migrate, pending, provision } from './fixtures.js';
import { describeRace } from './race-suite.js';

describeRace({
  startServer: () => startPrivateServer('18'),
  swept: byDriver([firstProvision, provision, migrate, deprovision]).map((each) => ({ ...each, project: pending })),
});
