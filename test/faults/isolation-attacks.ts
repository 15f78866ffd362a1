/** What one tenant's login tries on another's home. Each has to be refused. */
export interface Attack {
  /** The attacker's own schema or database. */
  readonly own: string;
  /** The other one's. */
  readonly other: string;
  readonly ownLogin: string;
  readonly otherLogin: string;
  /** What holds the other one's rights, on PostgreSQL. */
  readonly otherGroup: string;
  /** The server's number of a session of the other one's. */
  readonly session: number;
  readonly admin: string;
}

export function postgresAttacks({ own, other, ownLogin, otherLogin, otherGroup, session, admin }: Attack): readonly string[] {
  return [
    `SELECT * FROM ${other}.things`,
    `SELECT count(*) FROM ${other}.things`,
    `EXPLAIN SELECT * FROM ${other}.things`,
    `INSERT INTO ${other}.things (value) VALUES ('x')`,
    `INSERT INTO ${own}.things (value) SELECT value FROM ${other}.things`,
    `UPDATE ${other}.things SET value = 'x'`,
    `DELETE FROM ${other}.things`,
    `MERGE INTO ${other}.things t USING (SELECT 1) s ON true WHEN MATCHED THEN DELETE`,
    `TRUNCATE ${other}.things`,
    `DO $$ BEGIN LOCK TABLE ${other}.things; END $$`,
    `COPY ${other}.things TO STDOUT`,
    `COPY (SELECT * FROM ${other}.things) TO STDOUT`,
    `COPY ${own}.things TO '/tmp/stolen'`,
    `COPY ${own}.things (value) FROM PROGRAM 'id'`,
    `SELECT * FROM query_to_xml('SELECT * FROM ${other}.things', true, true, '')`,
    `SELECT ${other}.peek()`,
    `SELECT nextval('${other}.things_id_seq')`,
    `SELECT setval('${other}.things_id_seq', 1)`,
    `SELECT last_value FROM ${other}.things_id_seq`,
    `SELECT '${other}.things'::regclass`,
    `SELECT * FROM ${other}.seen`,
    `CREATE VIEW pg_temp.spy AS SELECT * FROM ${other}.things`,
    `CREATE TABLE ${other}.planted (id int)`,
    `CREATE FUNCTION ${other}.planted() RETURNS int LANGUAGE sql AS 'SELECT 1'`,
    `CREATE INDEX ON ${other}.things (value)`,
    `CREATE TRIGGER planted AFTER INSERT ON ${other}.things EXECUTE FUNCTION ${other}.planted()`,
    `ALTER TABLE ${other}.things ADD COLUMN planted int`,
    `ALTER TABLE ${other}.things OWNER TO ${ownLogin}`,
    `DROP TABLE ${other}.things`,
    `DROP SCHEMA ${other} CASCADE`,
    `ALTER SCHEMA ${other} RENAME TO mine`,
    `ALTER SCHEMA ${other} OWNER TO ${ownLogin}`,
    `COMMENT ON SCHEMA ${other} IS 'mine'`,
    `GRANT USAGE ON SCHEMA ${other} TO ${ownLogin}`,
    `GRANT ${otherGroup} TO ${ownLogin}`,
    `SET ROLE ${otherLogin}`,
    `SET ROLE ${otherGroup}`,
    `SET ROLE ${admin}`,
    `SET SESSION AUTHORIZATION ${otherLogin}`,
    `ALTER ROLE ${otherLogin} PASSWORD 'x'`,
    `ALTER ROLE ${otherLogin} NOLOGIN`,
    `ALTER ROLE ${otherLogin} SET search_path TO ${own}`,
    `ALTER ROLE ${ownLogin} SUPERUSER`,
    `ALTER ROLE ${ownLogin} CREATEROLE`,
    `DROP ROLE ${otherLogin}`,
    `DROP OWNED BY ${otherLogin}`,
    `REASSIGN OWNED BY ${otherLogin} TO ${ownLogin}`,
    `CREATE ROLE planted`,
    `CREATE DATABASE planted`,
    `CREATE SCHEMA planted`,
    `CREATE TABLE public.planted (id int)`,
    `CREATE TABLE ${own}.planted (id int)`,
    `CREATE FUNCTION ${own}.planted() RETURNS int LANGUAGE sql AS 'SELECT 1'`,
    `DROP TABLE ${own}.things`,
    `ALTER TABLE ${own}.things ADD COLUMN planted int`,
    `CREATE EXTENSION file_fdw`,
    `ALTER DEFAULT PRIVILEGES FOR ROLE ${otherLogin} GRANT SELECT ON TABLES TO ${ownLogin}`,
    `SELECT pg_read_file('PG_VERSION')`,
    `SELECT lo_import('/etc/hostname')`,
    `SELECT rolpassword FROM pg_authid`,
    `SELECT passwd FROM pg_shadow`,
    `SELECT pg_terminate_backend(${session})`,
    `SELECT pg_cancel_backend(${session})`,
    `ALTER SYSTEM SET log_statement = 'all'`,
    `SELECT pg_reload_conf()`,
    `DELETE FROM ${own}._tenancy_migrations`,
    `SELECT * FROM ${own}._tenancy_state`,
  ];
}

/** In a database of its own the other one's can't even be named in a statement; what is left is the server that they share. */
export function postgresDatabaseAttacks(attack: Attack): readonly string[] {
  const isOfServer =
    /ROLE|SESSION AUTHORIZATION|OWNED|DATABASE|pg_(read|authid|shadow|terminate|cancel|reload)|SYSTEM|lo_import|TO '\/|PROGRAM|EXTENSION/;
  const shared = postgresAttacks({ ...attack, own: 'public', other: 'public' }).filter((sql) => isOfServer.test(sql));
  const { other, ownLogin } = attack;
  return [
    ...shared,
    `SELECT * FROM ${other}.public.things`,
    `DROP DATABASE ${other}`,
    `ALTER DATABASE ${other} RENAME TO mine`,
    `ALTER DATABASE ${other} OWNER TO ${ownLogin}`,
    `GRANT CONNECT ON DATABASE ${other} TO ${ownLogin}`,
    `COMMENT ON DATABASE ${other} IS 'mine'`,
    `CREATE TABLE planted (id int)`,
    `CREATE SCHEMA planted`,
    `DROP TABLE things`,
    `SELECT * FROM _tenancy._tenancy_state`,
    `DELETE FROM _tenancy._tenancy_migrations`,
  ];
}

export function mysqlAttacks({ own, other, ownLogin, otherLogin, session }: Attack): readonly string[] {
  return [
    `SELECT * FROM \`${other}\`.things`,
    `EXPLAIN SELECT * FROM \`${other}\`.things`,
    `INSERT INTO \`${other}\`.things (value) VALUES ('x')`,
    `INSERT INTO \`${own}\`.things (value) SELECT value FROM \`${other}\`.things`,
    `REPLACE INTO \`${other}\`.things (value) VALUES ('x')`,
    `UPDATE \`${other}\`.things SET value = 'x'`,
    `UPDATE \`${own}\`.things a, \`${other}\`.things b SET b.value = 'x'`,
    `DELETE FROM \`${other}\`.things`,
    `TRUNCATE \`${other}\`.things`,
    `LOCK TABLES \`${other}\`.things READ`,
    `HANDLER \`${other}\`.things OPEN`,
    `SHOW CREATE TABLE \`${other}\`.things`,
    `SHOW TABLES FROM \`${other}\``,
    `DESCRIBE \`${other}\`.things`,
    `USE \`${other}\``,
    `CALL \`${other}\`.peek()`,
    `CREATE TABLE \`${other}\`.planted (id int)`,
    `CREATE TEMPORARY TABLE \`${other}\`.planted (id int)`,
    `CREATE VIEW \`${other}\`.planted AS SELECT 1`,
    `CREATE TRIGGER \`${other}\`.planted BEFORE INSERT ON \`${other}\`.things FOR EACH ROW SET @x = 1`,
    `CREATE PROCEDURE \`${other}\`.planted() SELECT 1`,
    `CREATE EVENT \`${other}\`.planted ON SCHEDULE EVERY 1 DAY DO SELECT 1`,
    `CREATE INDEX planted ON \`${other}\`.things (value)`,
    `ALTER TABLE \`${other}\`.things ADD COLUMN planted int`,
    `RENAME TABLE \`${other}\`.things TO \`${own}\`.stolen`,
    `DROP TABLE \`${other}\`.things`,
    `DROP DATABASE \`${other}\``,
    `ALTER DATABASE \`${other}\` CHARACTER SET latin1`,
    `CREATE DATABASE planted`,
    `CREATE TABLE \`${own}\`.planted (id int)`,
    `CREATE VIEW \`${own}\`.spy AS SELECT * FROM \`${other}\`.things`,
    `CREATE PROCEDURE \`${own}\`.planted() SELECT 1`,
    `DROP TABLE \`${own}\`.things`,
    `LOAD DATA INFILE '/etc/hostname' INTO TABLE \`${own}\`.things (value)`,
    `SELECT * FROM \`${own}\`.things INTO OUTFILE '/tmp/stolen-by-mysql'`,
    `GRANT SELECT ON \`${other}\`.* TO '${ownLogin}'@'%'`,
    `GRANT SELECT ON \`${own}\`.* TO '${otherLogin}'@'%'`,
    `SHOW GRANTS FOR '${otherLogin}'@'%'`,
    `SHOW CREATE USER '${otherLogin}'@'%'`,
    `SET PASSWORD FOR '${otherLogin}'@'%' = PASSWORD('x')`,
    `ALTER USER '${otherLogin}'@'%' ACCOUNT LOCK`,
    `DROP USER '${otherLogin}'@'%'`,
    `CREATE USER planted`,
    `SET GLOBAL general_log = 1`,
    `KILL ${session}`,
    `FLUSH PRIVILEGES`,
    `SELECT * FROM mysql.user`,
    `SELECT * FROM mysql.db`,
    `SELECT * FROM _tenancy.homes`,
    `INSERT INTO _tenancy.accounts VALUES ('${own}', '${otherLogin}', '%')`,
  ];
}
