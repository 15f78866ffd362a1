-- Tenants that were deprovisioned and are kept for a while: closed, and not yet dropped. One statement: it is carried out as a whole or not at all.
-- MariaDB keeps a check with its column, and MySQL (since 8.0.16) as a constraint that it has given a name; each reads only its own comment.

ALTER TABLE tenancy_tenants
  ADD COLUMN retained_until DATETIME(6)
  /*M! , MODIFY COLUMN status VARCHAR(20) NOT NULL CHECK (status IN
    ('pending', 'provisioning', 'active', 'suspended', 'deprovisioning', 'retained', 'deprovisioned', 'failed')) */
  /*!80016 , DROP CHECK tenancy_tenants_chk_1, ADD CONSTRAINT tenancy_tenants_status CHECK (status IN
    ('pending', 'provisioning', 'active', 'suspended', 'deprovisioning', 'retained', 'deprovisioned', 'failed')) */;
