/** @param {import('mongodb').Db} db */
export async function up(db) {
  await db.collection('plans').updateOne({ _id: 'free' }, { $set: { seats: 3 } }, { upsert: true });
}

/** @param {import('mongodb').Db} db */
export async function down(db) {
  await db.collection('plans').deleteOne({ _id: 'free' });
}
