-- Up Migration
CREATE TABLE invoices (
  id serial PRIMARY KEY,
  account_id integer NOT NULL REFERENCES accounts (id),
  cents bigint NOT NULL
);

-- Down Migration
DROP TABLE invoices;
