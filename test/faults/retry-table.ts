/** How often something is tried that fails so. */
export type RetryRule = 'retried' | 'stops-the-run' | 'once';

export interface TableEntry {
  readonly code: string;
  readonly rule: RetryRule;
  /** What goes along with it, where the code alone doesn't tell: of PostgreSQL's RAISE … USING. */
  readonly using?: string;
  readonly message?: string;
  readonly labels?: readonly string[];
}

const entries = (rule: RetryRule, codes: readonly string[]): TableEntry[] => codes.map((code) => ({ code, rule }));

/** The connection is cut instead of an answer. */
export const LOST = 'lost';

/** Whole transactions, locks, races of the catalogue, connections; resources; timeouts of ours; what exists already; never. */
export const POSTGRES: readonly TableEntry[] = [
  ...entries('retried', ['40001', '40P01', '55P03', '55006', '08006', '08003', '57P01', '57P02', '57P03', '53300']),
  { code: 'XX000', rule: 'retried', message: 'tuple concurrently updated' },
  { code: '23505', rule: 'retried', using: `, SCHEMA = 'pg_catalog', CONSTRAINT = 'pg_namespace_nspname_index'` },
  ...entries('stops-the-run', ['53100', '53200']),
  ...entries('once', ['57014', '42710', '42P04', '42P06', '42P07']),
  ...entries('once', ['42601', '42501', '3D000', '28000', '28P01', '22012', '22P02', '23502', '23503', '23505', '23514', 'XX000']),
];

export const MYSQL: readonly TableEntry[] = [
  ...entries('retried', ['1213', LOST, '1205', '1040', '1203', '1053', '1927']),
  ...entries('stops-the-run', ['1021', '1041']),
  ...entries('once', ['3024', '1969', '1061', '1044', '1045', '1064', '1142']),
];

export const MONGODB: readonly TableEntry[] = [
  ...entries('retried', ['112', LOST, '24', '46', '6', '7', '89', '91', '189', '262', '9001', '10107', '11600', '11602', '13435', '13436']),
  { code: '251', rule: 'retried', labels: ['TransientTransactionError'] },
  { code: '11601', rule: 'retried', labels: ['RetryableWriteError'] },
  ...entries('stops-the-run', ['14031']),
  ...entries('once', ['50', '13', '18', '85', '86']),
];
