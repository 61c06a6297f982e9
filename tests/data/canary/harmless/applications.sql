-- What applications, reports and people ask that concerns no personal data, though the tables hold some.

=== each look-ups
SELECT id, region FROM people WHERE id = 3
SELECT p.id, p.points FROM people p WHERE p.region = 'eu' ORDER BY p.points DESC
SELECT people.id FROM people WHERE people.joined >= '2025-01-03' ORDER BY id
SELECT id AS person, points * 2 AS twice FROM public.people WHERE points BETWEEN 20 AND 60 ORDER BY 1
SELECT "id", "region" FROM "public"."people" AS "t0" WHERE ("t0"."id" = 1 AND 1=1) LIMIT 1 OFFSET 0
SELECT u.id, u.region FROM people AS u WHERE u.id IN (1, 2, 3) ORDER BY u.id
SELECT this_.id AS id1_0_0_, this_.region AS region2_0_0_ FROM people this_ WHERE this_.points > 10 ORDER BY this_.id ASC LIMIT 5
SELECT EXISTS (SELECT 1 FROM people WHERE region = 'us' LIMIT 1) AS one
SELECT 1 AS one FROM people WHERE people.id = 4 LIMIT 1
SELECT count(*) FROM people
SELECT COUNT(DISTINCT region) FROM people
SELECT min(points), max(points), sum(points), avg(points)::numeric(10, 2), stddev(points) IS NOT NULL FROM people
SELECT region, count(*) FROM people GROUP BY region ORDER BY region
SELECT region, count(*) AS n FROM people GROUP BY 1 HAVING count(*) > 1 ORDER BY n DESC, 1
SELECT date_trunc('month', joined)::date AS month, count(*) FROM people GROUP BY 1 ORDER BY 1
SELECT extract(year FROM joined) AS y, sum(points) FROM people GROUP BY y
SELECT id FROM people ORDER BY points DESC, id LIMIT 3 OFFSET 2
SELECT id FROM people ORDER BY points FETCH FIRST 2 ROWS ONLY
SELECT id FROM people ORDER BY region, id FETCH FIRST 1 ROW WITH TIES
SELECT DISTINCT region FROM people ORDER BY region
SELECT DISTINCT ON (region) region, id FROM people ORDER BY region, id DESC
SELECT id, CASE WHEN points > 40 THEN 'high' WHEN points > 20 THEN 'mid' ELSE 'low' END AS band FROM people ORDER BY id
SELECT coalesce(region, '?'), nullif(points, 10) FROM people ORDER BY id
SELECT id FROM people WHERE region ILIKE 'E%' AND NOT region SIMILAR TO 'u%' ORDER BY id
SELECT id FROM people WHERE (region, points) = ('eu', 20)
SELECT id FROM people WHERE id = ANY (ARRAY[1, 5, 9]) ORDER BY id
SELECT id FROM people WHERE id = SOME (SELECT person_id FROM orders) ORDER BY id
SELECT id FROM people WHERE points > ALL (SELECT 10 * id FROM items WHERE id < 3) ORDER BY id
SELECT id FROM people WHERE joined IS NOT NULL AND region IS DISTINCT FROM 'us' ORDER BY id
SELECT ctid IS NOT NULL, tableoid::regclass, xmin IS NOT NULL, id FROM people WHERE id = 1
SELECT id, team FROM hr.people ORDER BY id
SELECT h.id, b.colour FROM hr.people h JOIN hr.badges b ON b.person_id = h.id ORDER BY 1
SELECT id, kind FROM vault ORDER BY id
SELECT id, at, path FROM visits ORDER BY id
SELECT id FROM visits_eu ORDER BY id
SELECT tableoid::regclass, count(*) FROM visits GROUP BY 1 ORDER BY 1
SELECT floor FROM located ORDER BY 1
SELECT floor FROM ONLY located
SELECT id FROM vehicles
SELECT "Id", plain FROM "Odd Schema"."Per.sön ""x""" ORDER BY 1
SELECT city FROM "Odd Schema"."user"
SELECT ort FROM straße
SELECT region, n, points FROM v_counts ORDER BY 1
SELECT id, total, item, region FROM v_orders ORDER BY id LIMIT 5
SELECT * FROM mv_counts ORDER BY 1
SELECT id, author FROM diary ORDER BY id
SELECT * FROM public_diary

=== each joins
SELECT p.id, o.id, o.total FROM people p JOIN orders o ON o.person_id = p.id WHERE p.region = 'eu' ORDER BY o.id
SELECT p.region, sum(o.total) FROM people p LEFT JOIN orders o ON o.person_id = p.id GROUP BY p.region ORDER BY 1
SELECT a.label, p.id FROM accounts a LEFT JOIN people p ON p.account_id = a.id ORDER BY a.id
SELECT a.id, a.label, count(p.id) FROM accounts a LEFT JOIN people p ON p.account_id = a.id GROUP BY a.id ORDER BY a.id
SELECT p.id, p.region, count(o.id) AS n FROM people p LEFT JOIN orders o ON o.person_id = p.id GROUP BY p.id ORDER BY p.id
SELECT p.id, p.region, p.points, p.joined FROM people p JOIN orders o ON o.person_id = p.id GROUP BY p.id ORDER BY p.id
SELECT i.name, o.total FROM orders o JOIN items i ON i.id = o.item_id JOIN people p ON p.id = o.person_id ORDER BY o.id
SELECT count(*) FROM people p CROSS JOIN items i
SELECT p1.id, p2.id FROM people p1 JOIN people p2 ON p1.region = p2.region AND p1.id < p2.id ORDER BY 1, 2
SELECT p.id, x.total FROM people p, LATERAL (SELECT total FROM orders o WHERE o.person_id = p.id ORDER BY total DESC LIMIT 1) x ORDER BY p.id
SELECT p.id, x.n FROM people p LEFT JOIN LATERAL (SELECT count(*) AS n FROM orders o WHERE o.person_id = p.id) x ON true ORDER BY p.id
SELECT id FROM people FULL JOIN (SELECT id FROM hr.people) h USING (id) ORDER BY id
SELECT p.id FROM people p WHERE EXISTS (SELECT FROM orders o WHERE o.person_id = p.id AND o.total > 20) ORDER BY 1
SELECT p.id FROM people p WHERE NOT EXISTS (SELECT 1 FROM orders WHERE orders.person_id = p.id AND total > 50) ORDER BY 1
SELECT p.id, (SELECT max(total) FROM orders WHERE person_id = p.id) AS most FROM people p ORDER BY p.id
SELECT p.id, ARRAY(SELECT o.id FROM orders o WHERE o.person_id = p.id ORDER BY 1) FROM people p ORDER BY p.id
SELECT * FROM accounts NATURAL JOIN (SELECT id, region FROM people) p ORDER BY id
SELECT v.id, p.region FROM (VALUES (1), (2)) AS v (id) JOIN people p USING (id) ORDER BY 1
SELECT g, p.region FROM generate_series(1, 3) AS g LEFT JOIN people p ON p.id = g ORDER BY g
SELECT p.id, t.tag FROM people p JOIN items i ON i.id = p.id, unnest(i.tags) WITH ORDINALITY AS t (tag, n) ORDER BY p.id, t.n

=== each queries of reports
WITH totals AS (SELECT person_id, sum(total) AS s FROM orders GROUP BY person_id) SELECT p.region, avg(t.s)::numeric(10, 2) FROM totals t JOIN people p ON p.id = t.person_id GROUP BY 1 ORDER BY 1
WITH RECURSIVE chain AS (SELECT id, 1 AS depth FROM people WHERE id = 1 UNION ALL SELECT p.id, c.depth + 1 FROM people p JOIN chain c ON p.id = c.id + 1) SELECT * FROM chain ORDER BY 1
WITH eu AS MATERIALIZED (SELECT id, points FROM people WHERE region = 'eu'), us AS NOT MATERIALIZED (SELECT id, points FROM people WHERE region = 'us') SELECT sum(points) FROM (TABLE eu UNION ALL TABLE us) x
WITH people AS (SELECT 1 AS id, 'a CTE of that name' AS email) SELECT id, email FROM people
SELECT region, points, rank() OVER (PARTITION BY region ORDER BY points DESC) FROM people ORDER BY 1, 3
SELECT id, sum(points) OVER (ORDER BY id ROWS BETWEEN 1 PRECEDING AND CURRENT ROW) FROM people ORDER BY id
SELECT id, lag(points) OVER w, lead(points, 2, 0) OVER w, ntile(3) OVER w FROM people WINDOW w AS (ORDER BY id) ORDER BY id
SELECT id, first_value(id) OVER (PARTITION BY region ORDER BY id RANGE UNBOUNDED PRECEDING) FROM people ORDER BY id
SELECT region, extract(isodow FROM joined) AS day, count(*) FROM people GROUP BY GROUPING SETS ((region), (extract(isodow FROM joined)), ()) ORDER BY 1, 2, 3
SELECT region, joined, sum(points), grouping(region, joined) FROM people GROUP BY ROLLUP (region, joined) ORDER BY 1, 2
SELECT region, account_id % 2, count(*) FROM people GROUP BY CUBE (region, account_id % 2) ORDER BY 1, 2
SELECT region, count(*) FILTER (WHERE points > 30), array_agg(id ORDER BY id DESC), string_agg(id::text, ',' ORDER BY id) FROM people GROUP BY region ORDER BY 1
SELECT percentile_cont(0.5) WITHIN GROUP (ORDER BY points), mode() WITHIN GROUP (ORDER BY region) FROM people
SELECT region, json_agg(json_build_object('id', id, 'points', points) ORDER BY id) FROM people GROUP BY region ORDER BY 1
SELECT jsonb_object_agg(id, region) FROM people
SELECT row_to_json(x) FROM (SELECT id, region FROM people ORDER BY id LIMIT 2) x
SELECT to_jsonb(x) - 'region' FROM (SELECT id, region FROM people ORDER BY id LIMIT 2) x
SELECT region FROM people WHERE id < 3 UNION SELECT name FROM items WHERE id < 3 ORDER BY 1
SELECT id FROM people EXCEPT SELECT person_id FROM orders WHERE total > 40 ORDER BY 1
SELECT id FROM people INTERSECT ALL SELECT id FROM items ORDER BY 1
(SELECT id FROM people ORDER BY id LIMIT 1) UNION ALL (SELECT id FROM people ORDER BY id DESC LIMIT 1)
VALUES ((SELECT count(*) FROM people)), (2)
SELECT * FROM (SELECT id, region FROM people) AS sub (a, b) WHERE a < 4 ORDER BY a
SELECT count(*) FROM people TABLESAMPLE BERNOULLI (100)
SELECT width_bucket(points, 0, 100, 4) AS bucket, count(*) FROM people GROUP BY 1 ORDER BY 1
SELECT generate_series(1, 2) AS g, id FROM people WHERE id < 3 ORDER BY 2, 1
SELECT id, points::text || ' points', to_char(joined, 'YYYY-MM') FROM people ORDER BY id
SELECT id, joined + interval '1 day', joined - date '2025-01-01', age(joined, date '2024-01-01') FROM people ORDER BY id LIMIT 2
SELECT (id, region)::text, ROW(id, points) < ROW(3, 0) FROM people ORDER BY id
SELECT p.id FROM people p ORDER BY p.region USING >, p.id
SELECT max(joined) AT TIME ZONE 'UTC' FROM people
SELECT vat(points), initials(region), points::numeric %% 0.5 FROM people ORDER BY id LIMIT 3
SELECT product(points::numeric) FROM people WHERE id < 4
SELECT item_count(), (SELECT count(*) FROM cheap(5)), id FROM people WHERE id = 1
SELECT id FROM people WHERE region COLLATE "C" < 'f' ORDER BY id
SELECT id, region FROM people WHERE id = 2 FOR SHARE
SELECT id FROM people WHERE id = 2 FOR UPDATE SKIP LOCKED
SELECT p.id FROM people p JOIN orders o ON o.person_id = p.id WHERE o.id = 1 FOR NO KEY UPDATE OF o NOWAIT
EXPLAIN (COSTS OFF) SELECT id FROM items WHERE id = 3
EXPLAIN (COSTS OFF, FORMAT JSON) SELECT i.name FROM items i JOIN accounts a ON a.id = i.id

=== each unprotected
SELECT * FROM items ORDER BY id
SELECT id, data ->> 'colour', data #>> '{size}', data @> '{"colour": "red"}', tags && ARRAY['tag1'] FROM items ORDER BY id
SELECT id, tags[1], tags[1:2], array_length(tags, 1), cardinality(tags) FROM items ORDER BY id
SELECT jsonb_path_query(data, '$.size ? (@ > 3)') FROM items ORDER BY id
SELECT key, value FROM items, jsonb_each(data) ORDER BY items.id, key
SELECT name FROM items WHERE to_tsvector('simple', name) @@ to_tsquery('simple', 'item & 3')
SELECT similarity(name, 'item 3') > 0.5, name % 'item 3' FROM items ORDER BY id
SELECT int4range(1, 5) @> id, id <@ int4range(3, NULL) FROM items ORDER BY id
SELECT xmlelement(NAME item, xmlattributes(id AS id), name) FROM items ORDER BY id LIMIT 2
SELECT (xpath('/a/b/text()', '<a><b>x</b></a>'::xml))[1]
SELECT o.*, i.* FROM orders o JOIN items i ON i.id = o.item_id ORDER BY o.id LIMIT 3
SELECT o FROM orders o ORDER BY id LIMIT 2
SELECT (o).total FROM orders o ORDER BY id LIMIT 2
SELECT items FROM items ORDER BY id LIMIT 1
TABLE accounts
SELECT label AS people, opened AS email FROM accounts AS people ORDER BY id LIMIT 1
SELECT email.label FROM accounts AS email ORDER BY id LIMIT 1
SELECT 1 AS people, 2 AS email, 'email FROM people' AS text, $$people$$ AS dollar
SELECT 'people.email' AS "people.email", E'people\n', U&'\0070eople', b'101', x'1F'
SELECT 1 /* people */ + /* nested /* email */ */ 1 -- people
SELECT lab.notes.body FROM lab.notes ORDER BY id
SELECT n, m FROM lab.numbers WHERE m = 1 ORDER BY n
SELECT body FROM lab.notes WHERE stars > (SELECT avg(stars) FROM lab.notes)
SELECT now() = current_timestamp, pg_typeof(1.5), md5('x'), gen_random_uuid() IS NOT NULL
SELECT 1/0
SELECT 'x'::int
SELECT no_such_column FROM items
SELECT no_such_column FROM people
SELECT p.no_such_column FROM people p WHERE p.id = 1
SELECT id FROM people JOIN orders
SELECT * FROM no_such_table
SELECT id,, region FROM people
SELECT region FROM people GROUP BY id, 2.5, nothing
SELECT sum(region) FROM people
SELECT id FROM people ORDER BY 7
SELECT people.id FROM people p
SELECT p.id, o.id FROM people p, orders o WHERE id = 1
INSERT INTO items (id, name) VALUES (99, 'no price')
INSERT INTO items (id, name, price) VALUES (1, 'again', 1)
UPDATE items SET price = 'much' WHERE id = 1
DELETE FROM no_such_table

=== each writes to what is not protected
-- undone
INSERT INTO items (id, name, price) VALUES (100, 'new', 1.25), (101, 'newer', 2.5) RETURNING id, name, price
INSERT INTO items (id, name, price) SELECT 200 + id, 'for ' || region || id, points FROM people ORDER BY id RETURNING *
INSERT INTO items (id, name, price) VALUES (1, 'item 1', 9) ON CONFLICT (id) DO UPDATE SET price = items.price + excluded.price RETURNING id, price
INSERT INTO items (id, name, price) VALUES (1, 'item 1', 9) ON CONFLICT DO NOTHING
UPDATE items SET price = price + 1 WHERE id IN (SELECT id FROM people WHERE region = 'eu') RETURNING id, price
UPDATE items i SET name = i.name || ' / ' || p.region FROM people p WHERE p.id = i.id RETURNING i.id, i.name
UPDATE items SET (name, price) = ('x', 3) WHERE id = 2 RETURNING name
UPDATE items SET data = jsonb_set(data, '{size}', '7'), tags[2] = 'second' WHERE id = 3 RETURNING data, tags
DELETE FROM orders USING people p WHERE p.id = orders.person_id AND p.region = 'us' RETURNING orders.id
DELETE FROM lab.notes WHERE id = 1 RETURNING *
MERGE INTO lab.notes n USING (SELECT id, points FROM people) p ON p.id = n.id WHEN MATCHED THEN UPDATE SET stars = p.points WHEN NOT MATCHED THEN INSERT VALUES (p.id, 'merged', p.points)
WITH gone AS (DELETE FROM lab.notes RETURNING id), more AS (INSERT INTO lab.notes VALUES (9, 'nine', 9) RETURNING id) SELECT * FROM gone UNION ALL SELECT * FROM more ORDER BY 1
TRUNCATE lab.numbers
CREATE TABLE lab.copy AS SELECT id, region FROM people
CREATE TEMP TABLE mine AS SELECT region, count(*) AS n FROM people GROUP BY region
SELECT id, points INTO TEMP TABLE chosen FROM people WHERE region = 'eu'
CREATE TABLE lab.t (id int PRIMARY KEY, v text DEFAULT 'x', CHECK (id > 0))
CREATE INDEX ON lab.notes (stars)
ALTER TABLE lab.notes ADD COLUMN extra int DEFAULT 3
ALTER TABLE lab.notes RENAME COLUMN stars TO rating
ALTER TABLE lab.notes RENAME TO remarks
CREATE VIEW lab.many AS SELECT body FROM lab.notes WHERE stars > 3
CREATE MATERIALIZED VIEW lab.kept AS SELECT m, count(*) FROM lab.numbers GROUP BY m
COMMENT ON TABLE lab.notes IS 'notes about people and their email'
DROP TABLE lab.numbers
CREATE SEQUENCE lab.s START 5
ANALYZE lab.notes
LOCK TABLE lab.notes IN SHARE MODE
CALL add_item('called')
SET LOCAL work_mem = '8MB'
SET CONSTRAINTS ALL DEFERRED
SAVEPOINT s
SELECT set_config('work_mem', '5MB', true)
SELECT pg_advisory_xact_lock(7)

=== transactions
BEGIN;
SAVEPOINT a;
INSERT INTO lab.notes VALUES (20, 'twenty', 1);
ROLLBACK TO a;
SELECT count(*) FROM lab.notes;
RELEASE a;
SELECT 1/0;
SELECT 1;
ROLLBACK;
SELECT id FROM people WHERE id = 1;

=== cursors
BEGIN;
DECLARE c SCROLL CURSOR FOR SELECT id, region FROM people ORDER BY id;
FETCH 2 FROM c;
FETCH BACKWARD 1 FROM c;
MOVE FORWARD 2 IN c;
FETCH RELATIVE 1 FROM c;
FETCH ALL FROM c;
CLOSE c;
COMMIT;

=== prepared statements
PREPARE q (int) AS SELECT id, region FROM people WHERE id = $1;
EXECUTE q(3);
EXECUTE q(1 + 1);
DEALLOCATE q;
EXECUTE q(1);

=== settings
SET work_mem = '7MB';
SHOW work_mem;
SET search_path = hr, public;
SELECT id, team FROM people ORDER BY id;
SHOW search_path;
RESET search_path;
SELECT id, region FROM people ORDER BY id LIMIT 1;
RESET ALL;
SET TIME ZONE 'UTC';
SHOW TIME ZONE;

=== temporary tables
CREATE TEMP TABLE people (id int, email text);
INSERT INTO pg_temp.people VALUES (1, 'a table of one''s own');
SELECT id, email FROM pg_temp.people;
DROP TABLE pg_temp.people;
SELECT id, region FROM people WHERE id = 1;
