CREATE TYPE invoice_status AS ENUM ('draft', 'open', 'paid', 'void');

CREATE TABLE invoices (
  id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  account_id bigint NOT NULL REFERENCES accounts (id),
  number text NOT NULL UNIQUE,
  status invoice_status NOT NULL DEFAULT 'draft',
  currency char(3) NOT NULL DEFAULT 'EUR',
  issued_on date,
  due_on date,
  CHECK (due_on >= issued_on)
);

CREATE TABLE invoice_lines (
  invoice_id bigint NOT NULL REFERENCES invoices (id) ON DELETE CASCADE,
  position integer NOT NULL CHECK (position > 0),
  description text NOT NULL,
  quantity numeric(12, 3) NOT NULL DEFAULT 1,
  unit_price_cents bigint NOT NULL,
  PRIMARY KEY (invoice_id, position)
);

CREATE INDEX invoices_account_idx ON invoices (account_id, issued_on DESC);
CREATE INDEX invoices_unpaid_idx ON invoices (due_on) WHERE status = 'open';
