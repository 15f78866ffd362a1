-- tenancy: no-transaction
DROP INDEX CONCURRENTLY projects_account_live_idx;
