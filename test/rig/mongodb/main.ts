// Starts the stand-in alone: `node node_modules/jiti/lib/jiti-cli.mjs test/rig/mongodb/main.ts [--port N] [--skew-ms N]`.
// TENANCY_STAND_IN_ROOT=user:password makes the first user. Prints its URL on a line, and ends with its standard input.
import process from 'node:process';
import { parseArgs } from 'node:util';
import { startStandIn } from './server.js';

const { values } = parseArgs({ options: { port: { type: 'string', default: '0' }, 'skew-ms': { type: 'string', default: '0' } } });
const [user, password] = process.env['TENANCY_STAND_IN_ROOT']?.split(':') ?? [];
const standIn = await startStandIn({
  port: Number(values.port),
  skewMs: Number(values['skew-ms']),
  ...(user === undefined || password === undefined ? {} : { root: { user, password } }),
});
process.stdout.write(`${standIn.url}\n`);
process.stdin.resume().once('end', () => {
  void standIn.stop().then(() => process.exit(0));
});
