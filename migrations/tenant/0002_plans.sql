CREATE TABLE plans (
  code text PRIMARY KEY CHECK (code ~ '^[a-z][a-z0-9-]*$'),
  name text NOT NULL,
  monthly_price_cents integer NOT NULL CHECK (monthly_price_cents >= 0),
  max_projects integer CHECK (max_projects > 0)
);

COMMENT ON COLUMN plans.max_projects IS 'NULL: as many as one likes';
