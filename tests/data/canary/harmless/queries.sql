-- Queries of applications: joins over protected relations by their other columns, aggregates, windows,
-- types, functions, errors.

=== each plain
SELECT 1
SELECT count(*) FROM people
SELECT id, region, joined, points FROM people ORDER BY id
SELECT p.id, p.region FROM people AS p WHERE p.points > 30 ORDER BY p.id DESC
SELECT people.id FROM people WHERE people.region = 'eu'
SELECT public.people.id FROM public.people WHERE region IN ('eu', 'us') ORDER BY 1
SELECT "id", "region" FROM "people" WHERE "points" BETWEEN 10 AND 40 ORDER BY "id"
SELECT DISTINCT region FROM people ORDER BY region
SELECT DISTINCT ON (region) region, id FROM people ORDER BY region, joined DESC
SELECT id FROM people ORDER BY joined LIMIT 3 OFFSET 2
SELECT id FROM people ORDER BY points DESC FETCH FIRST 2 ROWS WITH TIES
SELECT id FROM ONLY people ORDER BY id
SELECT tableoid::regclass, id FROM people ORDER BY id
SELECT ctid, id FROM people ORDER BY id
SELECT id, points * 2 AS double, points::text || '!' AS shout, -points FROM people ORDER BY id
SELECT CASE WHEN points > 40 THEN 'many' WHEN points > 20 THEN 'some' ELSE 'few' END AS how FROM people ORDER BY id
SELECT coalesce(nullif(region, 'eu'), 'home'), greatest(points, 30), least(points, 30) FROM people ORDER BY id
SELECT id, joined + 7, joined - date '2025-01-01', extract(year FROM joined), to_char(joined, 'YYYY-MM') FROM people ORDER BY id
SELECT id FROM people WHERE joined >= date '2025-01-04' AND joined < '2025-01-08' ORDER BY id
SELECT id FROM people WHERE (id, region) = ANY (SELECT id, region FROM people WHERE id < 4) ORDER BY id
SELECT id FROM people WHERE (region, id) > ('eu', 3) ORDER BY region, id
SELECT id FROM people WHERE id = ANY (ARRAY[1, 3, 5]) ORDER BY id
SELECT id FROM people WHERE NOT region = 'eu' AND points IS NOT NULL ORDER BY id
SELECT id FROM people WHERE region LIKE 'e%' OR region ILIKE 'U_' ORDER BY id
SELECT id FROM people WHERE region SIMILAR TO '(eu|us)' AND region ~ '^e' ORDER BY id
SELECT id FROM people WHERE points IS DISTINCT FROM 30 ORDER BY id
SELECT row_to_json(x) FROM (SELECT id, region FROM people ORDER BY id) AS x
SELECT x FROM (SELECT id, region FROM people) AS x ORDER BY x
SELECT ROW(id, region) FROM people ORDER BY id
SELECT (SELECT max(points) FROM people) AS most, (SELECT min(joined) FROM people) AS first
SELECT EXISTS (SELECT FROM people WHERE points > 70), EXISTS (SELECT 1 FROM people WHERE points > 700)
VALUES (1, 'a'), (2, 'b')
TABLE items
TABLE lab.notes
SELECT * FROM items ORDER BY id
SELECT * FROM v_counts ORDER BY region
SELECT * FROM mv_counts ORDER BY region
SELECT * FROM v_orders ORDER BY id
SELECT id, region, joined FROM v_people ORDER BY id
SELECT id, region FROM v_barrier ORDER BY id
SELECT id, region FROM v_invoker WHERE id > 3 ORDER BY id
SELECT id, region FROM v_over ORDER BY id
SELECT id FROM v_expr ORDER BY id
SELECT id FROM v_whole ORDER BY id
SELECT id, region FROM v_check ORDER BY id
SELECT id FROM mv_people ORDER BY id
SELECT id, team FROM hr.people ORDER BY id
SELECT b.colour, count(*) FROM hr.badges b JOIN hr.people p ON p.id = b.person_id GROUP BY 1 ORDER BY 1
SELECT id, kind FROM vault ORDER BY id
SELECT id, region, at, path FROM visits ORDER BY id
SELECT path, count(*) FROM visits WHERE at >= '2026-01-01' GROUP BY path ORDER BY 1
SELECT id, path FROM visits_eu_2026 ORDER BY id
SELECT count(*) FROM visits_us
SELECT tableoid::regclass, id FROM visits ORDER BY id
SELECT id FROM assets ORDER BY id
SELECT id FROM ONLY assets
SELECT floor FROM located ORDER BY floor
SELECT id, floor FROM vehicles
SELECT "Id", plain FROM "Odd Schema"."Per.sön ""x""" ORDER BY "Id"
SELECT "user".id, "user".city FROM "Odd Schema"."user"
SELECT id, ort FROM straße
SELECT id, city FROM a_name_of_sixty_three_bytes_and_so_as_long_as_a_name_ever_may_b
SELECT id, author FROM diary ORDER BY id
SELECT * FROM public_diary
SELECT id FROM people TABLESAMPLE SYSTEM (100) ORDER BY id
SELECT count(*) FROM people TABLESAMPLE BERNOULLI (50) REPEATABLE (7)

=== each joins
SELECT p.id, a.label FROM people p JOIN accounts a ON a.id = p.account_id ORDER BY p.id
SELECT p.id, o.total FROM people p LEFT JOIN orders o ON o.person_id = p.id ORDER BY 1, 2
SELECT p.region, sum(o.total), count(DISTINCT o.item_id) FROM orders o JOIN people p ON p.id = o.person_id GROUP BY p.region ORDER BY 1
SELECT i.name, count(*) FROM orders o JOIN items i ON i.id = o.item_id JOIN people p ON p.id = o.person_id WHERE p.region = 'eu' GROUP BY i.name ORDER BY 1
SELECT o.id FROM orders o JOIN people USING (id) ORDER BY o.id
SELECT id FROM people JOIN accounts USING (id) ORDER BY id
SELECT x.id FROM people JOIN accounts USING (id) AS x ORDER BY x.id
SELECT count(*) FROM people CROSS JOIN accounts
SELECT count(*) FROM people, accounts WHERE people.account_id = accounts.id
SELECT a.id, p.id FROM accounts a FULL JOIN people p ON p.account_id = a.id AND p.points > 40 ORDER BY 1, 2
SELECT a.id, l.n FROM accounts a, LATERAL (SELECT count(*) AS n FROM people p WHERE p.account_id = a.id) AS l ORDER BY 1
SELECT a.id, l.region FROM accounts a LEFT JOIN LATERAL (SELECT region FROM people p WHERE p.account_id = a.id LIMIT 1) AS l ON true ORDER BY 1
SELECT o.id, (SELECT p.region FROM people p WHERE p.id = o.person_id) AS region FROM orders o ORDER BY o.id
SELECT a.id FROM accounts a WHERE EXISTS (SELECT 1 FROM people p WHERE p.account_id = a.id AND p.region = 'us') ORDER BY 1
SELECT a.id FROM accounts a WHERE a.id NOT IN (SELECT account_id FROM people WHERE points > 40) ORDER BY 1
SELECT a.id, b.id FROM people a JOIN people b ON a.region = b.region AND a.id < b.id ORDER BY 1, 2
SELECT p.id, h.team FROM people p JOIN hr.people h ON h.id = p.id ORDER BY 1
SELECT people.id, team FROM public.people JOIN hr.people AS h USING (id) ORDER BY 1
SELECT j.id FROM (people p JOIN accounts a ON a.id = p.account_id) AS j(id) ORDER BY 1
SELECT q.r, count(*) FROM (SELECT region AS r FROM people UNION ALL SELECT region FROM visits) AS q GROUP BY 1 ORDER BY 1
SELECT id FROM people UNION SELECT id FROM accounts ORDER BY id
SELECT id FROM people INTERSECT SELECT id FROM orders ORDER BY id
SELECT region FROM people EXCEPT SELECT region FROM visits
SELECT count(*) FROM orders o, people p, items i, accounts a WHERE o.person_id = p.id AND i.id = o.item_id AND a.id = p.account_id
WITH x AS (SELECT region, count(*) AS n FROM people GROUP BY region) SELECT * FROM x ORDER BY region
WITH x AS MATERIALIZED (SELECT id, region FROM people), y AS (SELECT region FROM x WHERE id < 3) SELECT * FROM y ORDER BY 1
WITH people AS (SELECT 7 AS id, 'mine' AS email) SELECT * FROM people
WITH people (a, b) AS (VALUES (1, 'x')) SELECT b, a FROM people
WITH RECURSIVE t AS (SELECT 1 AS n UNION ALL SELECT n + 1 FROM t WHERE n < 5) SELECT p.id, t.n FROM t JOIN people p ON p.id = t.n ORDER BY 1
WITH RECURSIVE t (id, d) AS (SELECT id, 0 FROM people WHERE id = 1 UNION ALL SELECT p.id, d + 1 FROM people p JOIN t ON p.id = t.id + 1 WHERE d < 3) SELECT * FROM t ORDER BY d
WITH RECURSIVE t (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM t WHERE n < 3) SEARCH BREADTH FIRST BY n SET o SELECT n FROM t ORDER BY o
SELECT email FROM (VALUES ('a@b', 1)) AS people(email, id)
SELECT people FROM (VALUES (1), (2)) AS t(people) ORDER BY people
SELECT id AS email, region AS name FROM people ORDER BY id
SELECT 1 AS people, 2 AS vault FROM items LIMIT 1
SELECT $$people.email$$, 'SELECT name FROM people', E'pe\x6fple'

=== each aggregates and windows
SELECT region, count(*), sum(points), avg(points), min(joined), max(joined), stddev(points) FROM people GROUP BY region ORDER BY region
SELECT p.id, p.region, p.points, p.joined FROM people p GROUP BY p.id ORDER BY p.id
SELECT p.*, count(o.id) FROM accounts p LEFT JOIN orders o ON o.person_id = p.id GROUP BY p.id ORDER BY p.id
SELECT p.id, p.region, count(o.id) FROM people p LEFT JOIN orders o ON o.person_id = p.id GROUP BY p.id ORDER BY p.id
SELECT region, points > 40, count(*) FROM people GROUP BY region, points > 40 ORDER BY 1, 2
SELECT region, count(*) FROM people GROUP BY 1 HAVING count(*) > 1 ORDER BY 2, 1
SELECT region, date_trunc('month', joined), count(*) FROM people GROUP BY ROLLUP (region, 2) ORDER BY 1, 2
SELECT region, count(*) FROM people GROUP BY CUBE (region) ORDER BY 1
SELECT count(*) FILTER (WHERE region = 'eu'), count(DISTINCT region), bool_and(points > 0), every(true) FROM people
SELECT string_agg(region, ',' ORDER BY id), array_agg(id ORDER BY id DESC), json_agg(points ORDER BY id) FROM people
SELECT jsonb_object_agg(id, region ORDER BY id) FROM people
SELECT percentile_cont(0.5) WITHIN GROUP (ORDER BY points), mode() WITHIN GROUP (ORDER BY region) FROM people
SELECT id, row_number() OVER (ORDER BY points DESC), rank() OVER (PARTITION BY region ORDER BY points) FROM people ORDER BY id
SELECT id, sum(points) OVER w, lag(points, 1, 0) OVER w FROM people WINDOW w AS (PARTITION BY region ORDER BY id) ORDER BY id
SELECT id, avg(points) OVER (ORDER BY id ROWS BETWEEN 1 PRECEDING AND 1 FOLLOWING) FROM people ORDER BY id
SELECT id, sum(points) OVER (ORDER BY points RANGE BETWEEN 10 PRECEDING AND CURRENT ROW EXCLUDE TIES) FROM people ORDER BY id
SELECT id, ntile(3) OVER (ORDER BY id), percent_rank() OVER (ORDER BY id), first_value(region) OVER (ORDER BY id) FROM people ORDER BY id
SELECT region, sum(count(*)) OVER (ORDER BY region) FROM people GROUP BY region ORDER BY region
SELECT product(points) FROM people WHERE id < 4
SELECT corr(points, id), regr_slope(points, id), covar_pop(points, id) FROM people
SELECT bit_or(points), bit_and(points), bit_xor(points) FROM people

=== each types and functions
SELECT vat(100), vat(200, 0.07), vat(amount => 5, rate => 0.5), public.vat(1)
SELECT initials('hello'), item_count(), 100.0 %% 0.1, 5 OPERATOR(public.%%) 2
SELECT * FROM cheap(5) ORDER BY id
SELECT c.name, p.region FROM cheap(8) c JOIN people p ON p.id = c.id ORDER BY c.id
SELECT * FROM generate_series(1, 3) AS g(n) ORDER BY n
SELECT n, x FROM unnest(ARRAY['a', 'b']) WITH ORDINALITY AS u(x, n) ORDER BY n
SELECT * FROM ROWS FROM (generate_series(1, 2), generate_series(5, 7)) AS r(a, b) ORDER BY b
SELECT * FROM json_to_record('{"a": 1, "b": "x"}') AS x(a int, b text)
SELECT key, value FROM jsonb_each_text('{"a": 1, "b": null}') ORDER BY key
SELECT data ->> 'colour', data -> 'size', data @> '{"size": 1}', data ? 'size' FROM items ORDER BY id
SELECT jsonb_set(data, '{size}', '9'), data - 'size', data || '{"z": 1}', jsonb_path_query(data, '$.size') FROM items ORDER BY id
SELECT data['size'] FROM items ORDER BY id LIMIT 2
SELECT tags[1], array_length(tags, 1), 'all' = ANY (tags), tags || 'x', unnest(tags) FROM items ORDER BY id, 5
SELECT array_to_string(array_agg(DISTINCT t ORDER BY t), '+') FROM items, unnest(tags) AS t
SELECT ARRAY[1, 2, 3] @> ARRAY[2], ARRAY[[1, 2], [3, 4]], (ARRAY[1, 2, 3])[2:3], array_position(ARRAY['a', 'b'], 'b')
SELECT int4range(1, 5) * int4range(3, 9), '[2025-01-01,2025-02-01)'::daterange @> joined FROM people ORDER BY id
SELECT to_tsvector('english', 'the quick brown foxes') @@ to_tsquery('english', 'fox'), ts_rank(to_tsvector('a b'), to_tsquery('a'))
SELECT ts_headline('english', 'a quick fox', to_tsquery('english', 'fox')), plainto_tsquery('two words')
SELECT xmlelement(NAME a, XMLATTRIBUTES(1 AS b), 'c'), xmlforest(1 AS x, 'y' AS z), xpath('/a/text()', '<a>b</a>')
SELECT x.* FROM xmltable('/r/i' PASSING xmlparse(DOCUMENT '<r><i k="1">a</i><i k="2">b</i></r>') COLUMNS k int PATH '@k', v text PATH '.') AS x ORDER BY k
SELECT 'abc' ~ 'b', regexp_replace('abc', 'b', 'x'), substring('abc' FROM 2 FOR 1), position('c' IN 'abc'), overlay('abc' PLACING 'z' FROM 2), trim(BOTH 'x' FROM 'xax')
SELECT upper('a') || lower('B'), length('äö'), left('abc', 2), lpad('7', 3, '0'), split_part('a,b', ',', 2), format('%s-%L', 1, 'x'), md5('a')
SELECT extract(epoch FROM timestamptz '2025-01-01 00:00:00+00'), date_part('dow', date '2025-01-01'), age(date '2025-01-01', date '2024-01-01')
SELECT timestamp '2025-01-01 10:00' AT TIME ZONE 'UTC', interval '1 day 2 hours', date '2025-01-31' + interval '1 month', make_date(2025, 1, 2)
SELECT 1::numeric(10, 2), 1.5::real, 2::smallint, '7'::bigint, 'x'::char(3), 'y'::varchar(5), true::text, '\x00ff'::bytea
SELECT '10.0.0.1'::inet << '10.0.0.0/8', host('10.0.0.1/8'::inet), gen_random_uuid() IS NOT NULL, '{"a": [1]}'::jsonb #> '{a,0}'
SELECT round(2.567, 2), ceil(1.1), mod(7, 3), power(2, 10), 7 / 2, 7 % 4, 2 ^ 3, |/ 16.0, @ -5, 5 & 3, 5 | 3, 5 # 1, ~1, 1 << 4
SELECT cast('1' AS integer), integer '5', float8 '1.5', bool 'yes', date '2025-05-05'
SELECT encode('abc', 'base64'), decode('YWJj', 'base64'), convert_from('abc', 'UTF8'), digest('a', 'sha256')
SELECT 'a=>1, b=>2'::hstore -> 'a', hstore('x', 'y') || 'z=>1', akeys('a=>1'::hstore)
SELECT 'Abc'::citext = 'aBC', similarity('word', 'words') > 0.5, unaccent('é'), levenshtein('a', 'b'), soundex('hello')
SELECT 'glad'::mood > 'calm', enum_range(NULL::mood), 'wild'::mood::text
SELECT ROW('a', 1)::contact, (ROW('a', 1)::contact).street, (ROW('a', 1)::contact).*
SELECT pg_typeof(1), pg_typeof('a'::text), current_setting('server_version_num')::int > 100000, current_schema(), current_user
SELECT current_schemas(false), session_user, current_role, current_catalog = current_database()
SELECT coalesce(NULL, 1), nullif(1, 1), greatest(1, 2, 3), least('a', 'b'), num_nulls(1, NULL), 1 IN (1, 2), 3 BETWEEN 1 AND 5, 3 BETWEEN SYMMETRIC 5 AND 1
SELECT NULL IS NULL, true IS NOT FALSE, (1, 2) = (1, 2), 1 IS DISTINCT FROM NULL, 'a' COLLATE "C" < 'B', 5 NOTNULL, NULL ISNULL
SELECT 1 WHERE 1 = 1 AND (2 > 1 OR NOT false) AND 'x' LIKE '%x%' ESCAPE '!'
SELECT now() - now(), clock_timestamp() > '2020-01-01', statement_timestamp() <= clock_timestamp(), current_date > '2020-01-01', pg_sleep(0)
SELECT 'a' 'b'

=== each errors
SELECT
SELECT 1 FROM
SELECT * FROM nowhere
SELECT nothing FROM items
SELECT nothing FROM people
SELECT id FROM people WHERE nothing = 1
SELECT x.id FROM people p
SELECT id FROM people, accounts
SELECT id, region FROM people GROUP BY region
SELECT 1 / 0
SELECT 1 / (id - id) FROM people
SELECT 'x'::integer
SELECT region::integer FROM people
SELECT points FROM people WHERE region = 1
SELECT sum(region) FROM people
SELECT (SELECT id FROM people)
SELECT id FROM people UNION SELECT region FROM people
SELECT count(*) FROM people WHERE count(*) > 1
SELECT id FROM people ORDER BY 5
SELECT id FROM people LIMIT -1
SELECT rank() FROM people
SELECT 1 )
SELECT (1
SELECT 1,
SELECT * FROM people.nothing
INSERT INTO items (nothing) VALUES (1)
INSERT INTO items (id, name, price) VALUES (1, 'x', 1)
INSERT INTO items (id, name, price) VALUES (1000, NULL, 1)
INSERT INTO items VALUES ('x')
INSERT INTO t_check VALUES (5000, 'x')
INSERT INTO orders VALUES (1000, 1000000, 1, 1)
UPDATE items SET nothing = 1
UPDATE items SET id = 2 WHERE id = 1
DELETE FROM items WHERE id = 1
DELETE FROM nowhere
EXECUTE nothing
CLOSE nothing
DEALLOCATE nothing
SET nothing = 1
SHOW nothing
RELEASE SAVEPOINT nothing
COPY nowhere TO STDOUT
DROP TABLE nowhere
SELECT 'x'::json, '{'::json
SELECT to_date('x', 'YYYY')
SELECT 1; SELECT 1 / 0; SELECT 2
BEGIN; SELECT 1 / 0; SELECT id FROM people; ROLLBACK
COMMIT
ROLLBACK

=== each errors in the proxy's own words
-- compare: sqlstate
SELEC 1
SELECT nofunction(1)
SELECT id FROM people WHERE no_such_function(id)
SELECT 'unterminated
SELECT "unterminated
SELECT $a$ unterminated
SELECT /* unterminated
SELECT id FROM people WHERE
SELECT id FROM people JOIN
FETCH 1 FROM nothing

=== grouping sets beside a function of that name
SELECT region, points, grouping(region, points) FROM people GROUP BY GROUPING SETS ((region), (points), ()) ORDER BY 1, 2;

=== a schema that is not there
SELECT * FROM noschema.people;

