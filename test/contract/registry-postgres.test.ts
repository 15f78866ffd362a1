import { openRegistry } from '../../src/registry/index.js';
import { createTestDatabase } from '../rig/postgres.js';
import { describeRegistry } from './registry-suite.js';
import { tamperPostgres } from './registry-tamper.js';

for (const version of ['15', '18'] as const) {
  describeRegistry(`the registry on PostgreSQL ${version}`, async () => {
    const database = await createTestDatabase(version);
    return {
      url: database.url,
      open: (options) => openRegistry({ url: database.url, create: false, applicationName: 'tenancy-test', ...options }),
      tamper: tamperPostgres((sql) => database.query(sql)),
      drop: () => database.drop(),
    };
  });
}
