import { openRegistry } from '../../src/registry/index.js';
import { createTestMysql } from '../rig/mysql.js';
import { describeOn } from '../rig/require.js';
import { describeRegistry } from './registry-suite.js';
import { tamperMysql } from './registry-tamper.js';

describeOn('mariadb', () => {
  describeRegistry('the registry on MariaDB', async () => {
    const database = await createTestMysql();
    return {
      url: database.url,
      open: (options) => openRegistry({ url: database.url, create: false, applicationName: 'tenancy-test', ...options }),
      tamper: tamperMysql((sql) => database.query(sql)),
      drop: () => database.drop(),
    };
  });
});
