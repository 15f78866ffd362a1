import { describe, expect, it } from 'vitest';
import { historyDigest } from '../../src/migrations/history-digest.js';
import type { TenantDb } from '../../src/migrations/migration.js';
import {
  applyOptions,
  counted,
  moduleMigration,
  type SessionSetting,
  sqlMigration,
  type TestSession,
  useTenantDatabase,
} from './migrate-rig.js';

describe('migrations as modules', () => {
  const tenants = useTenantDatabase('18');

  async function inTenant(setting: Partial<SessionSetting>, use: (session: TestSession, schema: string) => Promise<void>): Promise<void> {
    const schema = await tenants.newSchema();
    await tenants.withSession({ schema, ...setting }, async (session) => {
      await session.applyMigrations([counted('a')], applyOptions());
      await use(session, schema);
    });
  }

  const afterA = (): ReturnType<typeof applyOptions> => applyOptions({ expectedDigest: historyDigest([counted('a')]) });
  const names = async (session: TestSession): Promise<string[]> => (await session.readHistory()).applied.map(({ name }) => name);

  it('run among scripts, in a transaction of their own with their history row', async () => {
    await inTenant({}, async (session) => {
      const module = moduleMigration('b', async (db: TenantDb, { tenant, log }) => {
        await db.query('INSERT INTO counts VALUES ($1, 1)', ['b']);
        const { rows } = await db.query<{ n: number }>('SELECT count(*)::int AS n FROM counts');
        log(`${tenant} ${rows[0]?.n}`);
      });
      const options = afterA();
      await session.applyMigrations([module, sqlMigration('c', `INSERT INTO counts VALUES ('c', 1)`)], options);
      expect(options.logged).toEqual(['acme 2']);
      expect(await names(session)).toEqual(['a', 'b', 'c']);
    });
  });

  it.each<[string, unknown, RegExp]>([
    ['an Error', new TypeError('no'), /migration b: TypeError: no/],
    ['a string', 'no', /migration b: it threw "no", which is not an Error/],
    ['nothing', undefined, /migration b: it threw undefined/],
  ])('leave nothing behind when they throw %s', async (_, thrown, message) => {
    await inTenant({}, async (session, schema) => {
      const module = moduleMigration('b', async (db: TenantDb) => {
        await db.query(`INSERT INTO counts VALUES ('b', 1)`);
        throw thrown;
      });
      await expect(session.applyMigrations([module], afterA())).rejects.toThrow(message);
      expect(await names(session)).toEqual(['a']);
      expect(await tenants.database.query(`SELECT name FROM ${schema}.counts`)).toEqual([{ name: 'a' }]);
    });
  });

  it('may not end the transaction, nor hide that it failed', async () => {
    await inTenant({}, async (session) => {
      const committing = moduleMigration('b', async (db: TenantDb) => {
        await db.query('COMMIT');
      });
      await expect(session.applyMigrations([committing], afterA())).rejects.toThrow(/COMMIT is refused/);
      const hiding = moduleMigration('b', async (db: TenantDb) => {
        await db.query('SELECT 1/0').catch(() => {});
      });
      await expect(session.applyMigrations([hiding], afterA())).rejects.toThrow(/a query of it had failed.*division by zero/);
      const escaping = moduleMigration('b', async () => {
        await session.client.query('COMMIT');
      });
      await expect(session.applyMigrations([escaping], afterA())).rejects.toThrow(/it ended the transaction/);
      expect(await names(session)).toEqual(['a']);
    });
  });

  it('lose their db when they are over', async () => {
    await inTenant({}, async (session) => {
      let late: Promise<unknown> = Promise.resolve();
      const module = moduleMigration('b', async (db: TenantDb) => {
        late = new Promise((resolve) => setTimeout(resolve, 50)).then(() => db.query('DROP TABLE counts'));
        late.catch(() => {});
      });
      await session.applyMigrations([module], afterA());
      await expect(late).rejects.toThrow(/the migration is over/);
    });
  });

  it('end when the signal says so', async () => {
    const abort = new AbortController();
    await inTenant({ signal: abort.signal }, async (session) => {
      const endless = moduleMigration('b', () => {
        abort.abort(new Error('enough'));
        return new Promise(() => {});
      });
      await expect(session.applyMigrations([endless], afterA())).rejects.toThrow(/enough/);
      await session.client.query('ROLLBACK');
      expect(await names(session)).toEqual(['a']);
    });
  });

  it('run outside of a transaction when they ask for it, and again after a failure', async () => {
    await inTenant({}, async (session, schema) => {
      let isBroken = true;
      const module = moduleMigration(
        'b',
        async (db: TenantDb) => {
          await db.query(`INSERT INTO counts VALUES ('b', 1)`);
          if (isBroken) throw new Error('half way');
        },
        false,
      );
      await expect(session.applyMigrations([module], afterA())).rejects.toThrow(/half way/);
      expect(await session.readHistory()).toMatchObject({ progress: { name: 'b', state: 'between' } });
      isBroken = false;
      await session.applyMigrations([module], afterA());
      expect(await session.readHistory()).toMatchObject({ progress: null, applied: [{ name: 'a' }, { name: 'b' }] });
      expect(await tenants.database.query(`SELECT name FROM ${schema}.counts ORDER BY 1`)).toHaveLength(3);
    });
  });

  it('are unknown when they were interrupted outside of a transaction', async () => {
    await inTenant({}, async (session, schema) => {
      const module = moduleMigration('b', async () => {}, false);
      await tenants.database.query(
        `INSERT INTO ${schema}._tenancy_state (type, name, checksum, statements_done, statement) VALUES ('progress', 'b', '${module.checksum}', 0, 'started')`,
      );
      await expect(session.applyMigrations([module], afterA())).rejects.toMatchObject({ code: 'TENANCY_MIGRATION_UNKNOWN' });
      await session.resolveProgress('applied');
      await session.applyMigrations([module], afterA());
      expect(await names(session)).toEqual(['a', 'b']);
    });
  });
});
