import { openRegistry } from '../../src/registry/index.js';
import { createMongodbSubject } from './registry-mongodb-rig.js';
import { describeRegistry } from './registry-suite.js';

describeRegistry('the registry on MongoDB', async () => {
  const { url, applicationName, drop } = await createMongodbSubject();
  return {
    url,
    open: (options) => openRegistry({ url, create: false, applicationName, ...options }),
    drop,
  };
});
