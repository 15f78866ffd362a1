-- What is asked of a run from elsewhere, whether its process holds, and why it ended. One statement: it is carried out as a whole or not at all.

ALTER TABLE tenancy_runs
  ADD COLUMN control    VARCHAR(20)  NOT NULL DEFAULT 'go-on' CHECK (control IN ('go-on', 'pause', 'cancel', 'abort')),
  ADD COLUMN control_by VARCHAR(255),
  ADD COLUMN paused_at  DATETIME(6),
  ADD COLUMN end_reason VARCHAR(64);
