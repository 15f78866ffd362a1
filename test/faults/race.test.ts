import { startPrivateServer } from '../rig/private-server.js';
import { byDriver, complete, deprovision, firstProvision, migrate, pending, provision, purge, retain, undelete } from './fixtures.js';
import { describeRace } from './race-suite.js';

describeRace({
  startServer: () => startPrivateServer('18'),
  swept: [
    ...byDriver([firstProvision, provision, migrate, deprovision]).map((each) => ({ ...each, project: pending })),
    ...byDriver([retain, undelete, purge]).map((each) => ({ ...each, project: complete })),
  ],
});
