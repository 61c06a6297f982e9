-- What must run through the proxy as it does past it, for a user without any grant: each statement
-- (separated by lines with only ";;") is run both ways and must print the same.

SELECT 1
;;
SELECT count(*) FROM customers
;;
SELECT id, city, country FROM customers ORDER BY id LIMIT 10
;;
SELECT city, count(*) FROM customers GROUP BY city ORDER BY 1
;;
SELECT c.id, c.city, c.country FROM customers c GROUP BY c.id ORDER BY c.id LIMIT 5
;;
SELECT c.city, count(*) AS n, sum(o.total) FROM customers c JOIN orders o ON o.customer_id = c.id GROUP BY c.city ORDER BY 1
;;
SELECT * FROM revenue_by_city ORDER BY city
;;
SELECT * FROM products ORDER BY id
;;
SELECT vat(100), public.vat(200, 0.07)
;;
SELECT o.id, (SELECT c.city FROM customers c WHERE c.id = o.customer_id) FROM orders o ORDER BY o.id LIMIT 7
;;
SELECT id FROM customers WHERE created_at > '2024-06-01' AND city = 'Lyon' ORDER BY 1
;;
WITH big AS (SELECT customer_id, sum(total) AS t FROM orders GROUP BY 1) SELECT c.city, max(b.t) FROM big b JOIN customers c ON c.id = b.customer_id GROUP BY 1 ORDER BY 1
;;
WITH customers AS (SELECT 7 AS id, 'x' AS email) SELECT * FROM customers
;;
SELECT customers FROM (VALUES (1), (2)) AS t(customers)
;;
SELECT id AS customers FROM products ORDER BY id LIMIT 2
;;
SELECT path, count(*) FROM page_views GROUP BY path ORDER BY path LIMIT 5
;;
SELECT count(*) FROM page_views WHERE viewed_at < '2026-10-15'
;;
SELECT id FROM ONLY customers ORDER BY id LIMIT 2
;;
SELECT tableoid::regclass, id FROM customers ORDER BY id LIMIT 2
;;
SELECT id FROM customers WHERE id = 3 FOR UPDATE
;;
BEGIN; SELECT id FROM customers WHERE id = 3 FOR NO KEY UPDATE; COMMIT
;;
SELECT rank() OVER (PARTITION BY city ORDER BY id), id FROM customers ORDER BY id LIMIT 5
;;
PREPARE p (bigint) AS SELECT id, city FROM customers WHERE id = $1; EXECUTE p (4); DEALLOCATE p
;;
BEGIN; DECLARE c CURSOR FOR SELECT id, city FROM customers ORDER BY id; FETCH 3 FROM c; MOVE 2 IN c; FETCH 1 FROM c; CLOSE c; COMMIT
;;
COPY (SELECT id, city FROM customers ORDER BY id LIMIT 4) TO STDOUT
;;
COPY products TO STDOUT
;;
BEGIN; INSERT INTO products (name, price) VALUES ('x', 1) RETURNING name; UPDATE products SET price = 2 WHERE name = 'x' RETURNING price; DELETE FROM products WHERE name = 'x'; ROLLBACK
;;
BEGIN; CREATE TABLE mine (a int, b text DEFAULT 'z'); INSERT INTO mine VALUES (1); SELECT * FROM mine; ROLLBACK
;;
CREATE TEMP TABLE t (a int); INSERT INTO t SELECT generate_series(1, 3); SELECT sum(a) FROM t
;;
CREATE TEMP TABLE customers (a int, email text); INSERT INTO customers VALUES (1, 'mine'); SELECT * FROM customers
;;
SET search_path = hr; SELECT count(*) FROM employees
;;
SET work_mem = '8MB'; SHOW work_mem
;;
SELECT current_setting('work_mem')
;;
SELECT set_config('application_name', 'x', false); SHOW application_name
;;
SELECT relname FROM pg_class WHERE relname = 'customers'
;;
SELECT 'customers'::regclass
;;
SELECT column_name FROM information_schema.columns WHERE table_name = 'customers' ORDER BY ordinal_position
;;
SELECT attname FROM pg_attribute WHERE attrelid = 'public.customers'::regclass AND attnum > 0 ORDER BY attnum
;;
SELECT pg_get_viewdef('revenue_by_city'::regclass)
;;
EXPLAIN (COSTS OFF) SELECT * FROM products WHERE id = 1
;;
SELECT $$customers$$, 'customers', E'cust\x6fmers'
;;
SELECT a.n FROM generate_series(1, 3) AS a(n)
;;
SELECT x FROM unnest(ARRAY[1, 2, 3]) WITH ORDINALITY AS u(x, i) ORDER BY i DESC
;;
SELECT id, city FROM customers WHERE (id, city) = ANY (SELECT id, city FROM customers WHERE id < 4) ORDER BY id
;;
SELECT o.* FROM orders o JOIN customers USING (id) WHERE id < 4 ORDER BY o.id
;;
SELECT count(*) FROM orders o WHERE EXISTS (SELECT 1 FROM customers c WHERE c.id = o.customer_id AND c.country = 'DE')
;;
SELECT c.country, c.city FROM customers AS c, LATERAL (SELECT 1) AS l WHERE c.id = 9
;;
SELECT public.customers.city FROM public.customers WHERE customers.id = 11
;;
SELECT json_build_object('city', city) FROM customers WHERE id = 1
;;
SELECT id FROM customers UNION SELECT id FROM products ORDER BY id LIMIT 3
;;
SELECT count(DISTINCT city), bool_or(newsletter) FROM customers
;;
BEGIN; SAVEPOINT a; SELECT 1 / 0; ROLLBACK TO a; SELECT city FROM customers WHERE id = 1; COMMIT
;;
VACUUM products
;;
ANALYZE products
;;
LISTEN x; UNLISTEN *
;;
SELECT nextval('products_id_seq') > 0
;;
SELECT now() > '2020-01-01', random() < 2, length('ab'), upper('x') || lower('Y'), coalesce(NULL, 1), greatest(1, 2)
;;
SELECT 1 AS "SELECT", 2 AS "from", '' AS "a""b"
;;
SELECT nosuchcolumn FROM products
;;
SELECT nosuchfunction(1)
;;
SELECT * FROM nosuchtable
;;
SELEC 1
