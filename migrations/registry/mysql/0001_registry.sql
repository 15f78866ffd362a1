-- The control plane's first shape: tables called tenancy_…, so that an application's own may stand beside them.
-- DDL commits by itself here, so each statement bears being run again after a crash half way. A statement ends in `;` at the end of a line.
-- All text is compared bytewise (utf8mb4_bin): the order of keyset pages doesn't depend on the server's settings.
-- Times are UTC, written by UTC_TIMESTAMP: DATETIME, since a TIMESTAMP ends in 2038 and follows the session's time zone.

CREATE TABLE IF NOT EXISTS tenancy_registry (
  is_only    TINYINT     NOT NULL DEFAULT 1 PRIMARY KEY CHECK (is_only = 1),
  id         CHAR(36)    NOT NULL,
  created_at DATETIME(6) NOT NULL DEFAULT (UTC_TIMESTAMP(6))
) ENGINE=InnoDB DEFAULT CHARACTER SET utf8mb4 COLLATE utf8mb4_bin;

CREATE TABLE IF NOT EXISTS tenancy_clusters (
  name        VARCHAR(190) NOT NULL PRIMARY KEY,
  identity    VARCHAR(500) NOT NULL,
  created_at  DATETIME(6)  NOT NULL DEFAULT (UTC_TIMESTAMP(6)),
  accepted_at DATETIME(6)  NOT NULL DEFAULT (UTC_TIMESTAMP(6))
) ENGINE=InnoDB DEFAULT CHARACTER SET utf8mb4 COLLATE utf8mb4_bin;

-- One for all tenants, so that a fence is never handed out twice, not even to an id that was forgotten and registered again.
-- A row rather than AUTO_INCREMENT: on a Galera cluster that isn't in the order of time.
CREATE TABLE IF NOT EXISTS tenancy_fences (
  is_only TINYINT NOT NULL DEFAULT 1 PRIMARY KEY CHECK (is_only = 1),
  last    BIGINT  NOT NULL
) ENGINE=InnoDB;

INSERT INTO tenancy_fences (last) SELECT 0 FROM DUAL WHERE NOT EXISTS (SELECT 1 FROM tenancy_fences f);

CREATE TABLE IF NOT EXISTS tenancy_tenants (
  id                VARCHAR(64)  NOT NULL PRIMARY KEY,
  incarnation       INT          NOT NULL DEFAULT 1,
  status            VARCHAR(20)  NOT NULL CHECK (status IN
                      ('pending', 'provisioning', 'active', 'suspended', 'deprovisioning', 'deprovisioned', 'failed')),
  cluster           VARCHAR(190) NOT NULL,
  driver            VARCHAR(64)  NOT NULL,
  name              VARCHAR(190) NOT NULL,
  labels            JSON         NOT NULL,
  is_protected      TINYINT      NOT NULL DEFAULT 0,
  schema_version    VARCHAR(255),
  migrations_hash   VARCHAR(190),
  credential_ref    TEXT,
  last_error        JSON,
  -- Under way, or failed half way: {id, type, cameFrom}.
  operation         JSON,
  -- The operation that registered this incarnation; it is in the marker on the tenant's home.
  home_operation_id VARCHAR(190) NOT NULL,
  -- The call that changed the row last: a call whose answer was lost knows its own work again.
  change_id         CHAR(36),
  created_at        DATETIME(6)  NOT NULL DEFAULT (UTC_TIMESTAMP(6)),
  updated_at        DATETIME(6)  NOT NULL DEFAULT (UTC_TIMESTAMP(6)),
  activated_at      DATETIME(6),
  deprovisioned_at  DATETIME(6),
  fence             BIGINT       NOT NULL DEFAULT 0,
  lease_owner       VARCHAR(190),
  lease_host        VARCHAR(255),
  lease_since       DATETIME(6),
  lease_expires_at  DATETIME(6),
  -- MariaDB has no indexes on expressions, nor either of them on a part of the rows.
  id_lower          VARCHAR(64)  AS (LOWER(id)) STORED,
  id_reversed       VARCHAR(64)  AS (REVERSE(LOWER(id))) STORED,
  live_name         VARCHAR(190) AS (CASE WHEN status <> 'deprovisioned' THEN LOWER(name) END) STORED,
  has_error         TINYINT      AS (last_error IS NOT NULL) STORED,
  UNIQUE KEY tenants_id_without_case (id_lower),
  UNIQUE KEY tenants_placement (cluster, live_name),
  KEY tenants_status (status, id),
  -- "Who is not at this version?" is asked by every deploy, and the answer is mostly: nobody.
  KEY tenants_version (migrations_hash, schema_version),
  KEY tenants_last_error (has_error),
  KEY tenants_lease_owner (lease_owner),
  -- Neighbours by the end of an id, for "did you mean"; by its beginning there is tenants_id_without_case.
  KEY tenants_id_reversed (id_reversed)
) ENGINE=InnoDB DEFAULT CHARACTER SET utf8mb4 COLLATE utf8mb4_bin;

CREATE TABLE IF NOT EXISTS tenancy_steps (
  operation_id VARCHAR(190) NOT NULL,
  step         VARCHAR(190) NOT NULL,
  tenant       VARCHAR(64)  NOT NULL,
  operation    VARCHAR(64)  NOT NULL,
  state        VARCHAR(20)  NOT NULL CHECK (state IN ('started', 'done', 'failed')),
  attempt      INT          NOT NULL,
  error        LONGTEXT,
  started_at   DATETIME(6)  NOT NULL DEFAULT (UTC_TIMESTAMP(6)),
  finished_at  DATETIME(6),
  sequence     BIGINT       NOT NULL AUTO_INCREMENT,
  change_id    CHAR(36)     NOT NULL,
  PRIMARY KEY (operation_id, step),
  UNIQUE KEY steps_sequence (sequence)
) ENGINE=InnoDB DEFAULT CHARACTER SET utf8mb4 COLLATE utf8mb4_bin;

CREATE TABLE IF NOT EXISTS tenancy_runs (
  id          VARCHAR(190) NOT NULL PRIMARY KEY,
  sequence    BIGINT       NOT NULL AUTO_INCREMENT,
  command     VARCHAR(64)  NOT NULL,
  owner       VARCHAR(190) NOT NULL,
  host        VARCHAR(255) NOT NULL,
  target      TEXT,
  options     JSON         NOT NULL,
  selected    INT          NOT NULL,
  status      VARCHAR(20)  NOT NULL DEFAULT 'running' CHECK (status IN ('running', 'finished', 'interrupted')),
  counts      JSON,
  not_started INT,
  exit_code   INT,
  started_at  DATETIME(6)  NOT NULL DEFAULT (UTC_TIMESTAMP(6)),
  -- Pushed on by the heartbeat; past it the process is taken for dead.
  alive_until DATETIME(6)  NOT NULL,
  finished_at DATETIME(6),
  UNIQUE KEY runs_sequence (sequence),
  KEY runs_owner (owner, status)
) ENGINE=InnoDB DEFAULT CHARACTER SET utf8mb4 COLLATE utf8mb4_bin;

CREATE TABLE IF NOT EXISTS tenancy_run_tenants (
  run_id       VARCHAR(190) NOT NULL,
  tenant       VARCHAR(64)  NOT NULL,
  cluster      VARCHAR(190) NOT NULL,
  outcome      VARCHAR(20)  NOT NULL,
  attempts     INT          NOT NULL,
  from_version VARCHAR(255),
  to_version   VARCHAR(255),
  ms           BIGINT       NOT NULL,
  error        JSON,
  change_id    CHAR(36)     NOT NULL,
  recorded_at  DATETIME(6)  NOT NULL DEFAULT (UTC_TIMESTAMP(6)),
  PRIMARY KEY (run_id, tenant),
  CONSTRAINT tenancy_run_tenants_run FOREIGN KEY (run_id) REFERENCES tenancy_runs (id) ON DELETE CASCADE
) ENGINE=InnoDB DEFAULT CHARACTER SET utf8mb4 COLLATE utf8mb4_bin;

CREATE TABLE IF NOT EXISTS tenancy_events (
  sequence  BIGINT       NOT NULL AUTO_INCREMENT PRIMARY KEY,
  at        DATETIME(6)  NOT NULL DEFAULT (UTC_TIMESTAMP(6)),
  run_id    VARCHAR(190),
  tenant    VARCHAR(64),
  type      VARCHAR(190) NOT NULL,
  data      JSON         NOT NULL,
  change_id CHAR(36),
  KEY events_tenant (tenant, sequence)
) ENGINE=InnoDB DEFAULT CHARACTER SET utf8mb4 COLLATE utf8mb4_bin;

-- Where the server doesn't let this user make triggers (with binary logging it takes SUPER, or log_bin_trust_function_creators)
-- the registry does without these: nothing of ours changes an entry. A TRUNCATE no trigger can refuse.
DROP TRIGGER IF EXISTS tenancy_events_no_update;
CREATE TRIGGER tenancy_events_no_update BEFORE UPDATE ON tenancy_events FOR EACH ROW
  SIGNAL SQLSTATE '45000' SET MESSAGE_TEXT = 'tenancy_events is append-only';
DROP TRIGGER IF EXISTS tenancy_events_no_delete;
CREATE TRIGGER tenancy_events_no_delete BEFORE DELETE ON tenancy_events FOR EACH ROW
  SIGNAL SQLSTATE '45000' SET MESSAGE_TEXT = 'tenancy_events is append-only';
