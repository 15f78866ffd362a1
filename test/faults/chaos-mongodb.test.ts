import { createOwnTestMongo } from '../rig/mongodb.js';
import { describeOn } from '../rig/require.js';
import { describeChaos } from './chaos-suite.js';

describeOn('mongodb', () => {
  describeChaos('mongodb-database', async () => {
    const own = await createOwnTestMongo();
    return { url: own.url, stop: () => own.drop() };
  });
});
