-- Inference: no value comes out, but the answer depends on one. Played on two databases that differ
-- in their protected cells alone: past the proxy the answers must differ, through it they must not.

=== each probes
-- blind
SELECT id FROM people WHERE name LIKE 'zq7k0%' OR name LIKE 'zq7k1%' OR name LIKE 'zq7k2%' OR name LIKE 'zq7k3%' OR name LIKE 'zq7k4%'
SELECT count(*) FROM people WHERE name > 'zq7k8'
SELECT id, name > 'zq7k8', email < 'zq7k8', phone ~ '[a-f]$' FROM people ORDER BY id
SELECT id FROM people WHERE birth > '7000-01-01' ORDER BY id
SELECT id FROM people WHERE extract(month FROM birth) < 7 ORDER BY id
SELECT id FROM people WHERE serial % 2 = 0 ORDER BY id
SELECT id FROM people WHERE (serial & 1) = 1 ORDER BY id
SELECT id FROM people WHERE ascii(substr(name, 5, 1)) > 56 ORDER BY id
SELECT id, ascii(substr(name, 6, 1)) FROM people ORDER BY id
SELECT id, position('a' IN name) FROM people ORDER BY id
SELECT id, length(replace(name, 'a', '')) FROM people ORDER BY id
SELECT id, hashtext(name) FROM people ORDER BY id
SELECT id, name SIMILAR TO '%[a-d]' FROM people ORDER BY id
SELECT id, name ILIKE '%A%' FROM people ORDER BY id
SELECT id, starts_with(name, 'zq7ka') OR starts_with(name, 'zq7k1') OR starts_with(name, 'zq7k7') FROM people ORDER BY id
SELECT id FROM people ORDER BY name
SELECT id FROM people ORDER BY email DESC
SELECT id FROM people ORDER BY birth, serial
SELECT id FROM people ORDER BY substr(name, 6)
SELECT id, rank() OVER (ORDER BY name) FROM people ORDER BY id
SELECT id, row_number() OVER (PARTITION BY name > 'zq7k8' ORDER BY id) FROM people ORDER BY id
SELECT id, lag(id) OVER (ORDER BY serial) FROM people ORDER BY id
SELECT ntile(2) OVER (ORDER BY phone), id FROM people ORDER BY id
SELECT count(*) FROM people GROUP BY left(name, 5) ORDER BY 1
SELECT count(*), min(id) FROM people GROUP BY birth > '7000-01-01' ORDER BY 2
SELECT region FROM people GROUP BY region HAVING max(name) > 'zq7kd' ORDER BY 1
SELECT region, max(name) > 'zq7ke', min(serial) < 200000000000000 FROM people GROUP BY region ORDER BY 1
SELECT a.id, b.id FROM people a JOIN people b ON a.name < b.name ORDER BY 1, 2
SELECT a.id FROM people a, vault v WHERE a.serial > v.c_int8 ORDER BY 1
SELECT count(DISTINCT left(name, 5)) FROM people
SELECT DISTINCT ON (left(name, 5)) id FROM people ORDER BY left(name, 5), id
SELECT first_value(id) OVER (ORDER BY name), last_value(id) OVER (ORDER BY name) FROM people
SELECT (array_agg(id ORDER BY name))[1:3] FROM people
SELECT string_agg(id::text, ',' ORDER BY name) FROM people
SELECT json_agg(id ORDER BY salary) FROM people
SELECT bool_or(name > 'zq7kf'), every(name > 'zq7k1') FROM people
SELECT count(*) FILTER (WHERE name > 'zq7k8') FROM people
SELECT id FROM people WHERE CASE WHEN name > 'zq7k8' THEN true ELSE false END ORDER BY id
SELECT CASE WHEN (SELECT name FROM people WHERE id = 1) > (SELECT name FROM people WHERE id = 2) THEN 1 ELSE 0 END, CASE WHEN (SELECT name FROM people WHERE id = 3) > (SELECT name FROM people WHERE id = 4) THEN 1 ELSE 0 END, CASE WHEN (SELECT max(name) FROM people) > 'zq7kf' THEN 1 ELSE 0 END
SELECT 1 / (SELECT count(*) FROM people WHERE name LIKE 'zq7kf%')
SELECT id FROM accounts a WHERE EXISTS (SELECT FROM people p WHERE p.account_id = a.id AND p.name > 'zq7k8') ORDER BY id
SELECT id FROM accounts a WHERE a.id IN (SELECT account_id FROM people WHERE note > 'zq7k8') ORDER BY id
SELECT id FROM accounts a WHERE (SELECT name FROM people p WHERE p.account_id = a.id) > 'zq7k8' ORDER BY id
SELECT generate_series(1, (SELECT (serial % 5)::integer FROM people WHERE id = 1)), (SELECT (serial % 7) FROM people WHERE id = 2), (SELECT (serial % 7) FROM people WHERE id = 4)
SELECT id FROM people ORDER BY id LIMIT (SELECT 1 + serial % 7 FROM people WHERE id = 1) OFFSET (SELECT serial % 2 FROM people WHERE id = 2)
SELECT c_mood = 'wild', c_flag, c_mood FROM vault ORDER BY id
SELECT id FROM vault ORDER BY c_mood, c_flag, id
SELECT id FROM vault WHERE c_flag ORDER BY id
SELECT count(*) FROM vault GROUP BY c_mood ORDER BY 1
SELECT id, c_json ->> 'k' > 'zq7k8' FROM vault ORDER BY id
SELECT id, c_texts @> ARRAY['zq7k'], c_texts[1] > 'zq7k8' FROM vault ORDER BY id
SELECT id, c_inet << 'fd7a:8000::/17' FROM vault ORDER BY id
SELECT id, c_uuid > '80000000-0000-0000-0000-000000000000' FROM vault ORDER BY id
SELECT id, c_bytea > 'zq7k8'::bytea FROM vault ORDER BY id
SELECT id, c_bits & 1::bit(64) = 1::bit(64) FROM vault ORDER BY id
SELECT id, c_long > 'zq7k8' FROM vault ORDER BY id
SELECT id, email > 'zq7k8' FROM v_people ORDER BY id
SELECT id FROM v_barrier WHERE email > 'zq7k8' ORDER BY id
SELECT id FROM v_over ORDER BY contact
SELECT id FROM v_expr WHERE loud > 'ZQ7K8' ORDER BY id
SELECT id FROM v_union WHERE e > 'zq7k8' ORDER BY id
SELECT id FROM mv_people ORDER BY name
SELECT id FROM v_whole WHERE (person).name > 'zq7k8' ORDER BY id
SELECT to_jsonb(p) ->> 'name' > 'zq7k8' FROM people p ORDER BY id
SELECT similarity(name, 'zq7kffffffffffffffff') > 0.2, id FROM people ORDER BY id
SELECT levenshtein(name, 'zq7k0000') , id FROM people ORDER BY id
SELECT soundex(name), id FROM people ORDER BY id
SELECT width_bucket(serial, 0, 1000000000000000, 10), id FROM people ORDER BY id
SELECT serial / 100000000000000, id FROM people ORDER BY id
SELECT age(birth) > interval '-4000 years', id FROM people ORDER BY id
SELECT id ==> 'x', (===> id) > 'zq7k8' FROM accounts ORDER BY id
SELECT count(*) FROM all_people() WHERE name > 'zq7k8'
SELECT correlation, n_distinct FROM pg_stats WHERE tablename = 'people' ORDER BY attname
SELECT attname, correlation FROM pg_stats WHERE tablename = 'vault' ORDER BY attname
EXPLAIN (ANALYZE, COSTS OFF, TIMING OFF, SUMMARY OFF) SELECT FROM people WHERE name > 'zq7k8'
EXPLAIN SELECT FROM people WHERE name > 'zq7k8'
EXPLAIN SELECT FROM people WHERE birth > '7000-01-01'
EXPLAIN (ANALYZE, COSTS OFF, TIMING OFF, SUMMARY OFF, BUFFERS OFF) SELECT FROM people a JOIN vault b ON a.serial > b.c_int8
COPY (SELECT id FROM people ORDER BY name) TO STDOUT
COPY (SELECT id FROM people WHERE name > 'zq7k8') TO STDOUT
VALUES ((SELECT count(*) FROM people WHERE name > 'zq7k8'))
WITH RECURSIVE b AS (SELECT 0 AS n, (SELECT substr(name, 5, 1) FROM people WHERE id = 1) AS c UNION ALL SELECT n + 1, c FROM b WHERE to_hex(n) < c) SELECT count(*) FROM b
SELECT setseed(0), id FROM people WHERE name < 'zq7k8' ORDER BY id

=== each probes by writing
-- blind
BEGIN; UPDATE items SET price = 7 WHERE EXISTS (SELECT FROM people p WHERE p.id = items.id AND name > 'zq7k8'); ROLLBACK
BEGIN; DELETE FROM lab.notes USING people p WHERE p.id = lab.notes.id AND p.name > 'zq7k8' AND p.phone > 'zq7k4'; DELETE FROM orders USING people p WHERE p.id = person_id AND p.name > 'zq7k8'; ROLLBACK
BEGIN; INSERT INTO items (name, price) SELECT 'x' || id, 1 FROM people WHERE name > 'zq7k8' RETURNING 1; ROLLBACK
BEGIN; UPDATE people SET points = 1 WHERE name > 'zq7k8'; ROLLBACK
BEGIN; UPDATE people SET points = (serial % 7)::integer RETURNING id, points; ROLLBACK
BEGIN; UPDATE people SET points = CASE WHEN name > 'zq7k8' THEN 1 ELSE 2 END; SELECT id, points FROM people ORDER BY id; ROLLBACK
BEGIN; DELETE FROM orders WHERE person_id IN (SELECT id FROM people WHERE name > 'zq7k8'); ROLLBACK
BEGIN; DELETE FROM people_log WHERE entry > 'zq7k8'; ROLLBACK
BEGIN; UPDATE v_people SET region = 'x' WHERE email > 'zq7k8'; ROLLBACK
BEGIN; UPDATE lab.notes SET stars = (SELECT serial % 5 FROM people p WHERE p.id = lab.notes.id) RETURNING id, stars; ROLLBACK
SELECT setval('lab.counter', 1 + serial % 9) FROM people ORDER BY id

=== a domain constraint as a probe
-- blind
-- as: owner
BEGIN;
ALTER DOMAIN secret_number ADD CHECK (VALUE <> 0 AND VALUE % 2 = 0);
ROLLBACK;
BEGIN;
ALTER DOMAIN secret_number ADD CHECK (VALUE > 200000000000000);
ROLLBACK;
BEGIN;
ALTER DOMAIN secret_text ADD CHECK (VALUE > 'zq7k1');
ROLLBACK;
BEGIN;
ALTER DOMAIN secret_text ADD CHECK (VALUE > 'zq7k08');
ROLLBACK;

=== a check as a probe
-- blind
-- as: owner
BEGIN;
ALTER TABLE people ADD CHECK (serial > 200000000000000);
ROLLBACK;
BEGIN;
ALTER TABLE people ADD CHECK (name > 'zq7k1' AND name < 'zq7kf');
ROLLBACK;

=== a partial index as a probe
-- blind
-- as: owner
BEGIN;
CREATE UNIQUE INDEX ON people ((name > 'zq7k8')) WHERE id < 3;
ROLLBACK;
BEGIN;
CREATE UNIQUE INDEX ON people ((phone > 'zq7k8')) WHERE id < 3;
ROLLBACK;
BEGIN;
CREATE UNIQUE INDEX ON people ((note > 'zq7k8')) WHERE id < 3;
ROLLBACK;
BEGIN;
CREATE UNIQUE INDEX ON people ((address > 'zq7k8')) WHERE id < 3;
ROLLBACK;

=== cursor position as a probe
-- blind
BEGIN;
DECLARE c SCROLL CURSOR FOR SELECT id FROM people ORDER BY name;
FETCH 3 c;
MOVE ALL c;
ROLLBACK;

=== rows moved as a probe
-- blind
BEGIN;
DECLARE c SCROLL CURSOR FOR SELECT id FROM people WHERE name > 'zq7k8';
MOVE ALL c;
ROLLBACK;

=== bound comparison
-- blind
\bind text zq7k8
SELECT count(*) FROM people WHERE name > $1;
\bind text zq7k4
SELECT id FROM people WHERE email > $1 ORDER BY id;

=== prepared comparison
-- blind
PREPARE p (text) AS SELECT id FROM people WHERE name > $1 ORDER BY id;
EXECUTE p ('zq7k8');
EXECUTE p ('zq7k4');

=== lock skipped as a probe
-- blind
SELECT id FROM people WHERE name > 'zq7k8' ORDER BY id FOR UPDATE SKIP LOCKED;

=== sampled as a probe
-- blind
SELECT id FROM people TABLESAMPLE BERNOULLI (100) REPEATABLE (3) WHERE name > 'zq7k8' ORDER BY id;

=== errors as a probe
-- blind
SELECT id, 1 / (CASE WHEN name > 'zq7k8' THEN 0 ELSE 1 END) FROM people WHERE id = 1;
SELECT id, 1 / (CASE WHEN name > 'zq7k8' THEN 0 ELSE 1 END) FROM people WHERE id = 2;
SELECT id, 1 / (CASE WHEN name > 'zq7k8' THEN 0 ELSE 1 END) FROM people WHERE id = 3;
SELECT id, 1 / (CASE WHEN name > 'zq7k8' THEN 0 ELSE 1 END) FROM people WHERE id = 5;
SELECT id, 1 / (CASE WHEN note > 'zq7k8' THEN 0 ELSE 1 END) FROM people WHERE id = 1;
SELECT id, 1 / (CASE WHEN note > 'zq7k8' THEN 0 ELSE 1 END) FROM people WHERE id = 2;
SELECT id, 1 / (CASE WHEN note > 'zq7k8' THEN 0 ELSE 1 END) FROM people WHERE id = 3;
SELECT id, 1 / (CASE WHEN address > 'zq7k8' THEN 0 ELSE 1 END) FROM people WHERE id = 3;
SELECT id, 1 / (CASE WHEN address > 'zq7k8' THEN 0 ELSE 1 END) FROM people WHERE id = 4;

=== a unique violation as a probe
-- blind
BEGIN;
UPDATE people SET region = CASE WHEN name > 'zq7k8' THEN NULL ELSE 'eu' END WHERE id = 1;
ROLLBACK;
BEGIN;
UPDATE people SET region = CASE WHEN phone > 'zq7k8' THEN NULL ELSE 'eu' END WHERE id = 2;
ROLLBACK;
BEGIN;
UPDATE people SET region = CASE WHEN note > 'zq7k8' THEN NULL ELSE 'eu' END WHERE id = 3;
ROLLBACK;
