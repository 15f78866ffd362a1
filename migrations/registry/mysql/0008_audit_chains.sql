-- The audit trail becomes a hash chain for each tenant, and one, '*', of what belongs to none: an event that is edited, taken out, put in
-- or cut off at the end shows. One statement each: it is carried out as a whole or not at all.

ALTER TABLE tenancy_events
  ADD COLUMN place    BIGINT NOT NULL DEFAULT 0,
  ADD COLUMN actor    TEXT,
  ADD COLUMN login    VARCHAR(255),
  ADD COLUMN previous CHAR(64) CHARACTER SET ascii COLLATE ascii_bin,
  ADD COLUMN hash     CHAR(64) CHARACTER SET ascii COLLATE ascii_bin,
  ADD COLUMN chain    VARCHAR(64) AS (COALESCE(tenant, '*')) STORED,
  ADD KEY events_chain (chain, place, sequence),
  ADD KEY events_run (run_id, type, hash);

-- The newest of each chain; locked by whoever adds to it.
CREATE TABLE IF NOT EXISTS tenancy_audit_heads (
  chain VARCHAR(64) NOT NULL PRIMARY KEY,
  place BIGINT      NOT NULL,
  hash  CHAR(64) CHARACTER SET ascii COLLATE ascii_bin NOT NULL
) ENGINE=InnoDB DEFAULT CHARACTER SET utf8mb4 COLLATE utf8mb4_bin;

-- What there was before begins each chain: how many events, and a hash over them.
INSERT INTO tenancy_events (tenant, type, data, at, place, login, previous, hash)
SELECT a.tenant, 'audit.anchored', a.data, UTC_TIMESTAMP(6), 1, CURRENT_USER(), REPEAT('0', 64),
       SHA2(CONCAT_WS('\n', 'tenancy event 1', 1, DATE_FORMAT(UTC_TIMESTAMP(6), '%Y-%m-%dT%H:%i:%s.%fZ'), 'audit.anchored', CONCAT(a.data),
         COALESCE(a.tenant, '-'), '-', '-', CURRENT_USER(), REPEAT('0', 64)), 256)
  FROM (
    SELECT o.tenant, JSON_MERGE_PRESERVE('{}', JSON_OBJECT('events', COUNT(*), 'digest', SHA2(GROUP_CONCAT(o.hash ORDER BY o.sequence SEPARATOR ''), 256))) AS data
      FROM (
        SELECT e.tenant, e.sequence,
               SHA2(CONCAT_WS('\n', 'tenancy event 1', 0, DATE_FORMAT(e.at, '%Y-%m-%dT%H:%i:%s.%fZ'), e.type, CONCAT(e.data), COALESCE(e.tenant, '-'),
                 COALESCE(e.run_id, '-'), '-', '-', REPEAT('0', 64)), 256) AS hash
          FROM tenancy_events e
         WHERE NOT EXISTS (SELECT 1 FROM tenancy_events c WHERE c.chain = e.chain AND c.place > 0)
      ) o
     GROUP BY o.tenant
  ) a;

INSERT INTO tenancy_audit_heads (chain, place, hash)
SELECT e.chain, e.place, e.hash FROM tenancy_events e WHERE e.place = 1 ON DUPLICATE KEY UPDATE chain = VALUES(chain);
