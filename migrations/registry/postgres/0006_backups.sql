-- Backups that were made; they outlive their tenants.

CREATE TABLE tenancy.backups (
  id              text COLLATE "C" PRIMARY KEY,
  sequence        bigint      GENERATED ALWAYS AS IDENTITY,
  tenant          text COLLATE "C" NOT NULL,
  incarnation     integer     NOT NULL,
  cluster         text        NOT NULL,
  driver          text        NOT NULL,
  path            text        NOT NULL,
  format          text        NOT NULL,
  sha256          text        NOT NULL,
  bytes           bigint      NOT NULL,
  schema_version  text,
  migrations_hash text,
  run_id          text        NOT NULL,
  at              timestamptz NOT NULL DEFAULT clock_timestamp()
);

CREATE INDEX backups_tenant ON tenancy.backups (tenant, sequence);
