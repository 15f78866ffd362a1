-- PL/pgSQL keeps the plan of a session's first event. Made while few chains were there, it reads the whole table of heads for each event of
-- a run, and a run that makes thousands of chains is over before autovacuum's statistics would have it planned anew.
ALTER FUNCTION tenancy.chain_event() SET enable_seqscan = off;
