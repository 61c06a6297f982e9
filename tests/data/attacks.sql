-- What an insider without any grant tries, to see a protected value. Each statement (they are
-- separated by lines with only ";;") is run through the proxy by psql, in a session of its own; no
-- byte of any protected value may come out, whatever else the statement does.

SELECT * FROM customers
;;
SELECT email FROM public.customers
;;
TABLE customers
;;
SELECT c FROM customers c
;;
SELECT c.* FROM customers c WHERE c.id = 1
;;
SELECT customers FROM customers LIMIT 3
;;
SELECT (c).email FROM customers c
;;
SELECT (SELECT email FROM customers WHERE id = 1)
;;
SELECT row_to_json(c) FROM customers c
;;
SELECT to_jsonb(c) ->> 'email' FROM customers c
;;
SELECT json_agg(c) FROM customers c
;;
SELECT array_agg(email) FROM customers
;;
SELECT string_agg(email::text, ',') FROM customers
;;
SELECT min(email), max(name) FROM customers
;;
SELECT email::int FROM customers
;;
SELECT id FROM customers WHERE email::text::int = 1
;;
SELECT id FROM customers WHERE 1 / (length(email::text) - length(email::text)) = 1
;;
SELECT name::text::date FROM customers WHERE id = 1
;;
SELECT phone::xml FROM customers
;;
SELECT ('{"a":' || name || '}')::json FROM customers
;;
WITH x AS (SELECT * FROM customers), customers AS (SELECT 1 AS id) SELECT * FROM x, customers
;;
WITH customers AS (SELECT * FROM customers) SELECT * FROM customers
;;
WITH RECURSIVE r AS (SELECT id, email FROM customers WHERE id = 1 UNION ALL SELECT c.id, c.email FROM customers c JOIN r ON c.id = r.id + 1 WHERE c.id < 5) SELECT * FROM r
;;
SELECT o.id, l.email FROM orders o, LATERAL (SELECT email FROM customers c WHERE c.id = o.customer_id) l LIMIT 5
;;
SELECT id FROM orders UNION SELECT length(email::text) FROM customers
;;
SELECT NULL::text UNION ALL SELECT email::text FROM customers
;;
SELECT name FROM products UNION TABLE only_emails
;;
SELECT * FROM ONLY customers
;;
SELECT * FROM ONLY (customers)
;;
SELECT * FROM customers *
;;
SELECT * FROM customers TABLESAMPLE system (100)
;;
SELECT * FROM customers AS c(a, b, d) LIMIT 2
;;
SELECT ctid, email FROM customers LIMIT 3
;;
SELECT tableoid::regclass, c.* FROM customers c LIMIT 3
;;
SELECT email FROM customers FOR UPDATE
;;
SELECT email FROM customers ORDER BY email FETCH FIRST 3 ROWS ONLY FOR NO KEY UPDATE
;;
SELECT * FROM customer_directory
;;
SELECT email FROM customer_directory WHERE id = 5
;;
SELECT * FROM page_views_2026_10 LIMIT 5
;;
SELECT ip FROM page_views LIMIT 5
;;
SELECT * FROM hr.employees
;;
SET search_path = hr; SELECT * FROM employees
;;
SELECT set_config('search_path', 'hr', false); SELECT * FROM employees
;;
SET search_path = public, pg_catalog; SELECT * FROM customers WHERE id = 42
;;
SELECT email_of(42)
;;
SELECT public.email_of(42)
;;
SELECT "email_of"(42)
;;
SELECT U&"\0065mail_of"(42)
;;
SELECT id, email_of(id) FROM orders LIMIT 3
;;
SELECT * FROM email_of(42)
;;
SELECT query_to_xml('SELECT email FROM customers', true, false, '')
;;
SELECT table_to_xml('customers', true, false, '')
;;
SELECT schema_to_xml('public', true, false, '')
;;
SELECT database_to_xml(true, false, '')
;;
SELECT cursor_to_xml('c', 10, true, false, '')
;;
SELECT * FROM ts_stat('SELECT to_tsvector(email) FROM customers')
;;
SELECT pg_catalog.query_to_xml('SELECT * FROM customers', true, false, '')
;;
SELECT U&"query_to_xm\006C"('SELECT email FROM customers', true, false, '')
;;
SELECT U&"d\0061ta".email FROM U&"cust\006Fmers" AS U&"d\0061ta"
;;
SELECT 1 <=/* ' */ (SELECT count(email) FROM customers) --'
;;
SELECT name FROM products WHERE name = '\'' OR EXISTS (SELECT email FROM customers) --'
;;
SELECT E'\'' || (SELECT email FROM customers LIMIT 1) --'
;;
SELECT $$a$$ || (SELECT string_agg(email::text, '') FROM customers)
;;
SELECT $x$ $y$ $x$, email FROM customers --$y$
;;
SELECT /* /* */ ' */ email FROM customers --'
;;
SELECT email FROM "customers"
;;
SELECT "customers"."email" FROM "public"."customers"
;;
SELECT shop_template.public.customers.email FROM customers
;;
SELECT count(*) FROM customers WHERE email LIKE 'noah%'
;;
SELECT id FROM customers ORDER BY ssn LIMIT 3
;;
SELECT email, count(*) FROM customers GROUP BY email
;;
SELECT c.id, c.email FROM customers c GROUP BY c.id
;;
SELECT email, rank() OVER (ORDER BY email) FROM customers LIMIT 5
;;
SELECT DISTINCT ON (email) email FROM customers
;;
SELECT a.email FROM customers a JOIN customers b USING (email)
;;
SELECT * FROM customers a NATURAL JOIN customers b LIMIT 3
;;
SELECT * FROM orders o JOIN customers c ON c.id = o.customer_id LIMIT 3
;;
VALUES ((SELECT email FROM customers LIMIT 1))
;;
SELECT CASE WHEN EXISTS (SELECT FROM customers WHERE email::text = 'x') THEN 1 END, (SELECT name FROM customers LIMIT 1)
;;
EXPLAIN (ANALYZE, VERBOSE) SELECT email FROM customers WHERE id = 42
;;
EXPLAIN SELECT * FROM customers WHERE email = 'noah.brandt1@example.org'
;;
PREPARE p AS SELECT email FROM customers; EXECUTE p
;;
PREPARE p (int) AS SELECT * FROM customers WHERE id = $1; EXECUTE p (42)
;;
BEGIN; DECLARE c CURSOR FOR SELECT email FROM customers; FETCH 5 FROM c; COMMIT
;;
BEGIN; DECLARE c CURSOR WITH HOLD FOR SELECT email FROM customers; COMMIT; FETCH ALL FROM c
;;
COPY customers TO STDOUT
;;
COPY customers (email) TO STDOUT
;;
COPY (SELECT email FROM customers) TO STDOUT
;;
COPY (TABLE customers) TO STDOUT WITH (FORMAT csv, HEADER)
;;
COPY public.customers(name, email) TO STDOUT
;;
COPY customers TO PROGRAM 'cat'
;;
COPY customers TO '/tmp/x'
;;
CREATE TABLE stolen AS SELECT * FROM customers; SELECT * FROM stolen
;;
SELECT * INTO stolen FROM customers; SELECT * FROM stolen
;;
CREATE TEMP TABLE stolen AS TABLE customers; TABLE stolen
;;
CREATE VIEW stolen AS SELECT * FROM customers; SELECT * FROM stolen
;;
CREATE MATERIALIZED VIEW stolen AS SELECT * FROM customers; SELECT * FROM stolen
;;
CREATE TABLE stolen (LIKE customers); INSERT INTO stolen SELECT * FROM customers; SELECT * FROM stolen
;;
INSERT INTO products (name, price) SELECT email, 1 FROM customers; SELECT * FROM products
;;
INSERT INTO products (name, price) VALUES ((SELECT email FROM customers LIMIT 1), 1) RETURNING name
;;
INSERT INTO products (name, price) VALUES ('a', 1) RETURNING (SELECT email FROM customers LIMIT 1)
;;
UPDATE products SET name = (SELECT email FROM customers LIMIT 1) RETURNING name
;;
UPDATE products SET name = c.email FROM customers c WHERE c.id = products.id RETURNING products.name
;;
DELETE FROM products USING customers c WHERE false RETURNING c.email
;;
UPDATE customers SET city = email RETURNING city
;;
UPDATE customers SET city = city RETURNING *
;;
INSERT INTO customers (name, email, city, country) VALUES ('x', 'noah.brandt1@example.org', 'x', 'DE')
;;
INSERT INTO customers SELECT * FROM customers ON CONFLICT DO NOTHING RETURNING *
;;
DELETE FROM customers WHERE id = 499 RETURNING *
;;
MERGE INTO products p USING customers c ON p.id = c.id WHEN MATCHED THEN UPDATE SET name = c.email
;;
DO $$ BEGIN RAISE NOTICE '%', (SELECT email FROM customers LIMIT 1); END $$
;;
CREATE FUNCTION steal() RETURNS text LANGUAGE sql AS 'SELECT email::text FROM customers LIMIT 1'; SELECT steal()
;;
CREATE FUNCTION pg_temp.steal() RETURNS text LANGUAGE sql AS 'SELECT email::text FROM customers LIMIT 1'; SELECT pg_temp.steal()
;;
CREATE OR REPLACE FUNCTION vat(amount numeric, rate numeric DEFAULT 0.19) RETURNS numeric LANGUAGE sql AS 'SELECT max(salary) FROM hr.employees'; SELECT vat(1)
;;
CREATE RULE r AS ON UPDATE TO products DO ALSO SELECT email FROM customers; UPDATE products SET price = 1
;;
ALTER TABLE customers RENAME TO clients; SELECT * FROM clients
;;
ALTER TABLE customers RENAME COLUMN email TO mail; SELECT mail FROM customers
;;
ALTER TABLE customers SET SCHEMA hr; SELECT * FROM hr.customers
;;
BEGIN; ALTER SCHEMA hr RENAME TO hr2; SELECT * FROM hr2.employees
;;
DROP VIEW customer_directory; CREATE VIEW customer_directory AS SELECT * FROM hr.employees; SELECT * FROM customer_directory
;;
CREATE TABLE customers_kid () INHERITS (customers); SELECT * FROM customers_kid
;;
SELECT * FROM pg_stats WHERE tablename = 'customers'
;;
SELECT most_common_vals, histogram_bounds FROM pg_stats
;;
SELECT stavalues1 FROM pg_statistic
;;
SELECT histogram_bounds FROM pg_catalog.pg_stats WHERE attname = 'email'
;;
SELECT query FROM pg_stat_activity
;;
SELECT * FROM pg_prepared_statements
;;
SELECT pg_read_file('base/1/1259')
;;
SELECT lo_import('/etc/passwd')
;;
SELECT * FROM pg_toast.pg_toast_1255
;;
SELECT pg_stat_get_activity(NULL)
;;
SHOW pgwarrant.key
;;
SELECT current_setting('pgwarrant.key')
;;
SELECT current_setting('pgwarrant' || '.key')
;;
SELECT current_setting(lower('PGWARRANT.KEY'), true)
;;
SELECT set_config('pgwarrant.key', 'x', false)
;;
SET pgwarrant.key = 'x'
;;
SET standard_conforming_strings = off; SELECT '\' || email FROM customers --'
;;
SELECT jsonb_path_query(to_jsonb(c), '$.email') FROM customers c
;;
SELECT jsonb_populate_record(NULL::customers, to_jsonb(c)) FROM customers c
;;
SELECT x.* FROM customers c, jsonb_each_text(to_jsonb(c)) x WHERE c.id = 1
;;
SELECT xmlelement(name a, email) FROM customers LIMIT 3
;;
SELECT xmlforest(email, name) FROM customers LIMIT 3
;;
SELECT format('%s', email) FROM customers LIMIT 3
;;
SELECT concat(c) FROM customers c LIMIT 3
;;
SELECT c::text FROM customers c LIMIT 3
;;
SELECT (ARRAY(SELECT email FROM customers))[1:3]
;;
SELECT EXISTS (SELECT 1 FROM customers WHERE email = 'noah.brandt1@example.org') AND false
;;
SELECT * FROM ROWS FROM (email_of(1), email_of(2)) AS r(a, b)
;;
SELECT email FROM customers WHERE CURRENT OF c
;;
LOCK TABLE customers; SELECT name FROM customers
;;
SELECT * FROM (customers c JOIN orders o ON o.customer_id = c.id) LIMIT 3
;;
SELECT j.* FROM (customers c JOIN orders o ON o.customer_id = c.id) AS j LIMIT 2
;;
SELECT c.email FROM customers c WHERE c.email > ANY (SELECT email FROM customers)
;;
SELECT percentile_disc(0.5) WITHIN GROUP (ORDER BY email) FROM customers
;;
SELECT count(*) FILTER (WHERE email LIKE 'a%'), max(name) FROM customers
;;
SELECT lag(email) OVER w FROM customers WINDOW w AS (PARTITION BY city ORDER BY email) LIMIT 3
;;
SELECT city, email FROM customers GROUP BY GROUPING SETS ((city), (email))
;;
SELECT GREATEST(email, name), LEAST(email, name), COALESCE(email, 'x') FROM customers LIMIT 3
;;
SELECT email COLLATE "C" FROM customers LIMIT 3
;;
SELECT substring(email FROM 1 FOR 30), position('@' IN email), overlay(email PLACING '' FROM 1 FOR 0), trim(email) FROM customers LIMIT 3
;;
SELECT email AT TIME ZONE 'UTC' FROM customers
;;
SELECT extract(year FROM birth_date), birth_date FROM customers LIMIT 3
;;
FETCH 10 FROM nothing
;;
SELECT pgwarrant.approve(1)
;;
SELECT * FROM pgwarrant.grants, customers
;;
SELECT p.card_number, p.iban FROM payments p LIMIT 3
;;
SELECT iban FROM payments UNION SELECT iban FROM hr.employees
;;
SELECT dblink('dbname=shop', 'SELECT email FROM customers')
;;
CREATE EXTENSION dblink; SELECT * FROM dblink('dbname=shop', 'SELECT email::text FROM customers') AS t(e text)
;;
LISTEN x; SELECT pg_notify('x', (SELECT email FROM customers LIMIT 1))
;;
NOTIFY x, 'y'; SELECT set_config('application_name', (SELECT email::text FROM customers LIMIT 1), false)
;;
SELECT * FROM customers c, LATERAL (SELECT c.email) AS l(e) LIMIT 3
;;
SELECT (SELECT c.email) FROM customers c LIMIT 3
;;
SELECT (c.*)::text FROM customers c LIMIT 3
;;
SELECT ROW(c.*) FROM customers c LIMIT 3
;;
SELECT hashtext(c.email::text), md5(c.email::text), encode(c.email::text::bytea, 'hex') FROM customers c LIMIT 3
;;
SELECT regexp_replace(email, '@', '#'), reverse(email), translate(email, '@', '#'), upper(name) FROM customers LIMIT 3
;;
WITH d AS (DELETE FROM customers WHERE id = 499 RETURNING *) SELECT * FROM d
;;
WITH u AS (UPDATE customers SET city = city RETURNING email, name) SELECT * FROM u
;;
WITH i AS (INSERT INTO customers (name, email, city, country) SELECT name, email || 'x', city, country FROM customers RETURNING *) SELECT * FROM i
;;
ALTER ROLE shop_app SET pgwarrant.key FROM CURRENT; SELECT setconfig FROM pg_db_role_setting
;;
ALTER DATABASE shop SET pgwarrant.key FROM CURRENT; SELECT setconfig FROM pg_db_role_setting
;;
SELECT name, setting FROM pg_settings WHERE name LIKE 'pgwarrant%'
;;
SELECT * FROM pg_show_all_settings() WHERE name LIKE 'pgwarrant%'
;;
SHOW ALL
;;
ALTER TABLE products ADD COLUMN stolen text DEFAULT email_of(42)::text; SELECT stolen FROM products
;;
ALTER TABLE products ALTER COLUMN name SET DEFAULT public.email_of(42)::text; INSERT INTO products (price) VALUES (1) RETURNING name
;;
CREATE TABLE stolen (a text DEFAULT (public.email_of(42))::text); INSERT INTO stolen DEFAULT VALUES RETURNING a
;;
CREATE INDEX ON products ((email_of(id)))
;;
CREATE PUBLICATION p FOR TABLE customers
;;
CREATE POLICY p ON products USING (EXISTS (SELECT 1 FROM customers WHERE email = 'a'))
;;
CREATE TRIGGER t BEFORE INSERT ON products FOR EACH ROW EXECUTE FUNCTION email_of()
;;
CREATE AGGREGATE stolen(bigint) (SFUNC = email_of, STYPE = citext)
;;
CREATE OPERATOR === (PROCEDURE = email_of, RIGHTARG = bigint); SELECT === 42::bigint
;;
CREATE CAST (bigint AS citext) WITH FUNCTION email_of(bigint); SELECT 42::bigint::citext
;;
CREATE STATISTICS s ON name, email FROM customers
;;
SELECT * FROM pg_stats_ext_exprs
;;
SELECT * FROM pg_largeobject
;;
SELECT rolname, rolpassword FROM pg_authid
;;
SELECT email_of.email_of FROM email_of(42)
;;
SELECT x FROM email_of(42) AS t(x)
;;
SELECT id, (SELECT max(e) FROM email_of(o.id) AS e) FROM orders o LIMIT 3
;;
SELECT * FROM products ORDER BY email_of(id) LIMIT 1
;;
BEGIN; SAVEPOINT a; SELECT blood FROM hr.employees; ROLLBACK TO a; SELECT name, email FROM customers WHERE id = 1; COMMIT
;;
PREPARE q AS SELECT blood FROM hr.employees; EXECUTE q
;;
EXPLAIN (ANALYZE, VERBOSE) SELECT blood FROM hr.employees
;;
SELECT count(*) FROM hr.employees WHERE blood = 'A'
;;
SELECT name FROM hr.employees ORDER BY blood
;;
SELECT salary, iban, work_email FROM hr.employees ORDER BY salary DESC LIMIT 3
;;
SELECT e.* FROM hr.employees e
;;
SELECT hr.employees FROM hr.employees
;;
SELECT length(customers::text), customers::text FROM customers LIMIT 3
;;
DELETE FROM orders USING customers WHERE false RETURNING customers.*
;;
SELECT * FROM customers WHERE email = 'maya.alvarez70@example.net' OR 1 = 1 LIMIT 2
