--! Forms of PostgreSQL's grammar, each beside a protected relation of the sample shop, one a line (⏎ is a
--! newline): all of them must be understood. Lines that begin as this one are no text.
SELECT id FROM customers ORDER BY 1 USING < LIMIT 1
SELECT id FROM customers ORDER BY 1 USING OPERATOR(pg_catalog.<) LIMIT 1
SELECT (SELECT id FROM customers ORDER BY 1 NULLS FIRST LIMIT 1)
(SELECT id FROM customers) ORDER BY 1 LIMIT 1
SELECT id FROM customers OFFSET 1 ROWS FETCH NEXT 2 ROWS ONLY
SELECT id FROM customers OFFSET 1 ROW FETCH FIRST ROW ONLY
SELECT id FROM customers LIMIT (SELECT 2)
SELECT id FROM customers LIMIT ALL
SELECT id FROM customers FETCH FIRST ROW ONLY
SELECT id FROM customers ORDER BY 1 FETCH FIRST 3 ROWS WITH TIES
SELECT id FROM customers LIMIT 2 FOR UPDATE SKIP LOCKED
SELECT id FROM customers FOR UPDATE LIMIT 2
SELECT id FROM customers FOR READ ONLY LIMIT 2
SELECT city FROM customers GROUP BY ROLLUP (city) LIMIT 1
SELECT city FROM customers GROUP BY ROLLUP (city, (id, country)) LIMIT 1
SELECT city FROM customers GROUP BY (), city LIMIT 1
SELECT city FROM customers GROUP BY DISTINCT city, ROLLUP (city) LIMIT 1
SELECT city FROM customers GROUP BY ALL city LIMIT 1
SELECT rank() OVER (ORDER BY id GROUPS BETWEEN 1 PRECEDING AND 1 FOLLOWING EXCLUDE CURRENT ROW) FROM customers LIMIT 1
SELECT rank() OVER (ORDER BY id RANGE UNBOUNDED PRECEDING EXCLUDE TIES) FROM customers LIMIT 1
SELECT rank() OVER (PARTITION BY city ORDER BY id ROWS BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW) FROM customers LIMIT 1
SELECT count(*) FILTER (WHERE true) OVER w FROM customers WINDOW w AS (PARTITION BY city), v AS (w ORDER BY id) LIMIT 1
SELECT c.id FROM customers c JOIN (orders o JOIN products p USING (id)) AS j USING (id) LIMIT 1
SELECT c.id FROM customers c JOIN orders o USING (id) AS j LIMIT 1
SELECT c.id FROM customers c JOIN (orders JOIN products USING (id) AS j) USING (id) LIMIT 1
SELECT c.id FROM customers c JOIN orders o JOIN products p ON true ON true LIMIT 1
SELECT c.id FROM customers c NATURAL JOIN orders o LIMIT 1
SELECT c.id FROM customers c NATURAL LEFT OUTER JOIN orders o LIMIT 1
SELECT c.id FROM (customers c NATURAL JOIN orders o) LIMIT 1
SELECT c.id FROM (customers c CROSS JOIN orders o) JOIN products ON true LIMIT 1
SELECT 1 FROM customers, ROWS FROM (generate_series(1,2), generate_series(3,5)) AS f(n, m) LIMIT 1
SELECT 1 FROM customers, unnest(ARRAY[1], ARRAY['a']) WITH ORDINALITY AS f(n, t, o) LIMIT 1
SELECT 1 FROM customers, jsonb_to_recordset('[]') AS f(n int, t text) LIMIT 1
SELECT 1 FROM customers, XMLTABLE('/r/i' PASSING '<r/>' COLUMNS n int PATH '@a', t text PATH '.') AS f LIMIT 1
SELECT 1 FROM customers, generate_series(1,2) f(n), LATERAL (SELECT n) l LIMIT 1
SELECT id FROM customers TABLESAMPLE system (50) REPEATABLE (7) LIMIT 1
SELECT id FROM customers c TABLESAMPLE pg_catalog.system (1.5) LIMIT 1
SELECT id FROM ONLY (customers) LIMIT 1
SELECT id FROM customers * LIMIT 1
SELECT id FROM customers * AS c (a, b) LIMIT 1
SELECT position('a' IN name) FROM customers LIMIT 1
SELECT position(name IN $$a$$) FROM customers LIMIT 1
SELECT position((name) IN (name)) FROM customers LIMIT 1
SELECT overlay(name PLACING 'x' FROM 1 FOR 1) FROM customers LIMIT 1
SELECT overlay(name PLACING 'x' FROM 1) FROM customers LIMIT 1
SELECT substring(name FOR 2) FROM customers LIMIT 1
SELECT substring(name FROM 'a.') FROM customers LIMIT 1
SELECT substring(name SIMILAR 'a#"b#"c' ESCAPE '#') FROM customers LIMIT 1
SELECT substring(name, 2) FROM customers LIMIT 1
SELECT trim(LEADING FROM name), trim(BOTH 'x' FROM name), trim(name) FROM customers LIMIT 1
SELECT extract(year FROM created_at), extract('month' FROM created_at) FROM customers LIMIT 1
SELECT id & 1, id | 1, id # 1, ~ id, @ id, - @ id, id ^ 2, |/ id, id - - id, id + - id FROM customers LIMIT 1
SELECT id OPERATOR(pg_catalog.+) 1 FROM customers LIMIT 1
SELECT OPERATOR(pg_catalog.-) id FROM customers LIMIT 1
SELECT (ARRAY[1,2,3])[1]::int, (ARRAY[1,2,3])[1:2], (ARRAY[1,2,3])[:2], (ARRAY[1,2,3])[:] FROM customers LIMIT 1
SELECT (ARRAY[1,2,3])[id] FROM customers LIMIT 1
SELECT id NOT BETWEEN SYMMETRIC 1 AND 3, id BETWEEN SYMMETRIC 1 AND 2 FROM customers LIMIT 1
SELECT name SIMILAR TO 'a' ESCAPE 'b', name NOT ILIKE 'x' ESCAPE '!', name ^@ 'a' FROM customers LIMIT 1
SELECT name LIKE ANY (ARRAY['a']), name = SOME (SELECT 'a'), name <> ALL (SELECT 'a'), name LIKE ANY (SELECT 'a') FROM customers LIMIT 1
SELECT name OPERATOR(pg_catalog.~~*) 'a' FROM customers LIMIT 1
SELECT (id, name) = (SELECT 1, 'a'), (id, name) IN (SELECT 1, 'a'), (id, name) < (SELECT 1, 'a') FROM customers LIMIT 1
SELECT (created_at, created_at) OVERLAPS (date '2024-01-01', date '2026-01-01') FROM customers LIMIT 1
SELECT (id > 1) IS UNKNOWN, (id > 1) IS NOT FALSE FROM customers LIMIT 1
SELECT name ISNULL, name NOTNULL FROM customers LIMIT 1
SELECT preferences @> '{}'::jsonb, preferences ? 'a', preferences ?| ARRAY['a'], preferences @? '$.a' FROM customers LIMIT 1
SELECT interval '1' day, interval (0) '2 s', interval '1 2' day to hour, interval '1' second(2) FROM customers LIMIT 1
SELECT created_at AT TIME ZONE interval '1 h', created_at AT TIME ZONE 'UTC' AT TIME ZONE 'UTC' FROM customers LIMIT 1
SELECT CAST(created_at AS timestamp (3) with time zone), created_at::timestamp(3), created_at::timestamp with time zone FROM customers LIMIT 1
SELECT name::character varying, name::char(3), name::"char", name::pg_catalog.text, name::varchar(20) FROM customers LIMIT 1
SELECT id::double precision, id::numeric(10,2), id::float8, id::float(3) FROM customers LIMIT 1
SELECT '{}'::text[], '{}'::int[][], '{}'::text ARRAY[2], '{}'::text ARRAY FROM customers LIMIT 1
SELECT B'101'::bit(3), B'1'::bit varying(3), time '1:00', time with time zone '1:00', timestamp (2) '2020-01-01' FROM customers LIMIT 1
SELECT bool 'yes', json '{}', jsonb '{}', point '(1,2)', int4 '1', pg_catalog.int4 '1' FROM customers LIMIT 1
SELECT xmlelement(NAME e, xmlattributes(name AS a), name), xmlforest(name AS a, id) FROM customers LIMIT 1
SELECT array_agg(id ORDER BY id DESC NULLS LAST), string_agg(DISTINCT city, ',' ORDER BY city) FROM customers
SELECT percentile_cont(0.5) WITHIN GROUP (ORDER BY id) FILTER (WHERE id > 2), mode() WITHIN GROUP (ORDER BY city) FROM customers
SELECT ROW(c.*), ROW(c, 1), ROW(), (c).id, (c).*, c.*::text FROM customers c LIMIT 1
SELECT CASE id WHEN 1 THEN 2 END, CASE WHEN true THEN 1 ELSE 2 END FROM customers LIMIT 1
SELECT GREATEST(id, 2), LEAST(id, 2), COALESCE(id, 2), NULLIF(id, 2) FROM customers LIMIT 1
SELECT DISTINCT ON (1) id FROM customers LIMIT 1
SELECT ALL id FROM customers LIMIT 1
SELECT id FROM customers UNION DISTINCT SELECT 1 EXCEPT ALL (SELECT 2 LIMIT 1) LIMIT 1
TABLE customers LIMIT 1
TABLE ONLY customers LIMIT 1
(TABLE customers) LIMIT 1
WITH RECURSIVE w(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM w WHERE n < 3) SEARCH DEPTH FIRST BY n SET o SELECT * FROM w, customers LIMIT 1
WITH RECURSIVE w(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM w WHERE n < 3) CYCLE n SET c USING p SELECT * FROM w, customers LIMIT 1
WITH w AS NOT MATERIALIZED (SELECT 1) SELECT * FROM w, customers LIMIT 1
WITH w AS (TABLE customers) TABLE w LIMIT 1
INSERT INTO products (name) WITH w AS (SELECT 1) SELECT name FROM customers LIMIT 1 RETURNING *
INSERT INTO products (name) (SELECT name FROM customers LIMIT 1) ON CONFLICT (id) DO UPDATE SET name = DEFAULT WHERE products.id = 1
INSERT INTO products (name, price) SELECT name, 1 FROM customers LIMIT 1
INSERT INTO products (name) OVERRIDING USER VALUE SELECT name FROM customers LIMIT 1
INSERT INTO products AS p (name) SELECT name FROM customers LIMIT 1
UPDATE products SET (name, price) = (SELECT name, 1 FROM customers LIMIT 1) WHERE false
UPDATE products SET (name, price) = ROW ('a', 1) FROM customers WHERE false
UPDATE products p SET name = DEFAULT FROM ONLY customers c WHERE false
UPDATE ONLY products AS p SET name = c.name FROM customers c WHERE false RETURNING c.*, p.*
DELETE FROM ONLY products p USING customers c JOIN orders ON true WHERE false
DELETE FROM products USING ONLY (customers) WHERE false
MERGE INTO products p USING customers s ON false WHEN MATCHED AND true THEN UPDATE SET name = DEFAULT WHEN NOT MATCHED AND false THEN INSERT (name) VALUES ('a')
MERGE INTO products p USING customers s ON false WHEN MATCHED THEN UPDATE SET (name, price) = (SELECT 'a', 1) WHEN NOT MATCHED AND false THEN INSERT (name) OVERRIDING SYSTEM VALUE VALUES (DEFAULT)
WITH w AS (SELECT 1) MERGE INTO ONLY products AS p USING customers s ON false WHEN MATCHED THEN DO NOTHING
SELECT least(NULL, id), 0 orders FROM customers LIMIT 1
SELECT id "order", id order_items, id AS select FROM customers LIMIT 1
SELECT id value, name, city columns FROM customers LIMIT 1
SELECT customers.id, name x FROM customers LIMIT 1
SELECT c.id FROM customers c, LATERAL jsonb_each_text('{"a":1}') AS f (k, t) LIMIT 1
SELECT id FROM customers WHERE name COLLATE "C" > 'a' LIMIT 1
SELECT id IS DISTINCT FROM 1, id IS NOT DISTINCT FROM NULL FROM customers LIMIT 1
SELECT NOT id = 1 AND NOT (id = 2 OR NOT true) FROM customers LIMIT 1
SELECT u&'\0061', U&'!0061' UESCAPE '!', N'a', X'1F', E'\x41' FROM customers LIMIT 1
SELECT FROM customers LIMIT 1
SELECT 'a' ⏎'b', id FROM customers LIMIT 1
SELECT name AS "order" FROM customers ORDER BY "order" LIMIT 1
VALUES ((SELECT id FROM customers LIMIT 1)), (2) ORDER BY 1 DESC NULLS LAST LIMIT 1
VALUES ((SELECT id FROM customers LIMIT 1)) FETCH FIRST ROW ONLY
CREATE TEMP TABLE z1 (a, b) AS VALUES ((SELECT id FROM customers LIMIT 1), 1) LIMIT 1
CREATE TEMP TABLE z2 AS SELECT id FROM customers LIMIT 1 WITH NO DATA
SELECT grouping(city), city FROM customers GROUP BY CUBE (city) HAVING count(*) > 0 LIMIT 1
SELECT id FROM customers WHERE id IN (VALUES (1), (2)) LIMIT 1
SELECT id FROM customers WHERE id IN (TABLE products) LIMIT 1
SELECT ARRAY(SELECT id FROM customers ORDER BY 1 LIMIT 2), ARRAY(VALUES (1)), ARRAY[[1],[2]]
SELECT ARRAY(TABLE revenue_by_city), id FROM customers LIMIT 1
SELECT (SELECT id FROM customers LIMIT 1) + 1, (SELECT (VALUES (1)))
SELECT current_date, current_timestamp(3), localtime, current_user, session_user, user, current_catalog, current_schema, current_role FROM customers LIMIT 1
SELECT treat(id AS bigint) FROM customers LIMIT 1
SELECT collation for (name) FROM customers LIMIT 1
SELECT name IS NORMALIZED, name IS NOT NFC NORMALIZED, normalize(name, NFC) FROM customers LIMIT 1
SELECT variadic_test FROM (SELECT concat(VARIADIC ARRAY['a']) AS variadic_test FROM customers LIMIT 1) x
SELECT make_interval(days => 1), make_interval(days := 1) FROM customers LIMIT 1
SELECT id FROM customers c (a, b) LIMIT 1
SELECT (SELECT 1 FROM customers LIMIT 1)::text || 'x'
SELECT x.id FROM (customers AS c JOIN orders o ON c.id = o.customer_id) AS x (id) LIMIT 1
SELECT 1 FROM ((customers JOIN orders ON true)) LIMIT 1
SELECT 1 FROM ((SELECT 1 FROM customers)) x LIMIT 1
SELECT 1 FROM (((SELECT 1 FROM customers) UNION (SELECT 2))) x LIMIT 1
SELECT 1 FROM (VALUES (1), (2)) x(n), customers LIMIT 1
SELECT 1 FROM (VALUES (1) ORDER BY 1 LIMIT 1) x(n), customers LIMIT 1
SELECT 1 FROM (TABLE customers) x LIMIT 1
SELECT 1 FROM (WITH w AS (SELECT 1) SELECT * FROM w) x, customers LIMIT 1
SELECT 1 FROM orders * JOIN customers ON true LIMIT 1
SELECT 1 FROM customers JOIN orders * ON true LIMIT 1
SELECT 1 FROM customers JOIN hr.employees * ON true LIMIT 1
SELECT 1 FROM customers JOIN ONLY hr.employees ON true LIMIT 1
SELECT 1 FROM customers JOIN ONLY (hr.employees) e ON true LIMIT 1
SELECT 1 FROM customers JOIN ONLY (orders) ON true LIMIT 1
SELECT 1 FROM customers JOIN ONLY orders ON true LIMIT 1
SELECT 1 FROM ONLY public.orders, customers LIMIT 1
SELECT 1 FROM customers, ONLY (public.orders) LIMIT 1
SELECT 1 FROM customers, ONLY (public.orders) o LIMIT 1
SELECT 1 FROM customers NATURAL JOIN orders NATURAL JOIN products LIMIT 1
SELECT 1 FROM customers NATURAL JOIN (orders NATURAL JOIN products) LIMIT 1
SELECT 1 FROM customers c CROSS JOIN orders o JOIN products ON true LIMIT 1
SELECT 1 FROM customers c LEFT JOIN orders o JOIN products p USING (id) ON true LIMIT 1
SELECT 1 FROM customers c JOIN (SELECT 1) x ON true JOIN (VALUES (1)) v ON true LIMIT 1
SELECT 1 FROM customers c JOIN LATERAL (SELECT 1) x ON true LIMIT 1
SELECT 1 FROM customers c JOIN orders TABLESAMPLE system (50) ON true LIMIT 1
SELECT 1 FROM customers c JOIN orders o TABLESAMPLE pg_catalog.system (50) ON true LIMIT 1
SELECT 1 FROM orders TABLESAMPLE pg_catalog.system (50), customers LIMIT 1
SELECT 1 FROM customers c JOIN XMLTABLE('/r/i' PASSING '<r/>' COLUMNS n int PATH '@a') AS f ON true LIMIT 1
SELECT 1 FROM customers c JOIN generate_series(1, 2) AS f(n) ON true LIMIT 1
SELECT 1 FROM customers c JOIN ROWS FROM (generate_series(1, 2)) AS f(n) ON true LIMIT 1
SELECT (c).email, ("c"). email, (c).* FROM customers c LIMIT 1
SELECT CASE WHEN 1 <> CASE WHEN true THEN 1 END THEN 2 END FROM customers LIMIT 1
SELECT CASE WHEN (1 <> 2) IS NULL THEN 1 ELSE 2 END FROM customers LIMIT 1
SELECT CASE WHEN id IS NULL THEN 1 END >= CASE WHEN name ~>~ 'a' THEN 1 END FROM customers LIMIT 1
SELECT cast(NULL AS "timestamp"), cast(NULL AS "char"), cast(null as _int4) FROM customers LIMIT 1
MERGE INTO products t USING customers c TABLESAMPLE system (5) ON false WHEN MATCHED THEN DO NOTHING
MERGE INTO products t USING generate_series(1,2) c ON exists (select from customers) and false WHEN MATCHED THEN DO NOTHING
MERGE INTO products t USING customers c ON false WHEN NOT MATCHED AND CASE WHEN true THEN false END THEN INSERT VALUES (1, 'a', cast(null as int8))
SELECT id AS x5, (a.name) COLLATE "C" FROM customers a LIMIT 1
SELECT 'a' COLLATE "C", name COLLATE pg_catalog."C" FROM customers LIMIT 1
SELECT nullif(id, 1) IN (1, 2), (id) IN (1), id NOT IN (SELECT 1) FROM customers LIMIT 1
SELECT ((c).id) FROM customers c WHERE ((c).id, 'x') IN (SELECT 1, 'x') LIMIT 1
SELECT created_at AT TIME ZONE interval '1 h' FROM customers LIMIT 1
SELECT (date '2025-05-05') AT TIME ZONE interval '1' hour FROM customers LIMIT 1
SELECT interval (0) '2 s' + created_at, created_at + interval (0) '2 s' FROM customers LIMIT 1
SELECT id NOTNULL, (id) ISNULL FROM customers LIMIT 1
SELECT (id ISNULL) = true, id + 1 ISNULL, NOT id ISNULL FROM customers LIMIT 1
SELECT least(1, 2) ISNULL FROM customers LIMIT 1
SELECT id BETWEEN 1 AND 2 AND true, id BETWEEN SYMMETRIC id AND - 1 FROM customers LIMIT 1
SELECT name LIKE ANY (SELECT 'a') FROM customers LIMIT 1
SELECT name LIKE ALL (ARRAY['a']), name NOT LIKE ALL ('{a}'), name ~~ ANY ('{a}') FROM customers LIMIT 1
SELECT max(id) FILTER (WHERE id > 1), count(DISTINCT name), string_agg(name, ',' ORDER BY name) FILTER (WHERE true) FROM customers LIMIT 1
SELECT 1 FROM customers GROUP BY id, () LIMIT 1
SELECT DISTINCT ON (1) id, CASE 2 WHEN 1 THEN 1 END FROM customers LIMIT 1
SELECT (SELECT id FROM customers LIMIT 1) IS NULL
SELECT 0.5 FROM customers WHERE 1. < .5e1 LIMIT 1
SELECT id::int4::text::varchar(3)::"char" FROM customers LIMIT 1
SELECT (ARRAY[1,2,3])[1:2][1], ('{1}'::int[])[1], (string_to_array(name, ','))[1:2] FROM customers LIMIT 1
SELECT id - - id, id - -1, id + - id, - - id, + id FROM customers LIMIT 1
SELECT @ id, - @ id, id @> id FROM customers LIMIT 1
SELECT ~ id # 1, id # - 1 FROM customers LIMIT 1
SELECT created_at::date OPERATOR(pg_catalog.=) date '2020-01-01' FROM customers LIMIT 1
SELECT EXTRACT('month' FROM created_at)::int, date_part('day', created_at)::int FROM customers LIMIT 1
SELECT customers.id[1] FROM customers LIMIT 1
SELECT id FROM customers ORDER BY id USING <, city USING > NULLS FIRST LIMIT 1
SELECT id FROM customers ORDER BY (SELECT 1), id + 1 DESC LIMIT 1 + 1 OFFSET 0
WITH w AS MATERIALIZED (TABLE customers), v AS (SELECT * FROM w) SELECT count(*) FROM v
WITH RECURSIVE w AS (SELECT 1), v AS (SELECT * FROM customers) SELECT count(*) FROM v
(SELECT id FROM customers LIMIT 1) UNION (SELECT 1) ORDER BY 1
(SELECT id FROM customers) INTERSECT SELECT 1 EXCEPT ALL SELECT 2
SELECT id FROM customers UNION SELECT 1 UNION ALL (VALUES (1) ORDER BY 1)
SELECT id FROM customers UNION VALUES (1) ORDER BY 1 LIMIT 1
VALUES (1) UNION SELECT id FROM customers LIMIT 1
SELECT id FROM customers UNION TABLE z1 LIMIT 1
EXPLAIN (ANALYZE, VERBOSE off, FORMAT json) SELECT id FROM customers
PREPARE zz (int, text) AS SELECT id FROM customers WHERE id = $1 AND name = $2
DECLARE cur BINARY INSENSITIVE SCROLL CURSOR WITHOUT HOLD FOR SELECT id FROM customers
COPY (SELECT id FROM customers LIMIT 1) TO STDOUT (FORMAT csv, HEADER)
COPY (TABLE customers) TO STDOUT WITH (DELIMITER '|')
COPY customers (id) TO STDOUT CSV HEADER QUOTE '"'
COPY (VALUES ((SELECT 1 FROM customers LIMIT 1))) TO STDOUT
UPDATE products SET name = (SELECT 'x' FROM customers LIMIT 1) WHERE false RETURNING *
UPDATE products t SET (name) = ROW ((SELECT 'x' FROM customers LIMIT 1)) WHERE false
UPDATE products t SET (name) = ((SELECT 'x' FROM customers LIMIT 1)) WHERE false
UPDATE products t SET (name, price) = ('x', DEFAULT) FROM customers WHERE false
INSERT INTO products (name, price) VALUES ('a', 1), ((SELECT 'b' FROM customers LIMIT 1), 2) ORDER BY 1 LIMIT 0
INSERT INTO products (name, price) (VALUES ('a', (SELECT 1 FROM customers LIMIT 1))) ON CONFLICT DO NOTHING RETURNING id
INSERT INTO products TABLE products
--! Refused so far, because the parser does not know them.
SELECT id FROM customers WHERE id = ANY (VALUES (1) ORDER BY 1)
SELECT (VALUES (1) ORDER BY 1) FROM customers LIMIT 1
SELECT (VALUES (1) LIMIT 1) FROM customers LIMIT 1
SELECT (VALUES (1) OFFSET 0) FROM customers LIMIT 1
SELECT (VALUES (1) FETCH FIRST ROW ONLY) FROM customers LIMIT 1
SELECT id FROM customers FETCH FIRST (1+1) ROWS ONLY OFFSET 1
SELECT city FROM customers GROUP BY GROUPING SETS ((city), (), ROLLUP (city)) LIMIT 1
SELECT city FROM customers GROUP BY city, GROUPING SETS ((), CUBE (city)) LIMIT 1
SELECT 1 FROM customers, XMLTABLE('/r/i' PASSING BY REF '<r/>' COLUMNS o FOR ORDINALITY, n int PATH '@a' DEFAULT 1 NOT NULL) AS f LIMIT 1
SELECT trim(FROM name), trim(BOTH name), trim(TRAILING 'x' FROM name, 'y') FROM customers LIMIT 1
SELECT xmlparse(CONTENT 'a'), xmlserialize(CONTENT xml '<a/>' AS text), xmlpi(NAME x), xmlroot(xml '<a/>', VERSION '1.0'), xmlconcat(xml '<a/>'), xmlexists('a' PASSING xml '<a/>'), xml '<a/>' IS DOCUMENT FROM customers LIMIT 1
MERGE INTO products p USING (SELECT id, name FROM customers) AS s ON p.id = s.id AND false WHEN MATCHED THEN DELETE WHEN NOT MATCHED AND false THEN INSERT DEFAULT VALUES WHEN NOT MATCHED THEN DO NOTHING
SELECT id FROM customers WHERE EXISTS (SELECT) LIMIT 1
SELECT 1 FROM customers, revenue_by_city * LIMIT 1
SELECT 1 FROM customers, orders * LIMIT 1
SELECT 1 FROM customers, orders * AS o LIMIT 1
SELECT 1 FROM customers c JOIN orders o CROSS JOIN products ON true LIMIT 1
SELECT 1 FROM customers c JOIN orders o NATURAL JOIN products ON true LIMIT 1
SELECT 1 FROM customers c JOIN orders o NATURAL LEFT JOIN products ON true LIMIT 1
SELECT pg_catalog.session_user() FROM customers LIMIT 1
MERGE INTO products t USING customers c JOIN orders o ON true ON false WHEN MATCHED THEN DO NOTHING
MERGE INTO products t USING customers c LEFT JOIN (SELECT 1) o ON true ON false WHEN MATCHED THEN DO NOTHING
SELECT GROUPING(city) FROM customers GROUP BY GROUPING SETS (city, ROLLUP (city, id), CUBE (id)) LIMIT 1
SELECT JSON_OBJECT(KEY 'k' VALUE name) FROM customers
SELECT JSON_OBJECT('k' : name) FROM customers
SELECT JSON_ARRAY(1, name) FROM customers
SELECT JSON_SCALAR(name) FROM customers
SELECT 1 FROM customers, JSON_TABLE(jsonb '[1]', '$[*]' COLUMNS (o FOR ORDINALITY, n int PATH '$')) AS j
INSERT INTO products (name) SELECT name FROM customers FETCH FIRST ROW ONLY RETURNING *
