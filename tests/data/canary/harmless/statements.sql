-- Every class of statement, in transactions, in prepared statements, in cursors, in COPY, on what is
-- not protected or on the columns of protected relations that are not.

=== transaction
BEGIN;
SELECT count(*) FROM people;
SAVEPOINT a;
INSERT INTO lab.notes VALUES (10, 'x', 1);
ROLLBACK TO SAVEPOINT a;
RELEASE SAVEPOINT a;
COMMIT;

=== transaction modes
START TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY;
SHOW transaction_isolation;
SELECT count(*) FROM people;
INSERT INTO lab.notes VALUES (10, 'x', 1);
END;

=== transaction and chain
BEGIN;
SELECT 1;
COMMIT AND CHAIN;
ABORT;
COMMIT;

=== failed transaction
BEGIN;
SELECT 1 / 0;
SELECT id FROM people;
COMMIT;
SELECT id FROM people ORDER BY id;

=== set transaction
BEGIN;
SET TRANSACTION ISOLATION LEVEL SERIALIZABLE;
SET LOCAL statement_timeout = '5s';
SHOW statement_timeout;
COMMIT;
SHOW statement_timeout;

=== insert update delete
BEGIN;
INSERT INTO items (id, name, price) VALUES (100, 'new', 9.99) RETURNING id, name, price, tags;
INSERT INTO items (id, name, price) VALUES (101, 'a', 1), (102, 'b', 2);
UPDATE items SET price = price * 2, tags = tags || 'sale' WHERE id > 99 RETURNING *;
UPDATE items AS i SET price = o.total FROM orders o WHERE o.item_id = i.id AND o.id = 1 RETURNING i.id, o.id;
DELETE FROM items WHERE id = 100 RETURNING name;
DELETE FROM items USING accounts a WHERE a.id = items.id + 1000;
ROLLBACK;

=== upsert
BEGIN;
INSERT INTO items (id, name, price) VALUES (1, 'item 1', 5) ON CONFLICT (id) DO UPDATE SET price = excluded.price RETURNING *;
INSERT INTO items (id, name, price) VALUES (1, 'zzz', 5) ON CONFLICT DO NOTHING;
INSERT INTO items AS i (id, name, price) VALUES (2, 'item 2', 5) ON CONFLICT ON CONSTRAINT items_pkey DO UPDATE SET price = i.price + 1 WHERE i.price < 100 RETURNING price;
INSERT INTO items (id, name, price) VALUES (3, 'x', 5) ON CONFLICT (name) DO NOTHING;
ROLLBACK;

=== insert from protected relations, other columns
BEGIN;
INSERT INTO lab.notes SELECT id + 100, region, points FROM people RETURNING *;
INSERT INTO lab.notes (id, body) SELECT p.id + 200, a.label FROM people p JOIN accounts a ON a.id = p.account_id;
UPDATE lab.notes SET stars = (SELECT max(points) FROM people WHERE region = 'eu');
UPDATE lab.notes n SET body = p.region FROM people p WHERE p.id = n.id RETURNING n.body, p.points;
DELETE FROM lab.notes USING people p WHERE p.id = lab.notes.id AND p.region = 'us';
SELECT id, body, stars FROM lab.notes ORDER BY id;
ROLLBACK;

=== merge
BEGIN;
MERGE INTO lab.notes n USING (VALUES (1, 'one'), (9, 'nine')) AS v(id, body) ON v.id = n.id WHEN MATCHED THEN UPDATE SET body = v.body WHEN NOT MATCHED THEN INSERT (id, body) VALUES (v.id, v.body);
MERGE INTO lab.notes n USING people p ON p.id = n.id WHEN MATCHED AND p.region = 'eu' THEN DELETE WHEN MATCHED THEN DO NOTHING;
SELECT * FROM lab.notes ORDER BY id;
ROLLBACK;

=== writes in common table expressions
BEGIN;
WITH moved AS (DELETE FROM lab.notes WHERE id = 1 RETURNING *) INSERT INTO lab.notes SELECT id + 70, body, stars FROM moved RETURNING id, body;
WITH x AS (INSERT INTO items (id, name, price) VALUES (300, 'cte', 1) RETURNING id), y AS (SELECT count(*) AS n FROM people) SELECT x.id, y.n FROM x, y;
ROLLBACK;

=== returning an expression over a protected relation's other columns
BEGIN;
INSERT INTO lab.notes VALUES (400, 'x', 1) RETURNING id, (SELECT count(*) FROM people) AS n, (SELECT region FROM people WHERE id = 2);
ROLLBACK;

=== truncate
BEGIN;
TRUNCATE lab.notes;
SELECT count(*) FROM lab.notes;
TRUNCATE TABLE ONLY lab.numbers RESTART IDENTITY;
ROLLBACK;

=== temporary table
CREATE TEMP TABLE t (a integer, b text DEFAULT 'z', c numeric(8, 2));
INSERT INTO t (a) SELECT generate_series(1, 3);
CREATE INDEX ON t (a);
ALTER TABLE t ADD COLUMN d text;
UPDATE t SET d = (SELECT region FROM people WHERE people.id = t.a);
SELECT * FROM t ORDER BY a;
ANALYZE t;
DROP TABLE t;

=== temporary table with a protected relation's name
CREATE TEMP TABLE people (a integer, email text);
INSERT INTO people VALUES (1, 'mine') RETURNING email;
SELECT * FROM people;
UPDATE people SET email = 'also mine';
SELECT email, count(*) FROM people GROUP BY email;
DROP TABLE pg_temp.people;
SELECT count(*) FROM people;

=== temporary table as
CREATE TEMP TABLE regions AS SELECT region, count(*) AS n, sum(points) AS points FROM people GROUP BY region;
SELECT * FROM regions ORDER BY region;

=== select into
SELECT id, region INTO TEMP r FROM people WHERE points > 20;
SELECT * FROM r ORDER BY id;

=== tables of one's own
BEGIN;
CREATE TABLE lab.things (id serial4 PRIMARY KEY, name text NOT NULL UNIQUE CHECK (length(name) < 20), made timestamptz DEFAULT '2025-01-01', item integer REFERENCES items);
ROLLBACK;

=== tables of one's own without a sequence
BEGIN;
CREATE TABLE lab.things (id integer PRIMARY KEY, name text NOT NULL UNIQUE CHECK (length(name) < 20), item integer, CONSTRAINT c CHECK (item > 0));
INSERT INTO lab.things VALUES (1, 'a', 1);
INSERT INTO lab.things VALUES (2, 'a', 1);
ROLLBACK;

=== constraint errors of one's own
CREATE TEMP TABLE things (id integer PRIMARY KEY, name text NOT NULL, CHECK (id < 10));
INSERT INTO things VALUES (1, 'a');
INSERT INTO things VALUES (1, 'b');
INSERT INTO things VALUES (2, NULL);
INSERT INTO things VALUES (20, 'x');
INSERT INTO things VALUES ('x', 'x');
DROP TABLE things;

=== alter one's own
BEGIN;
ALTER TABLE lab.notes ADD COLUMN more text;
ALTER TABLE lab.notes RENAME COLUMN body TO words;
ALTER TABLE lab.notes ALTER COLUMN stars TYPE bigint, ALTER COLUMN stars SET DEFAULT 3;
ALTER TABLE lab.notes ADD CONSTRAINT positive CHECK (stars >= 0);
ALTER TABLE lab.notes RENAME TO remarks;
INSERT INTO lab.remarks (id, words) VALUES (50, 'w') RETURNING *;
COMMENT ON TABLE lab.remarks IS 'a comment';
CREATE INDEX remarks_words ON lab.remarks USING btree (words) WHERE stars > 1;
DROP INDEX lab.remarks_words;
ROLLBACK;

=== views of one's own
BEGIN;
CREATE VIEW lab.cheap_items AS SELECT id, name FROM items WHERE price < 5;
SELECT * FROM lab.cheap_items ORDER BY id;
CREATE OR REPLACE VIEW lab.cheap_items AS SELECT id, name, price FROM items WHERE price < 5;
SELECT * FROM lab.cheap_items ORDER BY id;
DROP VIEW lab.cheap_items;
ROLLBACK;

=== materialised views of one's own
BEGIN;
CREATE MATERIALIZED VIEW lab.dear AS SELECT id, name FROM items WHERE price > 10;
REFRESH MATERIALIZED VIEW lab.dear;
SELECT count(*) FROM lab.dear;
ROLLBACK;

=== types and domains of one's own
BEGIN;
CREATE TYPE lab.size AS ENUM ('s', 'm', 'l');
CREATE DOMAIN lab.percent AS numeric CHECK (VALUE BETWEEN 0 AND 100);
CREATE TYPE lab.point3 AS (x int, y int, z int);
SELECT 's'::lab.size < 'l'::lab.size, 50::lab.percent + 1, (ROW(1, 2, 3)::lab.point3).y;
SELECT 500::lab.percent;
ROLLBACK;

=== grants and drops
BEGIN;
GRANT SELECT ON lab.notes TO canary_owner;
REVOKE ALL ON lab.notes FROM canary_owner;
DROP TABLE lab.numbers;
DROP TABLE IF EXISTS lab.nothing_there;
ROLLBACK;

=== schema of the owner
-- as: super
BEGIN;
CREATE SCHEMA fresh;
CREATE TABLE fresh.t (a int);
INSERT INTO fresh.t VALUES (1);
SELECT * FROM fresh.t;
DROP SCHEMA fresh CASCADE;
ROLLBACK;

=== prepare and execute
PREPARE p (bigint, text) AS SELECT id, region FROM people WHERE id > $1 AND region = $2 ORDER BY id;
EXECUTE p (2, 'eu');
EXECUTE p (0, 'us');
PREPARE q AS SELECT * FROM items WHERE id = $1;
EXPLAIN (COSTS OFF) EXECUTE q (1);
DEALLOCATE p;
EXECUTE p (2, 'eu');

=== prepare writes
BEGIN;
PREPARE w AS INSERT INTO lab.notes VALUES ($1, $2, $3) RETURNING *;
EXECUTE w (60, 'sixty', 6);
EXECUTE w (61, 'x', NULL);
DEALLOCATE ALL;
ROLLBACK;

=== cursor
BEGIN;
DECLARE c CURSOR FOR SELECT id, region FROM people ORDER BY id;
FETCH 3 FROM c;
MOVE 2 IN c;
FETCH NEXT FROM c;
FETCH ALL c;
CLOSE c;
COMMIT;

=== scroll cursor with hold
DECLARE h SCROLL CURSOR WITH HOLD FOR SELECT id FROM items ORDER BY id;
FETCH LAST h;
FETCH PRIOR h;
FETCH ABSOLUTE 2 FROM h;
FETCH BACKWARD ALL FROM h;
CLOSE h;

=== cursor over a row to update
BEGIN;
DECLARE u CURSOR FOR SELECT id FROM lab.notes ORDER BY id FOR UPDATE;
FETCH 1 FROM u;
UPDATE lab.notes SET stars = 9 WHERE CURRENT OF u;
SELECT id, stars FROM lab.notes ORDER BY id;
ROLLBACK;

=== copy out
COPY items TO STDOUT;
COPY items (id, name) TO STDOUT (FORMAT csv, HEADER);
COPY (SELECT id, region FROM people ORDER BY id) TO STDOUT;
COPY (SELECT region, count(*) FROM people GROUP BY 1 ORDER BY 1) TO STDOUT WITH CSV;
COPY people (id, region) TO STDOUT;
COPY (SELECT 1) TO STDOUT (FORMAT binary);
COPY v_counts TO STDOUT;

=== copy in
BEGIN;
\data 70\tseventy\t7\n71\t\\N\t\\N\n
COPY lab.notes FROM STDIN;
ROLLBACK;
BEGIN;
\data 72,seven,2\n
COPY lab.notes (id, body, stars) FROM STDIN (FORMAT csv);
SELECT * FROM lab.notes ORDER BY id;
ROLLBACK;
COPY lab.notes FROM STDIN;
\data x\ty\tz\n
COPY lab.notes FROM STDIN;

=== listen and notify
LISTEN news;
NOTIFY news, 'hello';
SELECT pg_notify('news', 'again');
UNLISTEN news;
NOTIFY news;

=== listen across sessions
LISTEN shared;
\session 2
NOTIFY shared, 'from the other';
\session 1
SELECT 1;

=== settings
SET work_mem = '8MB';
SHOW work_mem;
SELECT current_setting('work_mem'), set_config('work_mem', '9MB', false);
SHOW work_mem;
RESET work_mem;
SET TIME ZONE 'Europe/Rome';
SELECT timestamptz '2025-06-01 12:00:00+00';
SET datestyle = 'ISO, DMY';
SET application_name = 'harmless';
SHOW application_name;
SET my.own = 'x';
SHOW my.own;
RESET ALL;
SHOW search_path;
DISCARD ALL;

=== search path
SET search_path = lab, public;
SELECT count(*) FROM notes;
SELECT count(*) FROM items;
SET search_path TO hr;
SELECT id, team FROM people ORDER BY id;
RESET search_path;
SELECT id, region FROM people ORDER BY id;

=== explain
EXPLAIN (COSTS OFF) SELECT * FROM items WHERE id = 1;
EXPLAIN (COSTS OFF, VERBOSE) SELECT name FROM items ORDER BY price;
EXPLAIN (FORMAT JSON, COSTS OFF) SELECT count(*) FROM items;
EXPLAIN (COSTS OFF) UPDATE items SET price = 1 WHERE id = 2;

=== locks
BEGIN;
SELECT id FROM people WHERE id = 1 FOR UPDATE;
SELECT id FROM people WHERE id = 2 FOR SHARE OF people NOWAIT;
SELECT o.id FROM orders o JOIN people p ON p.id = o.person_id WHERE o.id = 1 FOR UPDATE OF o;
SELECT id FROM items ORDER BY id LIMIT 1 FOR KEY SHARE SKIP LOCKED;
LOCK TABLE lab.notes IN SHARE MODE;
LOCK lab.notes;
ROLLBACK;

=== maintenance
VACUUM lab.notes;
VACUUM (ANALYZE) lab.notes;
ANALYZE lab.notes (id);
REINDEX TABLE lab.notes;
CLUSTER lab.notes USING notes_pkey;
CHECKPOINT;

=== call
BEGIN;
CALL add_item('called');
SELECT name FROM items WHERE id = 900;
ROLLBACK;

=== sequences
SELECT setval('lab.counter', 10);
SELECT nextval('lab.counter');
SELECT currval('lab.counter'), lastval();
SELECT last_value FROM lab.counter;
SELECT setval('lab.counter', 1, false);

=== several statements in one message
SELECT 1; SELECT id FROM people ORDER BY id; SELECT count(*) FROM items;
BEGIN; INSERT INTO lab.notes VALUES (80, 'm', 1); SELECT body FROM lab.notes WHERE id = 80; ROLLBACK;
SELECT 1; SELECT 1 / 0; SELECT 2;
;;;
SELECT 1;;SELECT 2;

=== empty
;
-- only a comment;
/* another */;

=== extended
\bind text 3
SELECT id, region, joined FROM people WHERE id = $1;
\bind binary 2
SELECT id, points, region FROM people WHERE id < $1 ORDER BY id;
\bind text eu | 20
SELECT count(*) FROM people WHERE region = $1 AND points > $2;
\bind text {1,2}
SELECT id FROM people WHERE id = ANY ($1) ORDER BY id;
\bind text \N
SELECT coalesce($1, 'nothing');
\bind text x
SELECT $1::integer;
\bind text 1 | 2
SELECT $1::int + $2::int AS sum;
\bind text
SELECT nothing FROM people;
\bind text
;

=== extended writes
BEGIN;
\bind text 90 | ninety
INSERT INTO lab.notes (id, body) VALUES ($1, $2) RETURNING *;
\bind text 5
UPDATE lab.notes SET stars = $1;
\bind text 90
DELETE FROM lab.notes WHERE id = $1;
ROLLBACK;

=== named statements
\named s
SELECT id, region FROM people WHERE id > $1 ORDER BY id;
\again s text 5
\again s binary 6
\again s text x
\named s
SELECT 1;
\again t text
DEALLOCATE s;

=== named statement over a changing table
CREATE TEMP TABLE t (a int);
\named s
SELECT * FROM t;
\again s text
ALTER TABLE t ADD COLUMN b int;
\again s text

=== row security
SELECT * FROM public_diary;
INSERT INTO public_diary VALUES (500, 'x');
UPDATE public_diary SET entry = 'y' WHERE id = 200;

=== role
-- as: super
SET ROLE canary_owner;
SELECT current_user, count(*) FROM items;
RESET ROLE;
SELECT current_user;

=== discard
PREPARE p AS SELECT 1;
DISCARD PLANS;
EXECUTE p;
DISCARD SEQUENCES;
DISCARD TEMP;
DISCARD ALL;
EXECUTE p;

=== two phase
BEGIN;
PREPARE TRANSACTION 'x';
ROLLBACK PREPARED 'nothing';

