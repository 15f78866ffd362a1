import { describe, expect, it } from 'vitest';
import { classifyMysqlError } from '../../src/drivers/mysql/classify.js';
import { describeUnreachable } from '../../src/drivers/mysql/unreachable.js';

const server = (errno: number, message = 'said the server'): Error =>
  Object.assign(new Error(message), { errno, code: 'ER_ANY', sqlState: 'HY000' });
const socket = (code: string, extra: Record<string, unknown> = {}): Error =>
  Object.assign(new Error(`connect ${code}`), { code, errno: -111, ...extra });

describe('classifyMysqlError', () => {
  it.each([
    ['transaction', [1213]],
    ['busy', [1205, 3572]],
    ['exists', [1007, 1008, 1050, 1061]],
    ['connection', [1040, 1053, 1203, 1927, 2003, 2006, 2013]],
    ['resources', [1021, 1041, 1114]],
    ['timeout', [1317, 1969, 3024]],
    ['denied', [1044, 1142, 1143, 1227, 1370]],
    ['fatal', [1045, 1049, 1062, 1064, 1146, 1242]],
  ] as const)('takes for %s: %j', (type, numbers) => {
    expect(numbers.map((number) => [number, classifyMysqlError(server(number))])).toEqual(numbers.map((number) => [number, type]));
  });

  it.each([
    [1005, 'Can\'t create table `t`.`filled` (errno: 135 "No more room in record file")', 'resources'],
    [1005, 'Can\'t create table `t`.`filled` (errno: 28 "No space left on device")', 'resources'],
    [1005, 'Can\'t create table `t`.`child` (errno: 150 "Foreign key constraint is incorrectly formed")', 'fatal'],
    [1006, "Can't create database 't'; errno: 28", 'resources'],
    [3, "Error writing file './t/db.opt' (OS errno 28 - No space left on device)", 'resources'],
    [1026, 'Error writing file \'/tmp/MYx\' (Errcode: 28 "No space left on device")', 'resources'],
    [1030, 'Got error 28 "No space left on device" from storage engine Aria', 'resources'],
    [1030, 'Got error 168 "Unknown (generic) error from engine" from storage engine InnoDB', 'fatal'],
    [1644, 'the application says errno: 28', 'fatal'],
  ] as const)('reads in %i what a file failed with: %s', (number, message, type) => {
    expect(classifyMysqlError(server(number, message))).toBe(type);
  });

  it('knows the socket’s errors and mysql2’s own, and looks into causes', () => {
    for (const code of ['ECONNREFUSED', 'ECONNRESET', 'ETIMEDOUT', 'EPIPE', 'PROTOCOL_CONNECTION_LOST'])
      expect(classifyMysqlError(socket(code))).toBe('connection');
    expect(classifyMysqlError(new Error("Can't add new command when connection is in closed state"))).toBe('connection');
    expect(classifyMysqlError(socket('ENOENT', { syscall: 'connect' }))).toBe('connection');
    expect(classifyMysqlError(socket('ENOENT', { syscall: 'open' }))).toBe('fatal');
    expect(classifyMysqlError(new Error('outer', { cause: server(1213) }))).toBe('transaction');
    expect(classifyMysqlError(new AggregateError([socket('ECONNREFUSED')]))).toBe('connection');
    expect(classifyMysqlError('text')).toBe('fatal');
  });
});

describe('describeUnreachable', () => {
  it.each([
    [server(1045, "Access denied for user 'x'@'y'"), /the login was not accepted \(Access denied/],
    [socket('ECONNREFUSED'), /ECONNREFUSED/],
    [socket('HANDSHAKE_NO_SSL_SUPPORT'), /ssl-mode asks for TLS, and the server has none/],
    [socket('SELF_SIGNED_CERT_IN_CHAIN'), /TLS failed/],
    [socket('ENOENT', { syscall: 'open', path: '/no/ca.pem' }), /there is no file \/no\/ca.pem/],
  ])('says of %s what it is', (error, words) => {
    expect(describeUnreachable('main', 'mysql://h', error)?.message).toMatch(words);
  });

  it('tells a server that takes no writes by what keeps it from them', () => {
    const described = (error: Error) => describeUnreachable('main', 'mysql://h', error);
    const byOption = described(
      server(1290, 'The MariaDB server is running with the --read-only option so it cannot execute this statement'),
    );
    expect(byOption).toMatchObject({ code: 'TENANCY_CLUSTER_READ_ONLY', hint: expect.stringContaining('take read_only back') });
    expect(described(server(1290, 'The MySQL server is running with the --super-read-only option'))?.code).toBe(
      'TENANCY_CLUSTER_READ_ONLY',
    );
    expect(described(server(1792))?.hint).toContain('tx_read_only');
    expect(described(server(1290, 'The MySQL server is running with the --secure-file-priv option'))).toBeNull();
  });

  it('says nothing of what a statement fails with', () => {
    expect(describeUnreachable('main', 'mysql://h', server(1064))).toBeNull();
    expect(describeUnreachable('main', 'mysql://h', new TypeError('a bug'))).toBeNull();
  });
});
