import { describe, expect, it } from 'vitest';
import { classifyPostgresError } from '../../src/drivers/postgres/classify.js';
import { describeUnreachable } from '../../src/drivers/postgres/unreachable.js';

const server = (code: string, message = 'said the server', extra: Record<string, string> = {}): Error =>
  Object.assign(new Error(message), { code, ...extra });

describe('classifyPostgresError', () => {
  it.each([
    ['transaction', ['40001', '40P01']],
    ['busy', ['55P03', '55006']],
    ['exists', ['42710', '42P04', '42P06', '42P07']],
    [
      'connection',
      [
        '08000',
        '08001',
        '08003',
        '08006',
        '57P01',
        '57P02',
        '57P03',
        '53300',
        'ECONNREFUSED',
        'ECONNRESET',
        'ETIMEDOUT',
        'EPIPE',
        'ENOTFOUND',
        'EAI_AGAIN',
      ],
    ],
    ['resources', ['53100', '53200']],
    ['timeout', ['57014']],
    ['denied', ['42501']],
    ['fatal', ['42601', '3D000', '28P01', '28000', '22012', '23502', '23503', '25006', '08P01', 'XX001', 'ENOENT', 'ERR_MODULE_NOT_FOUND']],
  ] as const)('takes for %s: %j', (type, codes) => {
    expect(codes.map((code) => [code, classifyPostgresError(server(code))])).toEqual(codes.map((code) => [code, type]));
  });

  it.each([
    'Connection terminated unexpectedly',
    'Connection terminated',
    'timeout expired',
    'timeout exceeded when trying to connect',
    'Client has encountered a connection error and is not queryable',
  ])("takes node-pg's own %j for a connection", (message) => {
    expect(classifyPostgresError(new Error(message))).toBe('connection');
  });

  it('takes an internal error for a race only where it says so', () => {
    expect(classifyPostgresError(server('XX000', 'tuple concurrently updated'))).toBe('catalog-race');
    expect(classifyPostgresError(server('XX000', 'tuple concurrently deleted'))).toBe('catalog-race');
    expect(classifyPostgresError(server('XX000', 'cache lookup failed'))).toBe('fatal');
  });

  it("takes a duplicate for a race only on the catalogue's own indexes", () => {
    const duplicate = (schema: string, constraint: string): Error =>
      server('23505', `duplicate key value violates unique constraint "${constraint}"`, { schema, constraint });
    expect(classifyPostgresError(duplicate('pg_catalog', 'pg_namespace_nspname_index'))).toBe('catalog-race');
    expect(classifyPostgresError(duplicate('tenant_a', 'users_email_key'))).toBe('fatal');
    expect(classifyPostgresError(duplicate('tenant_a', 'pg_lookalike'))).toBe('fatal');
  });

  it('looks through what wraps an error, and through one error for each address', () => {
    const reset = server('ECONNRESET');
    expect(classifyPostgresError(new Error('a migration failed', { cause: new Error('a message failed', { cause: reset }) }))).toBe(
      'connection',
    );
    expect(classifyPostgresError(new AggregateError([server('ECONNREFUSED'), server('ECONNREFUSED')]))).toBe('connection');
    expect(classifyPostgresError(Object.assign(new Error('x'), { code: 'TENANCY_MIGRATION_FAILED', cause: server('40P01') }))).toBe(
      'transaction',
    );
  });

  it('bears anything', () => {
    const loop = new Error('loop');
    loop.cause = loop;
    for (const thrown of [null, undefined, 'text', 7, {}, loop, new AggregateError([])])
      expect(classifyPostgresError(thrown)).toBe('fatal');
  });

  it('takes a missing socket for a connection, and a missing file for what it is', () => {
    expect(classifyPostgresError(server('ENOENT', 'connect ENOENT /tmp/.s.PGSQL.5432', { syscall: 'connect' }))).toBe('connection');
    expect(classifyPostgresError(server('ENOENT', 'open seed.csv', { syscall: 'open' }))).toBe('fatal');
  });
});

describe('describeUnreachable', () => {
  const where = 'postgres://u@db:5432/app';
  const missing = (database: string, routine: string): Error => server('3D000', `database "${database}" does not exist`, { routine });

  it("speaks of the cluster's own database, not of a tenant's", () => {
    expect(describeUnreachable('main', where, missing('app', 'InitPostgres'))?.message).toBe(
      `cluster main at ${where} can't be reached: there is no such database (database "app" does not exist)`,
    );
    expect(describeUnreachable('main', where, missing('tenant_a', 'InitPostgres'))).toBeNull();
    expect(describeUnreachable('main', where, missing('app', 'dropdb'))).toBeNull();
  });

  it('gives the reason that lies deepest', () => {
    const error = new Error('a message failed', { cause: server('ECONNRESET', 'read ECONNRESET') });
    expect(describeUnreachable('main', where, error)?.message).toMatch(/: read ECONNRESET$/);
    expect(describeUnreachable('main', where, new AggregateError([server('ECONNREFUSED', '')], ''))?.message).toMatch(/: ECONNREFUSED$/);
  });
});
