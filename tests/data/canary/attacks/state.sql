-- What a name means changes: search_path, temporary relations, roles, DDL by others, statements
-- prepared under one state and run under another.

=== search path to the other schema
SET search_path = hr;
SELECT email || '' FROM people;

=== search path in one message
SET search_path = hr; SELECT email || '' FROM people;

=== search path by set_config
SELECT set_config('search_path', 'hr', false);
SELECT email || '' FROM people;

=== search path by set_config in one message
SELECT set_config('search_path', 'hr', false); SELECT email || '' FROM people;

=== search path by set_config in the same statement
SELECT set_config('search_path', 'hr', false), (SELECT max(email) FROM people);

=== search path by a bound value
\bind text search_path | "Odd Schema"
SELECT set_config($1, $2, false);
SELECT "table" || '' FROM "user";

=== search path by the start-up message
-- startup: search_path=hr,public
SELECT email || '' FROM people;

=== search path by start-up options
-- startup: options=-c search_path=hr
SELECT email || '' FROM people;

=== search path rolled back
SET search_path = lab, public;
BEGIN;
SET search_path = hr;
ROLLBACK;
SELECT email || '' FROM people;

=== search path local, then committed
CREATE TEMP TABLE x (a int);
BEGIN;
SET LOCAL search_path = lab;
COMMIT;
SELECT email || '' FROM people;

=== search path to a savepoint
BEGIN;
SAVEPOINT a;
SET search_path = lab;
ROLLBACK TO a;
SELECT email || '' FROM people;
COMMIT;

=== search path reset
SET search_path = lab;
RESET search_path;
SELECT email || '' FROM people;

=== search path by reset all
SET search_path = lab;
RESET ALL; SELECT email || '' FROM people;

=== search path by discard all
SET search_path = lab;
DISCARD ALL;
SELECT email || '' FROM people;

=== search path default
SET search_path TO DEFAULT; SELECT name || '' FROM people;

=== search path by pg_settings
UPDATE pg_settings SET setting = 'hr' WHERE name = 'search_path';
SELECT email || '' FROM people;

=== search path by alter role
-- as: super
ALTER ROLE canary_super IN DATABASE postgres SET search_path = hr;
SELECT email || '' FROM people;
ALTER ROLE canary_super IN DATABASE postgres RESET search_path;

=== search path from current
BEGIN;
SET LOCAL search_path FROM CURRENT;
ROLLBACK;
SELECT email || '' FROM people;

=== a schema named as the user
SET search_path = '"$user"', hr, public;
SELECT email || '' FROM people;

=== a temporary relation that shadows, dropped
CREATE TEMP TABLE people (id bigint, email citext);
SELECT email || '' FROM people;
DROP TABLE people;
SELECT email || '' FROM people;

=== a temporary relation dropped in the same message
CREATE TEMP TABLE people (id bigint, email citext);
DROP TABLE pg_temp.people; SELECT email || '' FROM people;

=== a temporary relation rolled back
BEGIN;
CREATE TEMP TABLE people (id bigint, email citext);
ROLLBACK;
SELECT email || '' FROM people;

=== a temporary relation rolled back in one message
BEGIN;
CREATE TEMP TABLE people (id bigint, email citext);
ROLLBACK; SELECT email || '' FROM people;

=== a temporary relation dropped on commit
BEGIN;
CREATE TEMP TABLE people (id bigint, email citext) ON COMMIT DROP;
COMMIT; SELECT email || '' FROM people;

=== a temporary relation dropped on commit and chain
BEGIN;
CREATE TEMP TABLE people (id bigint, email citext) ON COMMIT DROP;
COMMIT AND CHAIN;
SELECT email || '' FROM people;
COMMIT;

=== a temporary relation dropped on commit by itself
CREATE TEMP TABLE people (id bigint, email citext) ON COMMIT DROP; SELECT email || '' FROM people;
SELECT email || '' FROM people;

=== a temporary relation discarded
CREATE TEMP TABLE people (id bigint, email citext);
DISCARD TEMP;
SELECT email || '' FROM people;

=== a temporary relation discarded in the same message
CREATE TEMP TABLE people (id bigint, email citext);
DISCARD TEMPORARY; SELECT email || '' FROM people;

=== a temporary relation renamed
CREATE TEMP TABLE people (id bigint, email citext);
ALTER TABLE people RENAME TO persons;
SELECT email || '' FROM people;

=== a temporary relation renamed in the same message
CREATE TEMP TABLE people (id bigint, email citext);
ALTER TABLE people RENAME TO persons; SELECT email || '' FROM people;

=== a temporary relation dropped with its type
CREATE TYPE lab.kind AS (id bigint, email citext);
CREATE TEMP TABLE people OF lab.kind;
DROP TYPE lab.kind CASCADE;
SELECT email || '' FROM people;

=== a temporary relation dropped with its type in the same message
CREATE TYPE lab.kind2 AS (id bigint, email citext);
CREATE TEMP TABLE people OF lab.kind2;
DROP TYPE lab.kind2 CASCADE; SELECT email || '' FROM people;

=== a temporary child dropped with its parent in the same message
CREATE TABLE lab.parent (id bigint, email citext);
CREATE TEMP TABLE people () INHERITS (lab.parent);
DROP TABLE lab.parent CASCADE; SELECT email || '' FROM people;

=== a temporary view dropped with its base in the same message
CREATE TABLE lab.base (id bigint, email citext);
CREATE TEMP VIEW people AS SELECT * FROM lab.base;
DROP TABLE lab.base CASCADE; SELECT email || '' FROM people;

=== a temporary view dropped with a column in the same message
CREATE TABLE lab.base2 (id bigint, email citext);
CREATE TEMP VIEW people AS SELECT * FROM lab.base2;
ALTER TABLE lab.base2 DROP COLUMN email CASCADE; SELECT email || '' FROM people;
DROP TABLE lab.base2 CASCADE;

=== a temporary relation dropped with all that one owns
CREATE TEMP TABLE people (id bigint, email citext);
BEGIN;
DROP OWNED BY canary_app; SELECT email || '' FROM people;
ROLLBACK;

=== a shadowing schema dropped
-- as: super
CREATE SCHEMA lab3;
CREATE TABLE lab3.people (id bigint, email citext);
SET search_path = lab3, public;
SELECT email || '' FROM people;
DROP SCHEMA lab3 CASCADE;
SELECT email || '' FROM people;

=== a shadowing schema dropped at once
-- as: super
CREATE SCHEMA lab4;
CREATE TABLE lab4.people (id bigint, email citext);
SET search_path = lab4, public;
SELECT email || '' FROM people;
DROP SCHEMA lab4 CASCADE; SELECT email || '' FROM people;

=== a shadowing schema renamed at once
-- as: super
CREATE SCHEMA lab5;
CREATE TABLE lab5.people (id bigint, email citext);
SET search_path = lab5, public;
SELECT email || '' FROM people;
ALTER SCHEMA lab5 RENAME TO lab6; SELECT email || '' FROM people;
DROP SCHEMA IF EXISTS lab6 CASCADE;
DROP SCHEMA IF EXISTS lab5 CASCADE;

=== a shadowing schema's use revoked at once
-- as: owner
\session 2 super
CREATE SCHEMA lab7;
CREATE TABLE lab7.people (id bigint, email citext);
GRANT USAGE ON SCHEMA lab7 TO canary_owner;
GRANT SELECT ON lab7.people TO canary_owner;
\session 1
SET search_path = lab7, public;
SELECT email || '' FROM people;
\session 2
REVOKE USAGE ON SCHEMA lab7 FROM canary_owner;
\session 1
SELECT email || '' FROM people;
\session 2
DROP SCHEMA lab7 CASCADE;

=== a shadowing relation dropped
SET search_path = lab, public;
CREATE TABLE lab.people (id bigint, email citext);
SELECT email || '' FROM people;
DROP TABLE lab.people;
SELECT email || '' FROM people;

=== a shadowing relation dropped at once
SET search_path = lab, public;
CREATE TABLE lab.people (id bigint, email citext);
DROP TABLE lab.people; SELECT email || '' FROM people;

=== a shadowing relation dropped with its type at once
SET search_path = lab, public;
CREATE TYPE lab.kind3 AS (id bigint, email citext);
CREATE TABLE lab.people OF lab.kind3;
SELECT email || '' FROM people;
DROP TYPE lab.kind3 CASCADE; SELECT email || '' FROM people;

=== a shadowing relation dropped by another session
SET search_path = lab, public;
CREATE TABLE lab.people (id bigint, email citext);
SELECT email || '' FROM people;
\session 2
DROP TABLE lab.people;
\session 1
SELECT email || '' FROM people;

=== a shadowing relation renamed by another session
SET search_path = lab, public;
CREATE TABLE lab.people (id bigint, email citext);
SELECT email || '' FROM people;
\session 2
ALTER TABLE lab.people RENAME TO persons;
\session 1
SELECT email || '' FROM people;
DROP TABLE IF EXISTS lab.persons;
DROP TABLE IF EXISTS lab.people;

=== a shadowing relation moved by another session
CREATE TABLE lab.people (id bigint, email citext);
SET search_path = lab, public;
SELECT email || '' FROM people;
\session 2
BEGIN;
DROP TABLE lab.people;
COMMIT;
\session 1
SELECT email || '' FROM people;

=== a shadowing relation dropped by another session's type
SET search_path = lab, public;
CREATE TYPE lab.kind5 AS (id bigint, email citext);
CREATE TABLE lab.people OF lab.kind5;
SELECT email || '' FROM people;
\session 2
DROP TYPE lab.kind5 CASCADE;
\session 1
SELECT email || '' FROM people;

=== a shadowing relation dropped by another session, prepared
SET search_path = lab, public;
CREATE TABLE lab.people (id bigint, email citext);
PREPARE p AS SELECT email || '' FROM people;
EXECUTE p;
\session 2
DROP TABLE lab.people;
\session 1
EXECUTE p;

=== a shadowing relation dropped by another session, a named statement
SET search_path = lab, public;
CREATE TABLE lab.people (id bigint, email citext);
\named s
SELECT email || '' FROM people;
\again s text
\session 2
DROP TABLE lab.people;
\session 1
\again s text

=== prepared over a temporary relation
CREATE TEMP TABLE people (id bigint, email citext);
PREPARE p AS SELECT email || '' FROM people;
EXECUTE p;
DROP TABLE people;
EXECUTE p;

=== prepared over a temporary relation, at once
CREATE TEMP TABLE people (id bigint, email citext);
PREPARE p AS SELECT email || '' FROM people;
DROP TABLE people; EXECUTE p;

=== prepared over a temporary relation, rolled back
BEGIN;
CREATE TEMP TABLE people (id bigint, email citext);
PREPARE p AS SELECT email || '' FROM people;
ROLLBACK;
EXECUTE p;

=== prepared over a temporary relation, rolled back at once
BEGIN;
CREATE TEMP TABLE people (id bigint, email citext);
PREPARE p AS SELECT email || '' FROM people;
ROLLBACK; EXECUTE p;

=== prepared over a temporary relation, discarded
CREATE TEMP TABLE people (id bigint, email citext);
PREPARE p AS SELECT email || '' FROM people;
DISCARD TEMP;
EXECUTE p;

=== prepared over a temporary relation, renamed
CREATE TEMP TABLE people (id bigint, email citext);
PREPARE p AS SELECT email || '' FROM people;
ALTER TABLE people RENAME TO q;
EXECUTE p;

=== prepared over a temporary relation, its type dropped
CREATE TYPE lab.kind4 AS (id bigint, email citext);
CREATE TEMP TABLE people OF lab.kind4;
PREPARE p AS SELECT email || '' FROM people;
DROP TYPE lab.kind4 CASCADE;
EXECUTE p;

=== a named statement over a temporary relation
CREATE TEMP TABLE people (id bigint, email citext);
\named s
SELECT email || '' FROM people;
\again s text
DROP TABLE people;
\again s text

=== a named statement over a temporary relation rolled back
BEGIN;
CREATE TEMP TABLE people (id bigint, email citext);
\named s
SELECT email || '' FROM people;
ROLLBACK;
\again s text

=== prepared before a temporary relation
PREPARE p AS SELECT email || '' FROM people;
CREATE TEMP TABLE people (id bigint, email citext);
EXECUTE p;
DROP TABLE people;
EXECUTE p;

=== prepared and executed by explain
PREPARE p AS SELECT email || '' FROM people WHERE id = 1;
EXPLAIN ANALYZE EXECUTE p;
EXECUTE p;

=== prepared twice under one name
PREPARE p AS SELECT 1;
DEALLOCATE p; PREPARE p AS SELECT email || '' FROM people; EXECUTE p;

=== prepared in a message that fails
PREPARE p AS SELECT 1;
BEGIN; DEALLOCATE p; PREPARE p AS SELECT email || '' FROM people; COMMIT;
EXECUTE p;

=== prepared by protocol, executed by SQL
\named s
SELECT email || '' FROM people;
EXECUTE s;

=== prepared by SQL, executed by protocol
PREPARE s AS SELECT email || '' FROM people;
\again s text

=== cursors
BEGIN;
DECLARE c CURSOR FOR SELECT email || '' FROM people;
FETCH 3 FROM c;
FETCH ALL c;
COMMIT;

=== cursor with hold
DECLARE c SCROLL CURSOR WITH HOLD FOR SELECT email || '' FROM people;
FETCH ALL c;
FETCH BACKWARD 2 c;
CLOSE c;

=== cursor binary
BEGIN;
DECLARE c BINARY CURSOR FOR SELECT * FROM people;
FETCH ALL c;
COMMIT;

=== cursor insensitive scroll moved
BEGIN;
DECLARE c INSENSITIVE SCROLL CURSOR FOR SELECT name || '' FROM people ORDER BY id;
MOVE 3 IN c;
FETCH RELATIVE 1 FROM c;
FETCH ABSOLUTE 1 FROM c;
FETCH LAST FROM c;
COMMIT;

=== cursor named like a relation
BEGIN;
DECLARE people CURSOR FOR SELECT name || '' FROM people;
FETCH ALL people;
COMMIT;

=== cursor over a temporary relation that shadows
BEGIN;
CREATE TEMP TABLE people (id bigint, email citext);
DECLARE c CURSOR FOR SELECT email || '' FROM people;
FETCH ALL c;
DROP TABLE IF EXISTS pg_temp.x; CLOSE c;
ROLLBACK; BEGIN; DECLARE c CURSOR FOR SELECT email || '' FROM people; FETCH ALL c;
COMMIT;

=== cursor that a function opened
BEGIN;
SELECT open_cursor();
FETCH ALL opened;
COMMIT;

=== portal of a statement in a failed transaction
BEGIN;
SELECT 1 / 0;
ROLLBACK; SELECT email || '' FROM people;

=== set role
-- as: super
SET ROLE canary_owner;
SELECT email || '' FROM people;
RESET ROLE;
SELECT name || '' FROM people;

=== set session authorization
-- as: super
SET SESSION AUTHORIZATION canary_app;
SELECT email || '' FROM people;
RESET SESSION AUTHORIZATION;

=== set role local
-- as: super
BEGIN;
SET LOCAL ROLE canary_owner;
SELECT email || '' FROM people;
COMMIT;

=== row security off
-- as: owner
SET row_security = off;
SELECT entry || '' FROM diary;

=== standard conforming strings
SET standard_conforming_strings = off;
SELECT E'\'' || name FROM people WHERE name <> '\'';

=== standard conforming strings by options
-- startup: options=-c standard_conforming_strings=off
SELECT E'\'' || name FROM people WHERE name <> '\'';

=== backslash quote
SET backslash_quote = on;
SELECT '' || name || E'\'' FROM people;

=== client encoding
SET client_encoding = 'SJIS';
SELECT name || '' FROM people;

=== client encoding by set names
SET NAMES 'LATIN1';
SELECT name || '' FROM people;

=== datestyle
SET datestyle = 'German, DMY';
SELECT birth FROM people;

=== datestyle sql
SET datestyle = 'SQL, MDY';
SELECT birth + 0 FROM people;

=== bytea output
SET bytea_output = 'escape';
SELECT c_bytea FROM vault;

=== xmlbinary
SET xmlbinary = 'hex';
SELECT xmlelement(NAME a, c_bytea) FROM vault;

=== read only
BEGIN TRANSACTION READ ONLY;
SELECT email || '' FROM people;
COMMIT;

=== isolation
START TRANSACTION ISOLATION LEVEL SERIALIZABLE READ ONLY DEFERRABLE;
SELECT email || '' FROM people;
COMMIT;

=== a view dropped and its name taken
-- as: owner
BEGIN;
DROP VIEW v_counts;
ALTER VIEW v_expr RENAME TO v_counts;
SELECT * FROM v_counts;
ROLLBACK;

=== discard plans
PREPARE p AS SELECT email || '' FROM people;
DISCARD PLANS;
EXECUTE p;

=== a temporary relation dropped in a pipeline
CREATE TEMP TABLE people (id bigint, email citext);
\pipeline
DROP TABLE pg_temp.people
SELECT email || '' FROM people;

=== a temporary relation rolled back in a pipeline
BEGIN;
CREATE TEMP TABLE people (id bigint, email citext);
\pipeline
ROLLBACK
SELECT email || '' FROM people;

=== a temporary relation dropped with its type in a pipeline
CREATE TYPE lab.kind8 AS (id bigint, email citext);
CREATE TEMP TABLE people OF lab.kind8;
SELECT email || '' FROM people;
\pipeline
DROP TYPE lab.kind8 CASCADE
SELECT email || '' FROM people;

=== search path in a pipeline
\pipeline
SELECT set_config('search_path', 'hr', false)
SELECT email || '' FROM people;

=== search path rolled back in a pipeline
SET search_path = lab, public;
BEGIN;
SET search_path = hr;
\pipeline
ROLLBACK
SELECT email || '' FROM people;

=== discard in a pipeline
CREATE TEMP TABLE people (id bigint, email citext);
SET search_path = lab, pg_temp;
\pipeline
RESET search_path
DROP TABLE pg_temp.people
SELECT email || '' FROM people;

=== prepared in a pipeline after a drop
CREATE TEMP TABLE people (id bigint, email citext);
PREPARE p AS SELECT email || '' FROM people;
\pipeline
DROP TABLE pg_temp.people
EXECUTE p;

=== prepared in a pipeline after a failed statement
PREPARE p AS SELECT 1;
\pipeline
PREPARE q AS SELECT email || '' FROM people
EXECUTE q
SELECT 1 / 0
SELECT name FROM people;

=== a rename in a pipeline
-- as: super
BEGIN;
\pipeline
ALTER SCHEMA hr RENAME TO hr5
SELECT email || '' FROM hr5.people
ALTER SCHEMA hr5 RENAME TO hr;
ROLLBACK;

=== cursor in a pipeline
BEGIN;
\pipeline
DECLARE c CURSOR FOR SELECT email || '' FROM people
FETCH ALL c
CLOSE c;
COMMIT;

=== everything in one pipeline
\pipeline
BEGIN
SELECT 1
SELECT name || '' FROM people
COPY people TO STDOUT
COMMIT;
