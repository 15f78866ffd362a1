import { afterAll, beforeAll, describe, it } from 'vitest';
import { checkInvariants } from '../rig/check-invariants.js';
import { startMongoDeployment } from '../rig/mongodb/deployment.js';
import { startPrivateMariadb } from '../rig/private-mariadb.js';
import { startPrivateServer } from '../rig/private-server.js';
import { describeOn } from '../rig/require.js';
import { createSandboxProject, type Sandbox, type SandboxDriver, type SandboxProject } from '../rig/sandbox.js';
import { withMongo } from '../rig/sandbox-mongodb.js';
import { readRun } from './read-run.js';

interface Case {
  readonly driver: SandboxDriver;
  readonly what: string;
  readonly migrations: Readonly<Record<string, string>>;
  readonly prepared: string;
  /** The request after which nobody can tell how far it got. */
  readonly doubtful: RegExp;
  startServer(): Promise<{ readonly url: string; stop(): Promise<void> }>;
  /** How often what is in doubt has left its row. */
  count(sandbox: Sandbox): Promise<number>;
}

const MIGRATE = ['tenant', 'migrate', 'acme', '--json'];

/** Killed before it got there, or after it was done: both look the same, so that a person has to look. */
function describeCase({ driver, what, migrations, prepared, doubtful, startServer, count }: Case): void {
  describe(`4 unprobeable step: ${what} by ${driver}`, { timeout: 300_000 }, () => {
    let server: { readonly url: string; stop(): Promise<void> };
    let project: SandboxProject;
    beforeAll(async () => {
      [server, project] = await Promise.all([startServer(), createSandboxProject({ migrations, before: [prepared] })]);
    });
    afterAll(() => Promise.all([project?.remove(), server?.stop()]));

    it.concurrent.for([
      { phase: 'before', answer: '--rerun', done: 0 },
      { phase: 'after', answer: '--applied', done: 1 },
    ] as const)(
      'killed $phase it is told as unknown, is not run again, and $answer settles it',
      async ({ phase, answer, done }, { expect }) => {
        const sandbox = await project.open(server.url, driver);
        try {
          await sandbox.prepare(['acme']);
          const proxy = await sandbox.openProxy();
          const killed = await proxy.crash(() => sandbox.startThrough(proxy, MIGRATE), { request: doubtful, phase });
          expect(killed.isKilled, killed.output).toBe(true);
          await sandbox.expireLeases();
          for (let run = 1; run <= 2; run++) {
            const again = readRun(await sandbox.run(MIGRATE));
            expect(again.finished).toMatchObject({
              exitCode: 1,
              counts: { unknown: 1, applied: 0 },
              failed: [
                { outcome: 'unknown', error: { code: 'TENANCY_MIGRATION_UNKNOWN', hint: expect.stringContaining('tenant repair acme') } },
              ],
            });
            expect(await count(sandbox)).toBe(done);
          }
          const undecided = readRun(await sandbox.run(['tenant', 'repair', 'acme', '--json']));
          expect(undecided.finished).toMatchObject({ exitCode: 4, failed: [{ error: { code: 'TENANCY_REPAIR_UNDECIDED' } }] });
          const repaired = await sandbox.run(['tenant', 'repair', 'acme', answer]);
          expect(repaired.exitCode, repaired.stderr).toBe(0);
          expect(readRun(await sandbox.run(MIGRATE)).finished).toMatchObject({ exitCode: 0, counts: { applied: 1 } });
          expect(await count(sandbox)).toBe(1);
          await checkInvariants({ adminUrl: sandbox.url, registryUrl: sandbox.url });
        } finally {
          await sandbox.drop();
        }
      },
    );
  });
}

describeCase({
  driver: 'postgres-schema',
  what: 'a procedure that commits',
  migrations: {
    '0001_procedure.sql': `CREATE TABLE counts (name text NOT NULL);
INSERT INTO counts VALUES ('0001_procedure');
CREATE PROCEDURE charge() LANGUAGE plpgsql AS $$ BEGIN INSERT INTO counts VALUES ('0002_call#1'); COMMIT; END $$;
`,
    '0002_call.sql': `-- tenancy: no-transaction
CALL charge();
INSERT INTO counts VALUES ('0002_call');
`,
  },
  prepared: '0001_procedure.sql',
  doubtful: /CALL charge/,
  startServer: () => startPrivateServer('18'),
  count: async (sandbox) => (await sandbox.query(`SELECT FROM tenant_acme.counts WHERE name = '0002_call#1'`)).length,
});

describeOn('mariadb', () => {
  describeCase({
    driver: 'mysql-database',
    what: 'a module without a transaction',
    migrations: {
      '0001_counts.sql': `CREATE TABLE counts (name varchar(100) NOT NULL);\nINSERT INTO counts VALUES ('0001_counts');\n`,
      '0002_module.mjs': `export async function up(db) {
  await db.query("INSERT INTO counts VALUES ('0002_module')");
}
`,
    },
    prepared: '0001_counts.sql',
    doubtful: /^INSERT INTO counts VALUES \('0002_module'\)/,
    startServer: () => startPrivateMariadb(),
    count: async (sandbox) => (await sandbox.query(`SELECT 1 FROM \`${sandbox.name}_acme\`.counts WHERE name = '0002_module'`)).length,
  });
});

describeCase({
  driver: 'mongodb-database',
  what: 'a module without a transaction',
  migrations: {
    '0001_counts.mjs': `export const transaction = true;
export const up = (db, { session }) => db.collection('counts').insertOne({ name: '0001_counts' }, { session });
`,
    '0002_module.mjs': `export const up = (db) => db.collection('counts').insertOne({ name: '0002_module' });\n`,
  },
  prepared: '0001_counts.mjs',
  doubtful: /^insert counts/,
  startServer: () => startMongoDeployment(),
  count: (sandbox) =>
    withMongo(sandbox.url, (client) => client.db(`${sandbox.name}_acme`).collection('counts').countDocuments({ name: '0002_module' })),
});
