import { describe, expect, test } from 'vitest';
import {
  describeMongodbUrl,
  mongodbDatabaseOf,
  mongodbOptionOf,
  parseMongodbUrl,
  withMongodbDatabase,
} from '../../src/util/mongodb-url.js';

describe('a mongodb:// URL', () => {
  test.each([
    ['mongodb://localhost', null],
    ['mongodb://localhost/', null],
    ['mongodb://localhost/?replicaSet=rs0', null],
    ['mongodb://u:p%40ss@a:1,b:2,c:3/app?replicaSet=rs0', 'app'],
    ['mongodb+srv://u:p@cluster.example.net/my%20app', 'my app'],
    ['mongodb://%2Ftmp%2Fmongodb-27017.sock/app', 'app'],
    ['mongodb://[::1]:27017/app', 'app'],
  ])('names a database, or none: %s', (url, database) => {
    expect(mongodbDatabaseOf(url)).toBe(database);
  });

  test.each([
    // Without a login nobody is looked up anywhere.
    ['mongodb://a:1,b:2', 'mongodb://a:1,b:2/t'],
    ['mongodb://a:1/app?replicaSet=rs0', 'mongodb://a:1/t?replicaSet=rs0'],
    // The default of a URL that names no database, and of one that does.
    ['mongodb://u:p@a:1,b:2', 'mongodb://u:p@a:1,b:2/t?authSource=admin'],
    ['mongodb://u:p@a/app', 'mongodb://u:p@a/t?authSource=app'],
    ['mongodb://u:p@a/my%20app?tls=true', 'mongodb://u:p@a/t?tls=true&authSource=my%20app'],
    ['mongodb://u:p@a/app?AuthSource=users', 'mongodb://u:p@a/t?AuthSource=users'],
    ['mongodb+srv://u:p@c.example.net/app', 'mongodb+srv://u:p@c.example.net/t?authSource=admin'],
    ['mongodb://u@a/app?authMechanism=MONGODB-X509', 'mongodb://u@a/t?authMechanism=MONGODB-X509'],
    ['mongodb://u:p@a/app?authMechanism=SCRAM-SHA-256', 'mongodb://u:p@a/t?authMechanism=SCRAM-SHA-256&authSource=app'],
  ])('keeps its login where the database is changed: %s', (url, changed) => {
    expect(withMongodbDatabase(url, 't')).toBe(changed);
    expect(withMongodbDatabase(changed, 't')).toBe(changed);
  });

  test('writes odd names so that they are read again', () => {
    expect(mongodbDatabaseOf(withMongodbDatabase('mongodb://u:p@a', 'tenant_été'))).toBe('tenant_été');
  });

  test('is told without secrets', () => {
    const url = 'mongodb://me:s3cret@a:1,b:2/app?proxyPassword=s3cret';
    expect(describeMongodbUrl(url)).toBe('mongodb://me@a:1,b:2/app');
    expect(describeMongodbUrl('mongodb://me:s3/cret@a')).toBe('an address that is not a mongodb:// URL');
  });

  test('has options, whatever their case', () => {
    expect(mongodbOptionOf('mongodb://a/?ReplicaSet=rs%2B0', 'replicaSet')).toBe('rs+0');
    expect(mongodbOptionOf('mongodb://a/', 'replicaSet')).toBeNull();
  });

  test.each(['postgres://a/b', 'mongodb://', 'mongodb://a,,b/', 'mongodb://a:99999/', 'mongodb://u:p%4@a/', 'mongodb:/a'])(
    'is not: %s',
    (url) => {
      expect(parseMongodbUrl(url)).toBeNull();
    },
  );
});
