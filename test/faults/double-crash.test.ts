import { startPrivateServer } from '../rig/private-server.js';
import { describeDoubleCrash } from './double-crash-suite.js';
import { byDriver, deprovision, migrate, pending, provision } from './fixtures.js';

const swept = byDriver([provision, migrate, deprovision]).map((each) => ({ ...each, project: pending }));
describeDoubleCrash({ startServer: () => startPrivateServer('18'), swept }, { pairs: 6 });
