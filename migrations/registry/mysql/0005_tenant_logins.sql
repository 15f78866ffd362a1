-- Logins of a tenant's own: the one to connect as, one that is being made, and the one before. Names and paths, never a password.
ALTER TABLE tenancy_tenants ADD COLUMN login JSON;
