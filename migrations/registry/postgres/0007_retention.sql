-- Tenants that were deprovisioned and are kept for a while: closed, and not yet dropped.

ALTER TABLE tenancy.tenants
  DROP CONSTRAINT tenants_status_check,
  ADD CONSTRAINT tenants_status_check CHECK (status IN
    ('pending', 'provisioning', 'active', 'suspended', 'deprovisioning', 'retained', 'deprovisioned', 'failed')),
  ADD COLUMN retained_until timestamptz;
