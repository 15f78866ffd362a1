import { Writable } from 'node:stream';
import { expect } from 'vitest';
import { type DocumentOptions, writeDocument } from '../../src/reporters/documents/write-document.js';
import type { Palette } from '../../src/reporters/palette.js';
import { parseTenantId, type Tenant } from '../../src/tenant.js';
import { assertDocument, type DocumentName } from '../rig/events-schema.js';

export const at = new Date('2026-01-02T03:04:05.678Z');

export function tenantNamed(id: string, changes: Partial<Tenant> = {}): Tenant {
  return {
    id: parseTenantId(id),
    labels: {},
    cluster: 'main',
    driver: 'postgres-schema',
    name: `tenant_${id}`,
    status: 'active',
    incarnation: 1,
    isProtected: false,
    schemaVersion: '0008_index_lines',
    migrationsHash: 'abc',
    credentialRef: null,
    login: null,
    lastError: null,
    operation: null,
    homeOperationId: 'op_1',
    createdAt: at,
    updatedAt: at,
    activatedAt: at,
    deprovisionedAt: null,
    retainedUntil: null,
    isRetentionOver: false,
    lease: null,
    fence: 1,
    ...changes,
  };
}

export const failure = {
  code: 'TENANCY_MIGRATION_FAILED',
  message: 'globex: migration 0007, line 3: no\n\u001b[2JUPDATE x',
  step: 'migrate',
  at: at.toISOString(),
};
export const globex = tenantNamed('globex', {
  status: 'failed',
  isProtected: true,
  labels: { plan: 'gold', region: 'eu' },
  schemaVersion: null,
  migrationsHash: null,
  lastError: failure,
  operation: { id: 'op_2', type: 'provision', cameFrom: null },
  lease: { owner: 'p_1', host: 'ci-3', since: at, expiresAt: at, isExpired: true },
  activatedAt: null,
});

export class Sink extends Writable {
  text = '';
  override _write(chunk: Buffer, _encoding: string, done: () => void): void {
    this.text += chunk.toString();
    done();
  }
}

export const optionsFor = (stdout: Sink, output: DocumentOptions['output'] = 'plain'): DocumentOptions => ({
  output,
  stdout,
  isColorful: false,
  isQuiet: false,
  columns: () => 100,
});

/** Writes a document both ways: its JSON is checked by the published schema, its text is the answer. */
export async function print<Document>(
  name: DocumentName,
  document: Document,
  words: (document: Document, palette: Palette) => readonly string[],
): Promise<string> {
  const json = new Sink();
  await writeDocument(document, words, optionsFor(json, 'json'));
  expect(assertDocument(name, json.text)).toEqual(document);
  const text = new Sink();
  await writeDocument(document, words, optionsFor(text));
  return text.text;
}
