-- Homes made ahead of any tenant: templates, and those of the warm pool.

CREATE TABLE tenancy.prepared_homes (
  id              text COLLATE "C" PRIMARY KEY,
  sequence        bigint      GENERATED ALWAYS AS IDENTITY,
  type            text        NOT NULL CHECK (type IN ('template', 'spare')),
  cluster         text        NOT NULL,
  driver          text        NOT NULL,
  name            text        NOT NULL,
  status          text        NOT NULL CHECK (status IN ('making', 'ready', 'claimed', 'dropping')),
  schema_version  text,
  migrations_hash text,
  tenant          text,
  operation_id    text,
  owner           text        NOT NULL,
  host            text        NOT NULL,
  -- Pushed on by the heartbeat of who makes or drops it.
  alive_until     timestamptz NOT NULL,
  created_at      timestamptz NOT NULL DEFAULT clock_timestamp(),
  ready_at        timestamptz,
  UNIQUE (cluster, driver, name)
);

CREATE INDEX prepared_homes_ready ON tenancy.prepared_homes (cluster, driver, status, sequence);
CREATE INDEX prepared_homes_operation ON tenancy.prepared_homes (operation_id) WHERE operation_id IS NOT NULL;
CREATE INDEX prepared_homes_owner ON tenancy.prepared_homes (owner);
