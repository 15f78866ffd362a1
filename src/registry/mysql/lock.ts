import { listIds } from './json.js';
import type { Statement } from './session.js';

/**
 * Locks tenants in the order of ids, by the primary key: batches that overlap wait for each other, and each finds what it compares as
 * it is after the wait.
 */
export function lockTenants(ids: readonly string[]): Statement {
  return {
    sql: 'SELECT t.id FROM tenancy_tenants t FORCE INDEX (PRIMARY) WHERE t.id IN (?) ORDER BY t.id FOR UPDATE',
    params: [listIds(ids)],
  };
}

export function setInput(json: string): Statement {
  return { sql: 'SET @input = ?', params: [json] };
}
