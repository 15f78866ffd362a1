-- What kept tenants of a run from being started: the reason, the wave, and how many.
ALTER TABLE tenancy_runs ADD COLUMN stopped JSON;
