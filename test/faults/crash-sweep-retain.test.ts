import { startPrivateServer } from '../rig/private-server.js';
import { byDriver, complete, purge, retain, undelete } from './fixtures.js';
import { describeCrashSweep } from './sweep-suite.js';

describeCrashSweep({
  startServer: () => startPrivateServer('18'),
  swept: byDriver([retain, undelete, purge]).map((swept) => ({ ...swept, project: complete })),
});
