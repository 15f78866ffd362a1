import { Decimal128, Double, Int32, Long, MongoBulkWriteError, ObjectId } from 'mongodb';
import { expect, test } from 'vitest';
import { codeOf, useMongo } from './mongodb-scene.js';

const scene = useMongo();

test('values keep their types', async () => {
  const values = {
    i: new Int32(1),
    d: new Double(1),
    l: Long.fromString('9007199254740993'),
    e: Decimal128.fromString('1.10'),
    o: new ObjectId(),
    n: null,
  };
  const raw = scene.db.collection('values', { promoteValues: false });
  await raw.insertOne({ ...values });
  expect(await raw.findOne({}, { projection: { _id: 0 } })).toEqual(values);
  const found = scene.db.collection('values');
  for (const [name, type] of Object.entries({ i: 'int', d: 'double', l: 'long', e: 'decimal', o: 'objectId', n: 'null' })) {
    expect(await found.countDocuments({ [name]: { $type: type } })).toBe(1);
  }
  expect(await found.countDocuments({ i: 1, d: new Int32(1), l: { $gt: Long.fromString('9007199254740992') } })).toBe(1);
});

test('filters compare by type, look into arrays and documents, and refuse what they do not know', async () => {
  const items = scene.db.collection<{ _id: number }>('items');
  await items.insertMany([
    {
      _id: 1,
      a: 1,
      tags: ['x', 'y'],
      sub: [
        { k: 1, v: 5 },
        { k: 2, v: 1 },
      ],
    },
    { _id: 2, a: '1', tags: ['z'], sub: [] },
    { _id: 3, a: null, tags: [] },
    { _id: 4, b: { c: 7 }, tags: 'x' },
  ] as never);
  const ids = async (filter: object): Promise<number[]> =>
    (await items.find(filter, { sort: { _id: 1 } }).toArray()).map((item) => item._id);
  expect(await ids({ a: { $gt: 0 } })).toEqual([1]);
  expect(await ids({ a: { $gte: '' } })).toEqual([2]);
  expect(await ids({ a: null })).toEqual([3, 4]);
  expect(await ids({ a: { $exists: false } })).toEqual([4]);
  expect(await ids({ a: { $ne: 1 } })).toEqual([2, 3, 4]);
  expect(await ids({ tags: 'x' })).toEqual([1, 4]);
  expect(await ids({ tags: { $in: [/^z/, 'y'] } })).toEqual([1, 2]);
  expect(await ids({ tags: { $nin: ['x'] } })).toEqual([2, 3]);
  expect(await ids({ tags: { $all: ['y', 'x'] } })).toEqual([1]);
  expect(await ids({ tags: { $size: 0 } })).toEqual([3]);
  expect(await ids({ sub: { $elemMatch: { k: 1, v: 1 } } })).toEqual([]);
  expect(await ids({ 'sub.k': 1, 'sub.v': 1 })).toEqual([1]);
  expect(await ids({ 'sub.1.k': 2 })).toEqual([1]);
  expect(await ids({ 'b.c': { $mod: [3, 1] } })).toEqual([4]);
  expect(await ids({ a: { $not: { $type: 'string' } } })).toEqual([1, 3, 4]);
  expect(await ids({ $or: [{ _id: 2 }, { $and: [{ 'b.c': 7 }, { tags: { $regex: 'X', $options: 'i' } }] }] })).toEqual([2, 4]);
  expect(await ids({ $nor: [{ _id: 1 }, { _id: { $lte: 3 } }] })).toEqual([4]);
  expect(await ids({ $expr: { $eq: [{ $size: { $ifNull: ['$sub', []] } }, 2] } })).toEqual([1]);
  expect(await codeOf(items.find({ a: { $foo: 1 } }).toArray())).toBe(2);
  expect(await codeOf(items.find({ $foo: 1 } as never).toArray())).toBe(2);
  expect(await items.distinct('tags' as never)).toEqual(expect.arrayContaining(['x', 'y', 'z']));
});

test('sorts over types, skips, limits, projects and reads in batches', async () => {
  const mixed = scene.db.collection<{ _id: number; v?: unknown }>('mixed');
  await mixed.insertMany([
    { _id: 1, v: 'b' },
    { _id: 2, v: 2 },
    { _id: 3, v: null },
    { _id: 4 },
    { _id: 5, v: true },
    { _id: 6, v: new Date(0) },
    { _id: 7, v: [9, 0] },
  ]);
  const sorted = await mixed.find({}, { sort: { v: 1, _id: 1 }, batchSize: 2 }).toArray();
  expect(sorted.map((item) => item._id)).toEqual([3, 4, 7, 2, 1, 5, 6]);
  expect(await mixed.find({}, { sort: { _id: -1 }, skip: 1, limit: 2, projection: { _id: 1 } }).toArray()).toEqual([
    { _id: 6 },
    { _id: 5 },
  ]);
  const cursor = mixed.find({}, { batchSize: 2 });
  expect(await cursor.next()).toMatchObject({ _id: 1 });
  await cursor.close();
  expect(await codeOf(scene.db.command({ getMore: Long.fromNumber(12_345), collection: 'mixed' }))).toBe(43);
});

test('updates by operators', async () => {
  const things = scene.db.collection<{ _id: number }>('things');
  await things.insertOne({
    _id: 1,
    n: 1,
    list: [1, 2, 2, 3],
    old: 'x',
    sub: [
      { k: 'a', n: 1 },
      { k: 'b', n: 2 },
    ],
  } as never);
  const change = async (update: object, options: object = {}): Promise<unknown> => {
    await things.updateOne({ _id: 1 }, update, options);
    return things.findOne({ _id: 1 }, { projection: { _id: 0 } });
  };
  expect(
    await change({ $inc: { n: 2 }, $min: { low: 5 }, $max: { n2: 5 }, $rename: { old: 'deep.new' }, $unset: { gone: '' } }),
  ).toMatchObject({ n: 3, low: 5, n2: 5, deep: { new: 'x' } });
  expect(await change({ $pull: { list: 2 } })).toMatchObject({ list: [1, 3] });
  expect(await change({ $addToSet: { list: { $each: [3, 4] } } })).toMatchObject({ list: [1, 3, 4] });
  expect(await change({ $push: { list: { $each: [9, 8], $slice: -3, $sort: 1 } } })).toMatchObject({ list: [4, 8, 9] });
  expect(await change({ $set: { 'sub.$[item].n': 7 } }, { arrayFilters: [{ 'item.k': 'b' }] })).toMatchObject({
    sub: [
      { k: 'a', n: 1 },
      { k: 'b', n: 7 },
    ],
  });
  await things.updateOne({ _id: 1, 'sub.k': 'a' }, { $set: { 'sub.$.n': 5 } } as never);
  expect(await things.findOne({ 'sub.n': 5 } as never)).toMatchObject({
    sub: [
      { k: 'a', n: 5 },
      { k: 'b', n: 7 },
    ],
  });
  const { at } = (await change({ $currentDate: { at: true } })) as { at: Date };
  expect(Math.abs(at.getTime() - Date.now())).toBeLessThan(60_000);
  expect(await codeOf(change({ $set: { _id: 2 } }))).toBe(66);
  expect(await codeOf(change({ $foo: { a: 1 } }))).toBe(9);
  expect(await codeOf(change({ $set: { 'n.x': 1 } }))).toBe(28);
  expect(await codeOf(change({ $inc: { 'deep.new': 1 } }))).toBe(14);
  expect(await codeOf(change({ $set: { a: 1 }, $inc: { a: 1 } }))).toBe(40);
  expect(await codeOf(things.replaceOne({ _id: 1 }, { _id: 2 } as never))).toBe(66);
  expect(await things.updateOne({ _id: 1 }, { $set: { low: 5 } } as never)).toMatchObject({ matchedCount: 1, modifiedCount: 0 });
});

test('updates by a pipeline', async () => {
  const leases = scene.db.collection<{ _id: string }>('leases');
  await leases.insertOne({ _id: 'a', fence: 1, until: new Date(0), name: 'A' } as never);
  const take = [
    {
      $set: {
        fence: { $cond: [{ $lt: ['$until', '$$NOW'] }, { $add: ['$fence', 1] }, '$fence'] },
        owner: { $concat: [{ $toLower: '$name' }, '-', 'x'] },
      },
    },
    {
      $set: {
        until: { $add: ['$$NOW', 60_000] },
        more: { $mergeObjects: [{ a: 1 }, { b: { $literal: '$x' } }] },
        kind: { $type: '$fence' },
      },
    },
    { $unset: 'name' },
  ];
  const taken = await leases.findOneAndUpdate({ _id: 'a' }, take, { returnDocument: 'after' });
  expect(taken).toEqual({ _id: 'a', fence: 2, owner: 'a-x', until: expect.any(Date), more: { a: 1, b: '$x' }, kind: 'int' });
  expect(await leases.findOneAndUpdate({ _id: 'a' }, take, { returnDocument: 'after' })).toMatchObject({ fence: 2 });
  await leases.updateOne({ _id: 'a' }, [{ $replaceWith: { n: { $arrayElemAt: [[1, 2], -1] }, has: { $in: [2, [1, 2]] } } }]);
  expect(await leases.findOne()).toEqual({ _id: 'a', n: 2, has: true });
  expect(await codeOf(leases.updateOne({}, [{ $set: { a: { $nope: 1 } } }]))).toBe(168);
});

test('upserts, and finds and modifies', async () => {
  const jobs = scene.db.collection<{ _id: number }>('jobs');
  const upserted = await jobs.updateOne({ _id: 1, kind: 'k' } as never, { $set: { a: 1 }, $setOnInsert: { b: 2 } } as never, {
    upsert: true,
  });
  expect(upserted).toMatchObject({ upsertedId: 1, upsertedCount: 1, matchedCount: 0 });
  expect(await jobs.findOne()).toEqual({ _id: 1, kind: 'k', a: 1, b: 2 });
  await jobs.updateOne({ _id: 1 }, { $setOnInsert: { b: 3 } } as never, { upsert: true });
  await jobs.insertMany([{ _id: 2 }, { _id: 3 }]);
  expect(await jobs.findOneAndUpdate({ b: { $exists: false } } as never, { $set: { b: 9 } } as never, { sort: { _id: -1 } })).toEqual({
    _id: 3,
  });
  expect(
    await jobs.findOneAndUpdate({ _id: 9 }, { $set: { x: 1 } } as never, { upsert: true, returnDocument: 'after', projection: { x: 1 } }),
  ).toEqual({ _id: 9, x: 1 });
  expect(await jobs.findOneAndDelete({ b: 2 } as never)).toMatchObject({ _id: 1 });
  expect(await jobs.findOneAndDelete({ _id: 77 })).toBeNull();
});

test('a bulk write goes on after an error unless it is ordered', async () => {
  const bulk = scene.db.collection<{ _id: number }>('bulk');
  const operations = [1, 1, 2].map((id) => ({ insertOne: { document: { _id: id } } }));
  const ordered = await bulk.bulkWrite(operations).catch((error: unknown) => error as MongoBulkWriteError);
  expect(ordered).toMatchObject({ code: 11000, insertedCount: 1 });
  await bulk.deleteMany({});
  const unordered = await bulk.bulkWrite(operations, { ordered: false }).catch((error: unknown) => error as MongoBulkWriteError);
  expect(unordered).toBeInstanceOf(MongoBulkWriteError);
  expect(unordered).toMatchObject({ insertedCount: 2, writeErrors: [expect.objectContaining({ index: 1, code: 11000 })] });
});

test('aggregates', async () => {
  const [orders, people] = [scene.db.collection<{ _id: number }>('orders'), scene.db.collection<{ _id: string }>('buyers')];
  await orders.insertMany([
    { _id: 1, by: 'a', sum: 5, tags: ['x', 'y'] },
    { _id: 2, by: 'a', sum: 7, tags: ['x'] },
    { _id: 3, by: 'b', sum: 1 },
  ] as never);
  await people.insertMany([
    { _id: 'a', name: 'Ada' },
    { _id: 'b', name: 'Bob' },
  ] as never);
  const grouped = await orders
    .aggregate([
      { $match: { sum: { $gt: 0 } } },
      { $sort: { _id: 1 } },
      {
        $group: {
          _id: '$by',
          total: { $sum: '$sum' },
          n: { $sum: 1 },
          first: { $first: '$_id' },
          max: { $max: '$sum' },
          ids: { $push: '$_id' },
        },
      },
      { $lookup: { from: 'buyers', localField: '_id', foreignField: '_id', as: 'person' } },
      { $addFields: { person: { $arrayElemAt: ['$person.name', 0] } } },
      { $sort: { _id: 1 } },
    ])
    .toArray();
  expect(grouped).toEqual([
    { _id: 'a', total: 12, n: 2, first: 1, max: 7, ids: [1, 2], person: 'Ada' },
    { _id: 'b', total: 1, n: 1, first: 3, max: 1, ids: [3], person: 'Bob' },
  ]);
  expect(await orders.aggregate([{ $unwind: '$tags' }, { $sortByCount: '$tags' }, { $limit: 1 }]).toArray()).toEqual([
    { _id: 'x', count: 2 },
  ]);
  const joined = await people
    .aggregate([
      {
        $lookup: {
          from: 'orders',
          let: { who: '$_id' },
          pipeline: [{ $match: { $expr: { $eq: ['$by', '$$who'] } } }, { $count: 'n' }],
          as: 'o',
        },
      },
      { $sort: { _id: 1 } },
      { $project: { _id: 0, n: '$o.n' } },
    ])
    .toArray();
  expect(joined).toEqual([{ n: [2] }, { n: [1] }]);
  expect(await codeOf(orders.aggregate([{ $nope: {} }]).toArray())).toBe(40324);
});

test('a document has 16 MB at most', async () => {
  const large = scene.db.collection('large');
  await large.insertOne({ text: 'x'.repeat(15_000_000) });
  expect(await codeOf(large.insertOne({ text: 'x'.repeat(17_000_000) }))).toBe(10334);
});
