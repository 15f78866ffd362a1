CREATE TABLE accounts (
  id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  name text NOT NULL CHECK (name <> ''),
  billing_email citext NOT NULL,
  plan_code text NOT NULL REFERENCES plans (code) ON UPDATE CASCADE,
  created_at timestamptz NOT NULL DEFAULT now(),
  closed_at timestamptz,
  CHECK (closed_at >= created_at)
);

CREATE INDEX accounts_plan_code_idx ON accounts (plan_code);
