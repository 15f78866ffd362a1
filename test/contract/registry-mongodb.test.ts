import { openRegistry } from '../../src/registry/index.js';
import { createMongodbSubject } from './registry-mongodb-rig.js';
import { describeRegistry } from './registry-suite.js';
import { tamperMongodb } from './registry-tamper.js';

describeRegistry('the registry on MongoDB', async () => {
  const { url, database, applicationName, drop } = await createMongodbSubject();
  return {
    url,
    open: (options) => openRegistry({ url, create: false, applicationName, ...options }),
    tamper: tamperMongodb(url, database),
    drop,
  };
});
