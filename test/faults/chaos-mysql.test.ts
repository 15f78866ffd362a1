import { mysqlServer } from '../rig/mysql.js';
import { describeOn } from '../rig/require.js';
import { describeChaos } from './chaos-suite.js';

describeOn('mariadb', () => {
  describeChaos('mysql-database', async () => ({ url: (await mysqlServer()).url, stop: async () => undefined }));
});
