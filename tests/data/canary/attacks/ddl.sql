-- Definitions that launder: renames, copies of structure, views, indexes, domains, statistics.

=== rename the table
-- as: owner
BEGIN;
ALTER TABLE people RENAME TO persons;
SELECT email || '' FROM persons;
ROLLBACK;

=== rename the table in one message
-- as: owner
BEGIN; ALTER TABLE people RENAME TO persons; SELECT email || '' FROM persons; ROLLBACK;

=== rename a column
-- as: owner
BEGIN;
ALTER TABLE people RENAME COLUMN email TO mail;
SELECT mail || '' FROM people;
ROLLBACK;

=== rename a column of a view
-- as: owner
BEGIN;
ALTER VIEW v_people RENAME COLUMN email TO mail;
SELECT mail || '' FROM v_people;
ROLLBACK;

=== rename the schema
-- as: super
BEGIN;
ALTER SCHEMA hr RENAME TO hr2;
SELECT email || '' FROM hr2.people;
ROLLBACK;

=== rename the schema in one message
-- as: super
BEGIN; ALTER SCHEMA hr RENAME TO hr2; SELECT email || '' FROM hr2.people; ROLLBACK;

=== rename the schema to one on the path
-- as: super
BEGIN; ALTER SCHEMA public RENAME TO p1; ALTER SCHEMA hr RENAME TO public; SELECT email || '' FROM people; ROLLBACK;

=== rename the schema and back
-- as: super
ALTER SCHEMA hr RENAME TO hr2;
SELECT email || '' FROM hr2.people;
ALTER SCHEMA hr2 RENAME TO hr;

=== rename the schema under another session
-- as: super
BEGIN;
SELECT 1;
COMMIT;
\session 2
ALTER SCHEMA hr RENAME TO hr3;
\session 1
SELECT email || '' FROM hr3.people;
ALTER SCHEMA hr3 RENAME TO hr;

=== move to another schema
-- as: owner
BEGIN;
ALTER TABLE people SET SCHEMA hr;
ROLLBACK;
BEGIN; ALTER TABLE vault SET SCHEMA hr; SELECT c_text || '' FROM hr.vault; ROLLBACK;

=== inherit
-- as: owner
BEGIN;
CREATE TABLE kid () INHERITS (people);
SELECT email || '' FROM people LIMIT 1;
INSERT INTO kid SELECT * FROM ONLY people;
SELECT email || '' FROM kid;
ROLLBACK;

=== like
-- as: owner
BEGIN;
CREATE TABLE copy_of (LIKE hr.people INCLUDING ALL);
INSERT INTO copy_of SELECT * FROM hr.people;
SELECT * FROM copy_of;
ROLLBACK;

=== a new parent
-- as: owner
BEGIN;
CREATE TABLE parent (id bigint, team text, email text, wage numeric(20, 2));
ALTER TABLE hr.people INHERIT parent;
SELECT email || '' FROM parent;
ROLLBACK;

=== a new parent in one message
-- as: owner
CREATE TABLE parent2 (id bigint, team text, email text, wage numeric(20, 2));
BEGIN; ALTER TABLE hr.people INHERIT parent2; SELECT email || '' FROM parent2; ROLLBACK;
DROP TABLE parent2;

=== detach a partition
-- as: owner
BEGIN;
ALTER TABLE visits DETACH PARTITION visits_us;
SELECT agent || '' FROM visits_us;
ROLLBACK;

=== attach to a root
-- as: owner
BEGIN;
CREATE TABLE root (id bigint NOT NULL, region text NOT NULL, at date NOT NULL, path text NOT NULL, ip inet NOT NULL, agent text NOT NULL) PARTITION BY LIST (region);
ALTER TABLE visits DETACH PARTITION visits_us;
ALTER TABLE root ATTACH PARTITION visits_us FOR VALUES IN ('us');
SELECT agent || '' FROM root;
ROLLBACK;

=== swap names
-- as: owner
BEGIN; ALTER TABLE items RENAME TO i2; ALTER TABLE people_log RENAME TO items; SELECT entry || '' FROM items; ROLLBACK;

=== a view
BEGIN;
CREATE VIEW lab.v AS SELECT email || '' AS e FROM people;
SELECT * FROM lab.v;
ROLLBACK;

=== a view over a view
BEGIN;
CREATE TEMP VIEW w AS SELECT email || '' AS e FROM v_people;
SELECT * FROM w;
ROLLBACK;

=== a view replaced
-- as: owner
BEGIN;
CREATE OR REPLACE VIEW v_counts AS SELECT region, count(*) AS n, sum(points) AS points, min(name) AS x FROM people GROUP BY region;
SELECT x FROM v_counts;
ROLLBACK;

=== a recursive view
BEGIN;
CREATE RECURSIVE VIEW lab.r (e) AS SELECT email::text FROM people UNION SELECT e FROM r WHERE false;
SELECT * FROM lab.r;
ROLLBACK;

=== a schema with its view
-- as: super
BEGIN;
CREATE SCHEMA s9 CREATE VIEW vv AS SELECT email || '' AS e FROM public.people;
SELECT * FROM s9.vv;
ROLLBACK;

=== a materialised view
BEGIN;
CREATE MATERIALIZED VIEW lab.m AS SELECT email || '' AS e FROM people;
SELECT * FROM lab.m;
ROLLBACK;

=== a unique index over doubles
-- as: owner
BEGIN;
CREATE UNIQUE INDEX ON mv_doubled (name);
ROLLBACK;

=== a table from a query
BEGIN;
CREATE TABLE lab.stolen AS SELECT email || '' AS e FROM people;
TABLE lab.stolen;
ROLLBACK;

=== a table from TABLE
BEGIN;
CREATE TEMP TABLE stolen AS TABLE hr.people;
TABLE stolen;
ROLLBACK;

=== a table from EXECUTE
BEGIN;
PREPARE p AS SELECT email || '' AS e FROM people;
CREATE TEMP TABLE stolen AS EXECUTE p;
TABLE stolen;
ROLLBACK;

=== a table from WITH
BEGIN;
CREATE TEMP TABLE stolen AS WITH x AS (SELECT name || '' AS n FROM people) SELECT * FROM x;
TABLE stolen;
ROLLBACK;

=== select into
BEGIN;
SELECT email || '' AS e INTO lab.stolen FROM people;
TABLE lab.stolen;
ROLLBACK;

=== select into temp
BEGIN;
SELECT p.* INTO TEMP stolen FROM hr.people p;
TABLE stolen;
ROLLBACK;

=== explain analyze creates
BEGIN;
EXPLAIN (ANALYZE, COSTS OFF) CREATE TEMP TABLE stolen AS SELECT name || '' AS n FROM people;
TABLE stolen;
ROLLBACK;

=== default that reads
BEGIN;
CREATE TABLE lab.d (a text DEFAULT first_mail());
INSERT INTO lab.d DEFAULT VALUES RETURNING a;
ROLLBACK;

=== default that reads, added
BEGIN;
ALTER TABLE lab.notes ADD COLUMN stolen text DEFAULT first_mail();
SELECT stolen FROM lab.notes;
ROLLBACK;

=== default set by attribute notation
BEGIN;
ALTER TABLE lab.notes ALTER COLUMN body SET DEFAULT public."first_mail"();
INSERT INTO lab.notes (id) VALUES (77) RETURNING body;
ROLLBACK;

=== generated column that lies
BEGIN;
CREATE TABLE lab.g (a int, b text GENERATED ALWAYS AS (lies()) STORED);
INSERT INTO lab.g VALUES (1) RETURNING b;
ROLLBACK;

=== check that reads
BEGIN;
CREATE TABLE lab.c (a text CHECK (checked(a)));
INSERT INTO lab.c VALUES ('x');
ROLLBACK;

=== index that lies
BEGIN;
CREATE INDEX ON lab.notes ((lies()));
ROLLBACK;
SELECT lies();

=== using expression of alter type
BEGIN;
ALTER TABLE lab.notes ALTER COLUMN stars TYPE text USING first_mail();
SELECT stars FROM lab.notes;
ROLLBACK;

=== domain constraint reads values out
-- as: owner
ALTER DOMAIN secret_text ADD CONSTRAINT c CHECK (VALUE::integer > 0);

=== domain constraint with a loud function
-- as: owner
BEGIN;
ALTER DOMAIN secret_text ADD CONSTRAINT c CHECK (loud(VALUE) IS NOT NULL);
ROLLBACK;

=== domain constraint validated
-- as: owner
BEGIN;
ALTER DOMAIN secret_text ADD CONSTRAINT c CHECK (VALUE::integer > 0) NOT VALID;
ALTER DOMAIN secret_text VALIDATE CONSTRAINT c;
ROLLBACK;

=== domain over a number
-- as: owner
BEGIN;
ALTER DOMAIN secret_number ADD CHECK (VALUE::text::date IS NOT NULL);
ROLLBACK;

=== analyze runs index expressions
-- as: owner
ANALYZE;

=== analyze of the table
-- as: owner
ANALYZE VERBOSE people;

=== vacuum analyze
-- as: owner
VACUUM ANALYZE;

=== reindex the schema
-- as: super
REINDEX SCHEMA public;

=== reindex the index
-- as: owner
REINDEX INDEX loud_idx;

=== reindex the table
-- as: owner
REINDEX TABLE people;

=== reindex verbosely
-- as: super
REINDEX (VERBOSE) TABLE people;

=== vacuum full
-- as: owner
VACUUM FULL;

=== cluster
-- as: owner
CLUSTER people USING loud_idx;

=== cluster everything
-- as: owner
CLUSTER;
VACUUM FULL people;

=== alter column type casts
-- as: owner
ALTER TABLE people ALTER COLUMN note TYPE integer USING note::integer;

=== add a check
-- as: owner
ALTER TABLE people ADD CHECK (note::integer > 0);

=== add a check with a loud function
-- as: owner
BEGIN;
ALTER TABLE people ADD CHECK (loud(note) IS NOT NULL);
ROLLBACK;

=== add a foreign key that fails
-- as: owner
ALTER TABLE people ADD FOREIGN KEY (name) REFERENCES items (name);

=== set not null, then partition bounds
-- as: owner
BEGIN;
ALTER TABLE people ADD EXCLUDE USING btree (region WITH =);
ROLLBACK;
ALTER TABLE people ADD UNIQUE (plan);

=== exclude with values
-- as: owner
ALTER TABLE people ADD EXCLUDE USING btree (plan WITH =);

=== index with an expression that fails
-- as: owner
CREATE INDEX ON people ((name::integer));

=== index with a loud function
-- as: owner
BEGIN;
CREATE INDEX ON people (loud(note));
ROLLBACK;

=== statistics
-- as: owner
BEGIN;
CREATE STATISTICS s1 ON (loud(note)), region FROM people;
ANALYZE people;
ROLLBACK;

=== create rule
-- as: owner
BEGIN;
CREATE RULE r AS ON UPDATE TO items DO ALSO SELECT email FROM people;
UPDATE items SET price = price;
ROLLBACK;

=== create function
BEGIN;
CREATE FUNCTION lab.steal() RETURNS text LANGUAGE sql AS 'SELECT email::text FROM people LIMIT 1';
SELECT lab.steal();
ROLLBACK;

=== create function in pg_temp
CREATE FUNCTION pg_temp.steal() RETURNS text LANGUAGE sql AS 'SELECT email::text FROM public.people LIMIT 1';
SELECT pg_temp.steal();

=== create or replace a safe function
-- as: owner
BEGIN;
CREATE OR REPLACE FUNCTION vat(amount numeric, rate numeric DEFAULT 0.2) RETURNS numeric LANGUAGE sql AS 'SELECT max(serial)::numeric FROM people';
SELECT vat(1);
ROLLBACK;

=== create procedure
BEGIN;
CREATE PROCEDURE lab.steal(INOUT e text) LANGUAGE sql AS 'SELECT email::text FROM people LIMIT 1';
CALL lab.steal('');
ROLLBACK;

=== do
DO $$ BEGIN RAISE NOTICE '%', (SELECT email FROM people LIMIT 1); END $$;

=== do in another language clause
DO LANGUAGE plpgsql 'BEGIN RAISE NOTICE ''%'', (SELECT email FROM people LIMIT 1); END';

=== create trigger
-- as: owner
BEGIN;
CREATE TRIGGER stolen BEFORE UPDATE ON items FOR EACH ROW EXECUTE FUNCTION trigger_notice();
UPDATE items SET price = price;
ROLLBACK;

=== create policy
-- as: owner
BEGIN;
CREATE POLICY p2 ON items USING (policy_check(id));
ALTER TABLE items ENABLE ROW LEVEL SECURITY;
ALTER TABLE items FORCE ROW LEVEL SECURITY;
SELECT count(*) FROM items;
ROLLBACK;

=== create aggregate
BEGIN;
CREATE AGGREGATE lab.agg(bigint) (SFUNC = sum_mail, STYPE = text);
SELECT lab.agg(id) FROM accounts;
ROLLBACK;

=== create operator
BEGIN;
CREATE OPERATOR lab.@@@ (RIGHTARG = bigint, FUNCTION = mail_of);
SELECT OPERATOR(lab.@@@) 3::bigint;
ROLLBACK;

=== create cast
-- as: owner
BEGIN;
CREATE FUNCTION t2(ticket) RETURNS integer LANGUAGE plpgsql AS $$ BEGIN RAISE NOTICE '%', (SELECT email FROM people WHERE id = 1); RETURN 1; END $$;
CREATE CAST (ticket AS integer) WITH FUNCTION t2(ticket);
SELECT ROW(1)::ticket::integer;
ROLLBACK;

=== create domain
BEGIN;
CREATE DOMAIN lab.evil AS text CHECK (checked(VALUE));
SELECT 'x'::lab.evil;
ROLLBACK;

=== create extension
-- as: super
BEGIN;
CREATE EXTENSION IF NOT EXISTS dblink;
SELECT * FROM dblink('host=127.0.0.1 dbname=' || current_database() || ' port=' || inet_server_port(), 'SELECT email::text FROM people') AS t(e text);
ROLLBACK;

=== import foreign schema
-- as: super
BEGIN;
CREATE SCHEMA far;
IMPORT FOREIGN SCHEMA public LIMIT TO (people) FROM SERVER loopback INTO far;
SELECT email || '' FROM far.people;
ROLLBACK;

=== create foreign table
-- as: super
BEGIN;
CREATE FOREIGN TABLE far_people (id bigint, email text) SERVER loopback OPTIONS (table_name 'people');
SELECT email || '' FROM far_people;
ROLLBACK;

=== turn the foreign table elsewhere
-- as: super
BEGIN;
ALTER FOREIGN TABLE remote_people OPTIONS (SET table_name 'people_log');
ALTER FOREIGN TABLE remote_people ALTER COLUMN region OPTIONS (column_name 'entry');
SELECT region || '' FROM remote_people;
ROLLBACK;

=== turn a foreign column elsewhere
-- as: super
BEGIN;
ALTER FOREIGN TABLE remote_people ALTER COLUMN region OPTIONS (ADD column_name 'name');
SELECT region || '' FROM remote_people;
ROLLBACK;

=== row security turned off
-- as: owner
ALTER TABLE diary DISABLE ROW LEVEL SECURITY;
SELECT entry || '' FROM diary;

=== drop and make a view of the same name
-- as: owner
BEGIN; DROP VIEW v_counts; CREATE VIEW v_counts AS SELECT * FROM hr.people; SELECT email || '' FROM v_counts; ROLLBACK;

=== a column added with a default from a function
-- as: owner
BEGIN;
ALTER TABLE items ADD COLUMN x text DEFAULT lies();
SELECT x FROM items;
ROLLBACK;

=== composite of the relation
BEGIN;
CREATE TABLE lab.holds (p people);
INSERT INTO lab.holds SELECT p FROM people p;
SELECT (p).email FROM lab.holds;
ROLLBACK;

=== table of a type
-- as: owner
BEGIN;
CREATE TYPE person AS (id bigint, team text, email text, wage numeric(20, 2));
ALTER TABLE hr.people OF person;
SELECT email || '' FROM hr.people;
ROLLBACK;

=== comment read back
-- as: owner
COMMENT ON TABLE items IS 'x';
SELECT obj_description('items'::regclass), (SELECT name FROM people WHERE id = 1);

=== publication
-- as: super
BEGIN;
CREATE PUBLICATION p FOR TABLE people WHERE (loud(email::text) IS NOT NULL);
ROLLBACK;
SELECT name FROM people;
