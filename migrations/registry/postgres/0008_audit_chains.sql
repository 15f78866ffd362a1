-- The audit trail becomes a hash chain for each tenant, and one, '*', of what belongs to none: an event that is edited, taken out, put in
-- or cut off at the end shows. The trigger chains whatever is written, also by a process of an older version that still runs.

ALTER TABLE tenancy.events
  -- Its place in its chain, from 1; 0: from before there was one.
  ADD COLUMN place    bigint NOT NULL DEFAULT 0,
  ADD COLUMN actor    jsonb,
  ADD COLUMN login    text,
  ADD COLUMN previous bytea,
  ADD COLUMN hash     bytea;

CREATE INDEX events_chain ON tenancy.events ((coalesce(tenant, '*') COLLATE "C"), place, sequence);
CREATE INDEX events_settled ON tenancy.events (run_id, hash) WHERE type = 'tenant.settled';

-- The newest of each chain; locked by whoever adds to it.
CREATE TABLE tenancy.audit_heads (
  chain text COLLATE "C" PRIMARY KEY,
  place bigint NOT NULL,
  hash  bytea  NOT NULL
) WITH (fillfactor = 80);

-- SHA-256 over ten lines; none of the fields has a line break in it, so no two events are the same ten lines.
CREATE FUNCTION tenancy.hash_event(place bigint, at timestamptz, type text, data jsonb, tenant text, run_id text, actor jsonb, login text, previous bytea)
RETURNS bytea LANGUAGE sql STABLE AS $$
  SELECT sha256(convert_to(
    'tenancy event 1' || E'\n' || place || E'\n' || to_char(at AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"') || E'\n' || type || E'\n' || data::text || E'\n'
      || coalesce(tenant, '-') || E'\n' || coalesce(run_id, '-') || E'\n' || coalesce(actor::text, '-') || E'\n' || coalesce(login, '-') || E'\n'
      || encode(previous, 'hex'), 'UTF8'))
$$;

-- As the owner of the heads, so that nobody else needs the right to change them.
CREATE FUNCTION tenancy.chain_event() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
  its_chain CONSTANT text := coalesce(NEW.tenant, '*');
  head tenancy.audit_heads;
BEGIN
  SELECT * INTO head FROM tenancy.audit_heads h WHERE h.chain = its_chain FOR UPDATE;
  IF NOT FOUND THEN
    INSERT INTO tenancy.audit_heads (chain, place, hash) VALUES (its_chain, 0, decode(repeat('00', 32), 'hex')) ON CONFLICT DO NOTHING;
    SELECT * INTO STRICT head FROM tenancy.audit_heads h WHERE h.chain = its_chain FOR UPDATE;
  END IF;
  -- Of after the wait for the head.
  NEW.at := clock_timestamp();
  NEW.place := head.place + 1;
  NEW.login := session_user;
  NEW.previous := head.hash;
  NEW.hash := tenancy.hash_event(NEW.place, NEW.at, NEW.type, NEW.data, NEW.tenant, NEW.run_id, NEW.actor, NEW.login, NEW.previous);
  UPDATE tenancy.audit_heads h SET place = NEW.place, hash = NEW.hash WHERE h.chain = its_chain;
  RETURN NEW;
END
$$;

CREATE TRIGGER events_chained BEFORE INSERT ON tenancy.events FOR EACH ROW EXECUTE FUNCTION tenancy.chain_event();

-- What there was before begins each chain: how many events, and a hash over them.
INSERT INTO tenancy.events (tenant, type, data)
SELECT tenant, 'audit.anchored',
       jsonb_build_object('events', count(*), 'digest', encode(sha256(convert_to(string_agg(
         encode(tenancy.hash_event(0, at, type, data, tenant, run_id, actor, login, decode(repeat('00', 32), 'hex')), 'hex'), '' ORDER BY sequence), 'UTF8')), 'hex'))
  FROM tenancy.events GROUP BY tenant ORDER BY tenant;
