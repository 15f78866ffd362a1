/** @param {import('mongodb').Db} db */
export async function up(db) {
  await db.createCollection('accounts');
  await db.collection('accounts').createIndex({ email: 1 }, { unique: true });
}

/** @param {import('mongodb').Db} db */
export async function down(db) {
  await db.dropCollection('accounts');
}
