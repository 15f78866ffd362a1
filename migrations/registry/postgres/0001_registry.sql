-- The control plane's first shape, in the schema tenancy. Run once, in the transaction that records it.
-- Ids and names are bytewise (COLLATE "C"): the order of keyset pages doesn't depend on the server's locale.

CREATE TABLE tenancy.registry_migrations (
  version    integer     PRIMARY KEY,
  name       text        NOT NULL,
  applied_at timestamptz NOT NULL DEFAULT clock_timestamp()
);

CREATE TABLE tenancy.registry (
  is_only    boolean     PRIMARY KEY DEFAULT true CHECK (is_only),
  id         uuid        NOT NULL DEFAULT gen_random_uuid(),
  created_at timestamptz NOT NULL DEFAULT clock_timestamp()
);

INSERT INTO tenancy.registry DEFAULT VALUES;

CREATE TABLE tenancy.clusters (
  name        text COLLATE "C" PRIMARY KEY,
  identity    text        NOT NULL,
  created_at  timestamptz NOT NULL DEFAULT clock_timestamp(),
  accepted_at timestamptz NOT NULL DEFAULT clock_timestamp()
);

-- One for all tenants, so that a fence is never handed out twice, not even to an id that was forgotten and registered again.
CREATE SEQUENCE tenancy.fences;

CREATE TABLE tenancy.tenants (
  id               text COLLATE "C" PRIMARY KEY CHECK (id ~ '^[A-Za-z0-9][A-Za-z0-9_-]{0,62}$'),
  incarnation      integer     NOT NULL DEFAULT 1,
  status           text        NOT NULL CHECK (status IN
                     ('pending', 'provisioning', 'active', 'suspended', 'deprovisioning', 'deprovisioned', 'failed')),
  cluster          text COLLATE "C" NOT NULL,
  driver           text        NOT NULL,
  name             text COLLATE "C" NOT NULL,
  labels           jsonb       NOT NULL DEFAULT '{}' CHECK (jsonb_typeof(labels) = 'object'),
  is_protected     boolean     NOT NULL DEFAULT false,
  schema_version   text COLLATE "C",
  migrations_hash  text COLLATE "C",
  credential_ref   text,
  last_error       jsonb,
  -- Under way, or failed half way: {id, type, cameFrom}.
  operation        jsonb,
  -- The operation that registered this incarnation; it is in the marker on the tenant's home.
  home_operation_id text       NOT NULL,
  -- The call that changed the row last: a call whose answer was lost knows its own work again.
  change_id        uuid,
  created_at       timestamptz NOT NULL DEFAULT clock_timestamp(),
  updated_at       timestamptz NOT NULL DEFAULT clock_timestamp(),
  activated_at     timestamptz,
  deprovisioned_at timestamptz,
  fence            bigint      NOT NULL DEFAULT 0,
  lease_owner      text,
  lease_host       text,
  lease_since      timestamptz,
  lease_expires_at timestamptz
);

CREATE UNIQUE INDEX tenants_id_without_case ON tenancy.tenants (lower(id));
CREATE UNIQUE INDEX tenants_placement ON tenancy.tenants (cluster, lower(name)) WHERE status <> 'deprovisioned';
CREATE INDEX tenants_status ON tenancy.tenants (status, id);
CREATE INDEX tenants_labels ON tenancy.tenants USING gin (labels jsonb_path_ops);
-- "Who is not at this version?" is asked by every deploy, and the answer is mostly: nobody.
CREATE INDEX tenants_version ON tenancy.tenants (migrations_hash, schema_version);
CREATE INDEX tenants_last_error ON tenancy.tenants (id) WHERE last_error IS NOT NULL;
CREATE INDEX tenants_lease_owner ON tenancy.tenants (lease_owner) WHERE lease_owner IS NOT NULL;
-- Neighbours by the end of an id, for "did you mean"; by its beginning there is tenants_id_without_case.
CREATE INDEX tenants_id_reversed ON tenancy.tenants (reverse(lower(id)));

CREATE TABLE tenancy.steps (
  operation_id text        NOT NULL,
  step         text        NOT NULL,
  tenant       text COLLATE "C" NOT NULL,
  operation    text        NOT NULL,
  state        text        NOT NULL CHECK (state IN ('started', 'done', 'failed')),
  attempt      integer     NOT NULL,
  error        text,
  started_at   timestamptz NOT NULL DEFAULT clock_timestamp(),
  finished_at  timestamptz,
  sequence     bigint      GENERATED ALWAYS AS IDENTITY,
  change_id    uuid        NOT NULL,
  PRIMARY KEY (operation_id, step)
);

CREATE TABLE tenancy.runs (
  id          text COLLATE "C" PRIMARY KEY,
  sequence    bigint      GENERATED ALWAYS AS IDENTITY UNIQUE,
  command     text        NOT NULL,
  owner       text        NOT NULL,
  host        text        NOT NULL,
  target      text,
  options     jsonb       NOT NULL DEFAULT '{}',
  selected    integer     NOT NULL,
  status      text        NOT NULL DEFAULT 'running' CHECK (status IN ('running', 'finished', 'interrupted')),
  counts      jsonb,
  not_started integer,
  exit_code   integer,
  started_at  timestamptz NOT NULL DEFAULT clock_timestamp(),
  -- Pushed on by the heartbeat; past it the process is taken for dead.
  alive_until timestamptz NOT NULL,
  finished_at timestamptz
);

CREATE INDEX runs_owner ON tenancy.runs (owner) WHERE status = 'running';

CREATE TABLE tenancy.run_tenants (
  run_id       text COLLATE "C" NOT NULL REFERENCES tenancy.runs (id) ON DELETE CASCADE,
  tenant       text COLLATE "C" NOT NULL,
  cluster      text        NOT NULL,
  outcome      text        NOT NULL,
  attempts     integer     NOT NULL,
  from_version text,
  to_version   text,
  ms           bigint      NOT NULL,
  error        jsonb,
  change_id    uuid        NOT NULL,
  recorded_at  timestamptz NOT NULL DEFAULT clock_timestamp(),
  PRIMARY KEY (run_id, tenant)
);

CREATE TABLE tenancy.events (
  sequence  bigint      GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  at        timestamptz NOT NULL DEFAULT clock_timestamp(),
  run_id    text,
  tenant    text COLLATE "C",
  type      text        NOT NULL,
  data      jsonb       NOT NULL DEFAULT '{}',
  change_id uuid
);

CREATE INDEX events_tenant ON tenancy.events (tenant, sequence);

CREATE FUNCTION tenancy.refuse_change() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  RAISE EXCEPTION 'tenancy.events is append-only' USING ERRCODE = 'object_not_in_prerequisite_state';
END
$$;

CREATE TRIGGER events_append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON tenancy.events
  FOR EACH STATEMENT EXECUTE FUNCTION tenancy.refuse_change();
