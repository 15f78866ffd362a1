import { startPrivateServer } from '../rig/private-server.js';
import { byDriver, complete, deprovision, isolated, migrate, nextLife, pending, provision, retain, undelete, wayBack } from './fixtures.js';
import { describeZombie } from './zombie-suite.js';

const swept = [
  ...byDriver([provision, migrate, deprovision]).map((each) => ({ ...each, project: pending })),
  ...byDriver([retain, undelete]).map((each) => ({ ...each, project: complete })),
];
const dropsBy = /DROP SCHEMA/;
const drops = { request: dropsBy, phase: 'before' } as const;
const retains = { request: /RENAME TO "?tenancy_retained/, phase: 'before' } as const;
const inSchema = { driver: 'postgres-schema', project: isolated } as const;
const overtaken = [
  { ...inSchema, what: 'drop the login', command: deprovision, stopsAt: drops, meanwhile: nextLife },
  { ...inSchema, what: 'close the home', command: retain, stopsAt: retains, meanwhile: wayBack },
];
// One of three: before and after take turns. What a stop comes to hardly differs from one request to the next, and each waits for a lease to run out.
describeZombie({ startServer: () => startPrivateServer('18'), swept }, { dropsBy, oneOf: 3, overtaken });
