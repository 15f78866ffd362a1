-- tenancy: no-transaction
-- Concurrently, because projects are written to all day; PostgreSQL doesn't allow that inside of a transaction.
CREATE INDEX CONCURRENTLY projects_account_live_idx ON projects (account_id, created_at DESC) WHERE archived_at IS NULL;
