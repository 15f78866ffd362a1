-- What is asked of a run from elsewhere, whether its process holds, and why it ended.

ALTER TABLE tenancy.runs
  ADD COLUMN control    text NOT NULL DEFAULT 'go-on' CHECK (control IN ('go-on', 'pause', 'cancel', 'abort')),
  ADD COLUMN control_by text,
  ADD COLUMN paused_at  timestamptz,
  ADD COLUMN end_reason text;
