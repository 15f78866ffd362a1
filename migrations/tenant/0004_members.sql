CREATE TYPE member_role AS ENUM ('owner', 'admin', 'editor', 'viewer');

CREATE TABLE members (
  id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  account_id bigint NOT NULL REFERENCES accounts (id) ON DELETE CASCADE,
  email citext NOT NULL,
  full_name text NOT NULL,
  role member_role NOT NULL DEFAULT 'viewer',
  invited_at timestamptz NOT NULL DEFAULT now(),
  joined_at timestamptz,
  UNIQUE (account_id, email)
);

-- An account has one owner, and any number of the others.
CREATE UNIQUE INDEX members_one_owner_idx ON members (account_id) WHERE role = 'owner';
