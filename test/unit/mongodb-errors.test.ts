import { MongoNetworkError, MongoServerError } from 'mongodb';
import { describe, expect, test } from 'vitest';
import type { ErrorClass } from '../../src/drivers/driver.js';
import { classifyMongodbError } from '../../src/drivers/mongodb/classify.js';
import { describeUnreachable } from '../../src/drivers/mongodb/unreachable.js';
import { TenancyError } from '../../src/errors.js';
import { isTransient, toRegistryError } from '../../src/registry/mongodb/failures.js';
import { locate } from '../../src/registry/mongodb/place.js';

function serverError(code: number, message = 'no', ...labels: string[]): MongoServerError {
  const error = new MongoServerError({ message, code });
  for (const label of labels) error.addErrorLabel(label);
  return error;
}

describe('an error of MongoDB', () => {
  test.each<readonly [number, ErrorClass]>([
    ...[6, 7, 89, 91, 189, 262, 9001, 10107, 11600, 11602, 13435, 13436].map((code) => [code, 'connection'] as const),
    ...[112, 251].map((code) => [code, 'transaction'] as const),
    ...[24, 46, 117, 12586, 12587].map((code) => [code, 'busy'] as const),
    [48, 'exists'],
    [14031, 'resources'],
    [50, 'timeout'],
    [13, 'denied'],
    ...[11, 18, 20, 26, 59, 85, 86, 121, 11000, 13297].map((code) => [code, 'fatal'] as const),
  ])('is told by its code: %i is %s', (code, type) => {
    expect(classifyMongodbError(serverError(code))).toBe(type);
  });

  test('is told by its labels', () => {
    expect(classifyMongodbError(serverError(1, 'no', 'TransientTransactionError'))).toBe('transaction');
    expect(classifyMongodbError(serverError(1, 'no', 'RetryableWriteError'))).toBe('connection');
    expect(classifyMongodbError(serverError(112, 'no', 'TransientTransactionError'))).toBe('transaction');
  });

  test('is a lost connection where the client says so, or the socket', () => {
    expect(classifyMongodbError(new MongoNetworkError('closed'))).toBe('connection');
    expect(classifyMongodbError(Object.assign(new Error('no'), { code: 'ENOTFOUND' }))).toBe('connection');
    expect(classifyMongodbError(Object.assign(new Error('no'), { code: 'ENOENT' }))).toBe('fatal');
    expect(classifyMongodbError(new Error('no'))).toBe('fatal');
    expect(classifyMongodbError('no')).toBe('fatal');
  });

  test('is found among the causes of ours', () => {
    const details = { tenant: 'acme', migration: 'a', reason: 'no' };
    expect(classifyMongodbError(new TenancyError('TENANCY_MIGRATION_FAILED', details, { cause: serverError(112) }))).toBe('transaction');
    const refused = new MongoNetworkError('cleared', { cause: serverError(18, 'Authentication failed.') });
    expect(classifyMongodbError(refused)).toBe('fatal');
  });

  test.each([
    [serverError(18, 'Authentication failed.'), /the login was not accepted \(Authentication failed\.\); check the user/],
    [serverError(8000, 'bad auth : authentication failed'), /the login was not accepted/],
    [serverError(13, 'Command find requires authentication'), /it asks for a login, and the URL has none/],
    [Object.assign(new Error('expired'), { code: 'CERT_HAS_EXPIRED' }), /TLS failed: expired/],
    [new MongoNetworkError('closed', { cause: Object.assign(new Error('read ECONNRESET'), { code: 'ECONNRESET' }) }), /: read ECONNRESET$/],
  ])("is worded where the cluster can't be talked to: %s", (error, words) => {
    expect(describeUnreachable('main', 'mongodb://h', error)?.message).toMatch(words);
  });

  test('is no failure of the cluster where it is about one thing', () => {
    for (const code of [13, 48, 11000, 50]) expect(describeUnreachable('main', 'mongodb://h', serverError(code))).toBeNull();
    expect(describeUnreachable('main', 'mongodb://h', new Error('no'))).toBeNull();
  });
});

test('a socket that was reset while it was written to is a registry out of reach, and worth another try', () => {
  const error = Object.assign(new Error('write ECONNRESET'), { code: 'ECONNRESET', syscall: 'write', errno: -104 });
  expect(isTransient(error)).toBe(true);
  const told = toRegistryError(error, locate('mongodb://127.0.0.1/tenancy'));
  expect(told).toMatchObject({ code: 'TENANCY_REGISTRY_UNREACHABLE', message: expect.stringContaining('write ECONNRESET') });
});
