-- Definitions that the event trigger of attacks/events.sql does not fire for.

=== other definitions
BEGIN;
CREATE TABLE lab.fresh (a integer);
ALTER TABLE lab.fresh ADD COLUMN b text;
CREATE INDEX ON lab.fresh (a);
GRANT SELECT ON lab.fresh TO canary_owner;
DROP TABLE lab.fresh;
ROLLBACK;
CREATE TEMP TABLE t (a integer);
DROP TABLE t;
DROP TABLE nowhere;
