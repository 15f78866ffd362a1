-- Backups that were made; they outlive their tenants.

CREATE TABLE IF NOT EXISTS tenancy_backups (
  id              VARCHAR(64)   NOT NULL PRIMARY KEY,
  sequence        BIGINT        NOT NULL AUTO_INCREMENT UNIQUE,
  tenant          VARCHAR(64)   NOT NULL,
  incarnation     INT           NOT NULL,
  cluster         VARCHAR(190)  NOT NULL,
  driver          VARCHAR(40)   NOT NULL,
  path            VARCHAR(4096) NOT NULL,
  format          VARCHAR(40)   NOT NULL,
  sha256          VARCHAR(64)   NOT NULL,
  bytes           BIGINT        NOT NULL,
  schema_version  VARCHAR(255),
  migrations_hash VARCHAR(64),
  run_id          VARCHAR(64)   NOT NULL,
  at              DATETIME(6)   NOT NULL DEFAULT (UTC_TIMESTAMP(6)),
  KEY backups_tenant (tenant, sequence)
) ENGINE=InnoDB DEFAULT CHARACTER SET utf8mb4 COLLATE utf8mb4_bin;
