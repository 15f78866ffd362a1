import { startPrivateServer } from '../rig/private-server.js';
import { describeChaos } from './chaos-suite.js';

describeChaos('postgres-schema', () => startPrivateServer('18'));
