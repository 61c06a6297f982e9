-- Names that could mean something else: aliases, common table expressions, joins, sub-selects.

=== each aliases
SELECT p.email FROM people AS p
SELECT people.email FROM people AS people
SELECT "p".email FROM people "p"
SELECT f FROM people AS p(a, b, c, d, e, f)
SELECT f FROM people AS p(a, b, c, d, e, f, g)
SELECT p.g FROM people AS p(a, b, c, d, e, f, g)
SELECT x.* FROM people AS x(a, b, c)
SELECT email FROM people items
SELECT items.email FROM people items
SELECT orders.email FROM people AS orders
SELECT "select".email FROM people AS "select"
SELECT "select"."email" FROM "public"."people" AS "select"
SELECT U&"\0065mail" FROM people
SELECT email FROM U&"\0070eople"
SELECT email FROM U&"!0070eople" UESCAPE '!'
SELECT PEOPLE.EMAIL FROM PEOPLE
SELECT "people".email FROM Public.People
SELECT email AS "x", email AS y, email z FROM people
SELECT id AS email, email AS id FROM people
SELECT a.email FROM people a, people b WHERE a.id = b.id
SELECT a.email FROM people a JOIN people b USING (id)
SELECT email FROM people a JOIN people b USING (id, email)
SELECT j.email FROM people a JOIN people b USING (email) JOIN people AS j USING (email)
SELECT x.email FROM people a JOIN people b USING (email) AS x
SELECT * FROM people a NATURAL JOIN people b
SELECT * FROM orders o JOIN people p ON p.id = o.person_id
SELECT * FROM people FULL JOIN accounts ON people.id = accounts.id
SELECT p.* FROM accounts a LEFT JOIN people p ON p.account_id = a.id
SELECT p FROM accounts a RIGHT JOIN people p ON p.account_id = a.id
SELECT j.* FROM (people p JOIN orders o ON o.person_id = p.id) AS j(a, b, c, d, e, f, g)
SELECT j.f FROM (people p JOIN orders o ON o.person_id = p.id) AS j(a, b, c, d, e, f, g)
SELECT email FROM (people JOIN orders ON person_id = people.id)
SELECT email FROM ((people AS p CROSS JOIN accounts))
SELECT email FROM (((SELECT * FROM people))) AS x
SELECT (((SELECT max(email::text) FROM people)))
SELECT x FROM (SELECT email FROM people) AS y(x)
SELECT y.x FROM (VALUES ((SELECT max(email::text) FROM people))) AS y(x)
SELECT s.e FROM accounts a, LATERAL (SELECT p.email AS e FROM people p WHERE p.account_id = a.id) AS s
SELECT s.* FROM accounts a CROSS JOIN LATERAL (SELECT * FROM people p WHERE p.account_id = a.id) AS s
SELECT (SELECT p.email FROM people p WHERE p.account_id = a.id) FROM accounts a
SELECT (SELECT email FROM people WHERE account_id = a.id) FROM accounts a
SELECT ARRAY(SELECT email FROM people WHERE account_id = a.id) FROM accounts a
SELECT (SELECT (SELECT (SELECT name) FROM (SELECT 1) AS x) FROM (SELECT 2) AS y) FROM people
SELECT (SELECT name FROM accounts LIMIT 1) FROM people
SELECT (SELECT name || label FROM accounts a WHERE a.id = people.id) FROM people
SELECT EXISTS (SELECT name), name FROM people
SELECT i.name, (SELECT p.name FROM people p WHERE p.id = i.id) FROM items i
SELECT email FROM people TABLESAMPLE SYSTEM (100)
SELECT email FROM people TABLESAMPLE BERNOULLI (100) REPEATABLE (1)
SELECT email FROM people AS p TABLESAMPLE SYSTEM (100)
SELECT email FROM ONLY people
SELECT email FROM ONLY (people)
SELECT email FROM ONLY people p
SELECT "only".email FROM people AS "only"
SELECT email FROM people *
SELECT ctid, xmin, tableoid, email FROM people
SELECT email FROM people WHERE ctid = '(0,1)'
SELECT email FROM people FOR UPDATE
SELECT email FROM people FOR SHARE OF people SKIP LOCKED
SELECT email FROM people p, orders o WHERE o.person_id = p.id FOR NO KEY UPDATE OF p NOWAIT
SELECT email FROM people ORDER BY id FETCH FIRST 2 ROWS WITH TIES
SELECT email FROM people LIMIT ALL OFFSET 1
SELECT ALL email FROM people
SELECT DISTINCT email FROM people
SELECT DISTINCT ON (region) email FROM people
SELECT email FROM people GROUP BY id
SELECT email, count(*) FROM people GROUP BY 1
SELECT region, email FROM people GROUP BY GROUPING SETS ((region), (email))
SELECT email FROM people GROUP BY CUBE (email)
SELECT email FROM people WINDOW w AS (ORDER BY id)
SELECT first_value(email) OVER w FROM people WINDOW w AS (ORDER BY id)
SELECT lag(email) OVER (ORDER BY id), lead(name) OVER (ORDER BY id), nth_value(phone, 2) OVER () FROM people
SELECT string_agg(email, ',') OVER (ORDER BY id ROWS 1 PRECEDING EXCLUDE CURRENT ROW) FROM people
SELECT generate_series(1, 2), email FROM people
SELECT email FROM people p WHERE EXISTS (SELECT FROM people q WHERE q.email = p.email)
SELECT email FROM people, generate_series(1, 1)
SELECT email FROM generate_series(1, 8) AS n JOIN people ON people.id = n
SELECT email FROM v_people JOIN v_barrier USING (id, email)
SELECT v.email FROM v_people AS v(a, b, c, d, email)
SELECT email FROM hr.people
SELECT a.email, b.email FROM people a JOIN hr.people b ON a.id = b.id
SELECT people.email FROM hr.people
SELECT hr.people.email FROM hr.people
SELECT public.people.email, hr.people.email FROM public.people, hr.people

=== each common table expressions
WITH x AS (SELECT * FROM people) SELECT * FROM x
WITH x AS (SELECT * FROM people), people AS (SELECT 1 AS id) SELECT * FROM x, people
WITH people AS (SELECT * FROM people) SELECT * FROM people
WITH people AS (SELECT email FROM public.people) SELECT email FROM people
WITH people AS (SELECT 1 AS id, 'mine' AS email) SELECT email FROM public.people
WITH people (id, email) AS (SELECT id, name FROM public.people) SELECT email FROM people
WITH x AS MATERIALIZED (SELECT * FROM people) SELECT email FROM x
WITH x AS NOT MATERIALIZED (SELECT * FROM people) SELECT email FROM x
WITH x (a, b) AS (SELECT id, email FROM people) SELECT b FROM x
WITH x AS (TABLE people) TABLE x
WITH x AS (VALUES ((SELECT max(email::text) FROM people))) TABLE x
WITH RECURSIVE x AS (SELECT id, email FROM people WHERE id = 1 UNION ALL SELECT p.id, p.email FROM people p JOIN x ON p.id = x.id + 1) SELECT * FROM x
WITH RECURSIVE people AS (SELECT 1 AS id UNION ALL SELECT id + 1 FROM people WHERE id < 3) SELECT p.email FROM public.people p JOIN people USING (id)
WITH RECURSIVE a AS (SELECT * FROM people), people AS (SELECT 1 AS id) SELECT * FROM (WITH people AS (SELECT email FROM public.people) SELECT * FROM people) AS q
WITH RECURSIVE x (n, e) AS (SELECT 1, (SELECT email::text FROM people WHERE id = 1) UNION ALL SELECT n + 1, (SELECT email::text FROM people WHERE id = n + 1) FROM x WHERE n < 3) SEARCH DEPTH FIRST BY n SET o SELECT * FROM x
WITH RECURSIVE x (n, e) AS (SELECT 1::bigint, ''::text UNION ALL SELECT p.id, p.email::text FROM people p, x WHERE p.id = x.n + 1) CYCLE n SET c USING path SELECT * FROM x
WITH a AS (WITH b AS (SELECT * FROM people) SELECT * FROM b) SELECT email FROM a
SELECT * FROM (WITH people AS (SELECT 1 AS email) SELECT p.email FROM public.people p, people) AS q
SELECT (WITH x AS (SELECT email FROM people WHERE id = 1) SELECT email FROM x)
WITH x AS (SELECT 1 AS people), y AS (SELECT email FROM people) SELECT * FROM x, y
WITH "people" AS (SELECT 1) SELECT email FROM public."people"
WITH "People" AS (SELECT 1 AS email) SELECT email FROM people
WITH x AS (SELECT p FROM people p) SELECT (p).email FROM x
WITH x AS (SELECT (SELECT p FROM people p WHERE id = 1) AS r) SELECT (r).email FROM x
WITH x AS (INSERT INTO items (name, price) SELECT email, 1 FROM people RETURNING name) SELECT * FROM x
BEGIN; WITH x AS (DELETE FROM people_log RETURNING *) SELECT * FROM x; ROLLBACK
WITH x AS (UPDATE people SET points = points RETURNING *) SELECT * FROM x
WITH x AS (UPDATE people SET points = points RETURNING email) SELECT * FROM x WHERE email IS NULL OR true

=== each set operations
SELECT email FROM people UNION SELECT 'x'
SELECT 'x' UNION ALL SELECT email::text FROM people
SELECT name FROM items UNION SELECT name FROM people
SELECT name FROM people EXCEPT SELECT ''
SELECT name FROM people INTERSECT SELECT name FROM people
SELECT name FROM people EXCEPT ALL SELECT phone FROM people
(SELECT name FROM people) UNION (SELECT phone FROM people) ORDER BY 1
(TABLE people) UNION (TABLE people)
TABLE people UNION TABLE people
SELECT NULL::text UNION SELECT email::text FROM people UNION SELECT NULL
VALUES ('x') UNION SELECT email::text FROM people
VALUES ((SELECT name FROM people WHERE id = 1)), ('x')
SELECT id, NULL::text FROM accounts UNION ALL SELECT id, email::text FROM people
SELECT (SELECT name FROM people WHERE id = 1) UNION SELECT (SELECT phone FROM people WHERE id = 1)
SELECT * FROM (SELECT name FROM people UNION ALL SELECT label FROM accounts) AS u
SELECT * FROM (SELECT name FROM people UNION ALL SELECT label FROM accounts) AS u(a) WHERE a > 'm'
SELECT c_text FROM vault UNION SELECT c_varchar FROM vault UNION SELECT c_char FROM vault
WITH x AS (SELECT name FROM people UNION SELECT phone FROM people) SELECT * FROM x
SELECT email FROM people UNION ALL SELECT email FROM v_people UNION ALL SELECT email FROM mv_people
