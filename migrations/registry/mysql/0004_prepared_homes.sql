-- Homes made ahead of any tenant: templates, and those of the warm pool.

CREATE TABLE IF NOT EXISTS tenancy_prepared_homes (
  id              VARCHAR(64)  NOT NULL PRIMARY KEY,
  sequence        BIGINT       NOT NULL AUTO_INCREMENT UNIQUE,
  type            VARCHAR(20)  NOT NULL CHECK (type IN ('template', 'spare')),
  cluster         VARCHAR(190) NOT NULL,
  driver          VARCHAR(40)  NOT NULL,
  name            VARCHAR(64)  NOT NULL,
  status          VARCHAR(20)  NOT NULL CHECK (status IN ('making', 'ready', 'claimed', 'dropping')),
  schema_version  VARCHAR(255),
  migrations_hash VARCHAR(64),
  tenant          VARCHAR(64),
  operation_id    VARCHAR(64),
  owner           VARCHAR(64)  NOT NULL,
  host            VARCHAR(255) NOT NULL,
  -- Pushed on by the heartbeat of who makes or drops it.
  alive_until     DATETIME(6)  NOT NULL,
  created_at      DATETIME(6)  NOT NULL DEFAULT (UTC_TIMESTAMP(6)),
  ready_at        DATETIME(6),
  UNIQUE KEY prepared_homes_name (cluster, driver, name),
  KEY prepared_homes_ready (cluster, driver, status, sequence),
  KEY prepared_homes_operation (operation_id),
  KEY prepared_homes_owner (owner)
) ENGINE=InnoDB DEFAULT CHARACTER SET utf8mb4 COLLATE utf8mb4_bin;
