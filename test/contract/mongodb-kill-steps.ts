import type { ClientSession, Db } from 'mongodb';
import type { LocalMigration, MigrationScript } from '../../src/migrations/migration.js';

/** One without a transaction, one with, one that bears to be run again: each leaves a document that a second time would show. */
export function killSteps(): readonly LocalMigration[] {
  return [step('alone', {}), step('together', { requestsTransaction: true }), step('again', { isRerunnable: true })];
}

function step(
  name: string,
  flags: Pick<Extract<MigrationScript, { type: 'module' }>, 'requestsTransaction' | 'isRerunnable'>,
): LocalMigration {
  const file = `migrations/${name}.ts`;
  const up: MigrationScript = {
    type: 'module',
    file,
    isTransactional: true,
    ...flags,
    run: async (db, context) => {
      const counts = (db as Db).collection('counts');
      const { session } = context as unknown as { session: ClientSession };
      if (flags.isRerunnable === true) await counts.updateOne({ name }, { $set: { name } }, { upsert: true });
      else if (flags.requestsTransaction === true) await counts.insertOne({ name }, { session });
      else await counts.insertOne({ name });
    },
  };
  return { name, file, checksum: name, up, down: null };
}
