/** Twelve files as teams write them: tables, columns, indexes, a constraint, a backfill. */
export const benchMigrations: readonly { readonly name: string; readonly sql: string }[] = [
  'CREATE TABLE accounts (id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, name text NOT NULL, created_at timestamptz NOT NULL DEFAULT now());',
  'CREATE TABLE members (id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, account_id bigint NOT NULL REFERENCES accounts, email text NOT NULL, UNIQUE (account_id, email));',
  "ALTER TABLE members ADD COLUMN role text NOT NULL DEFAULT 'member' CHECK (role IN ('owner', 'admin', 'member'));",
  'CREATE TABLE projects (id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, account_id bigint NOT NULL REFERENCES accounts, name text NOT NULL);',
  'CREATE INDEX projects_account ON projects (account_id);',
  'CREATE TABLE invoices (id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, account_id bigint NOT NULL REFERENCES accounts, total numeric(12, 2));',
  'CREATE TABLE invoice_lines (invoice_id bigint NOT NULL REFERENCES invoices ON DELETE CASCADE, position int NOT NULL, amount numeric(12, 2) NOT NULL, PRIMARY KEY (invoice_id, position));',
  "ALTER TABLE invoices ADD COLUMN status text NOT NULL DEFAULT 'draft';",
  'UPDATE invoices SET total = coalesce(total, 0); ALTER TABLE invoices ALTER COLUMN total SET NOT NULL;',
  'CREATE TABLE audit (id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, at timestamptz NOT NULL DEFAULT now(), what jsonb NOT NULL);',
  'CREATE INDEX audit_at ON audit (at);',
  'ALTER TABLE projects ADD COLUMN archived_at timestamptz;',
].map((sql, index) => ({ name: `${String(index + 1).padStart(4, '0')}_step`, sql: `${sql}\n` }));
