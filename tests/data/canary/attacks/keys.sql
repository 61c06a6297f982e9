-- The key of the keyed masks, which exists in sessions of the proxy alone.

=== each settings
-- key
SHOW pgwarrant.key
SHOW "pgwarrant.key"
SHOW PGWARRANT.KEY
SHOW ALL
SELECT current_setting('pgwarrant.key')
SELECT current_setting('pgwarrant' || '.key')
SELECT current_setting(lower('PGWARRANT.KEY'), true)
SELECT current_setting(E'pgwarrant.\x6bey', true)
SELECT current_setting(x) FROM (VALUES ('pgwarrant.key')) AS v(x)
SELECT pg_catalog.current_setting('PgWarrant.Key', true)
SELECT "current_setting"('pgwarrant.key', true)
SELECT set_config('pgwarrant.key', NULL, false)
SELECT set_config('my.x', current_setting('pgwarrant.key'), false)
SET my.x FROM CURRENT
SELECT name, setting FROM pg_settings WHERE name LIKE 'pgwarrant%'
SELECT * FROM pg_show_all_settings() WHERE name LIKE 'pgwarrant%'
SELECT * FROM pg_settings
SELECT setconfig FROM pg_db_role_setting
SELECT dynamic('SELECT current_setting(''pgwarrant.key'')')
SELECT query_to_xml('SHOW ALL', true, false, '')
EXPLAIN (VERBOSE) SELECT c_varchar, email FROM vault, hr.people
EXPLAIN (ANALYZE, VERBOSE, SETTINGS) SELECT c_varchar FROM vault
SELECT statement FROM pg_prepared_statements
SELECT query FROM pg_stat_activity
DO $$ BEGIN RAISE NOTICE '%', current_setting('pgwarrant.key'); END $$

=== stored with a role
-- key
-- as: super
BEGIN;
ALTER ROLE canary_app SET pgwarrant.key FROM CURRENT;
SELECT setconfig FROM pg_db_role_setting;
ROLLBACK;

=== stored with a database
-- key
-- as: super
BEGIN;
ALTER DATABASE postgres SET pgwarrant.key FROM CURRENT;
SELECT setconfig FROM pg_db_role_setting;
ROLLBACK;

=== in an error
-- key
SELECT current_setting('pgwarrant.key')::integer;
SELECT c_varchar::integer FROM vault;
SELECT email::integer FROM hr.people;

=== a bound name
-- key
\bind text pgwarrant.key
SELECT current_setting($1);

=== prepared
-- key
PREPARE p (text) AS SELECT current_setting($1);
EXECUTE p ('pgwarrant.key');

=== reset and shown
-- key
RESET ALL;
DISCARD ALL;
SELECT current_setting('pgwarrant.key', true);
