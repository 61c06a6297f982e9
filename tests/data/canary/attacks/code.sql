-- Functions, operators, casts, aggregates, triggers, defaults, rules, policies: what statements run
-- without saying so.

=== each functions
SELECT first_mail()
SELECT public.first_mail()
SELECT "first_mail"()
SELECT FIRST_MAIL()
SELECT U&"first\005Fmail"()
SELECT first_mail ()
SELECT/**/first_mail/**/()
SELECT * FROM first_mail()
SELECT * FROM first_mail() AS x
SELECT x FROM first_mail() AS y(x)
SELECT f.* FROM accounts, LATERAL first_mail() AS f
SELECT * FROM ROWS FROM (first_mail(), mail_of(2)) AS x(a, b)
SELECT * FROM items ORDER BY first_mail(), first_mail()::integer
SELECT 1 WHERE first_mail() IS NULL OR first_mail()::integer = 1
SELECT 1 LIMIT first_mail()::integer
SELECT 1 ORDER BY first_mail()::integer
SELECT count(*) FROM items GROUP BY first_mail()::integer
SELECT count(*) FROM items HAVING first_mail()::integer > 1
VALUES (first_mail())
SELECT ARRAY[first_mail()], ROW(first_mail())
SELECT CASE WHEN true THEN first_mail() END
SELECT coalesce(first_mail(), 'x')
SELECT lies()
SELECT mail_of(3)
SELECT mail_of(person => 3)
SELECT mail_of(person := 3)
SELECT mail_of(id) FROM accounts
SELECT (SELECT max(mail_of(id)) FROM accounts)
SELECT atomic_mail()
SELECT all_people()
SELECT (all_people()).email
SELECT email FROM all_people()
SELECT p.name FROM all_people() AS p
SELECT * FROM all_people() WITH ORDINALITY
SELECT * FROM some_people()
SELECT some_people()
SELECT mail FROM table_people()
SELECT definer_mail()
SELECT dynamic('SELECT max(email::text) FROM people')
SELECT dynamic('SELECT max(email::text) FROM pe' || 'ople')
SELECT dynamic(convert_from(decode('53454c454354206e616d652046524f4d2070656f706c65204c494d49542031', 'hex'), 'UTF8'))
SELECT hidden_name()
SELECT through_view()
SELECT chain()
SELECT with_default()
SELECT public.with_default() FROM items LIMIT 1
SELECT raises()
SELECT full_label(p) FROM people p
SELECT p.full_label FROM people p
SELECT order_mail(o) FROM orders o
SELECT o.order_mail FROM orders o
SELECT orders.order_mail FROM orders
SELECT (o).order_mail, o.* FROM orders o
SELECT order_mail(ROW(1, 1, 1, 1, now())::orders)
SELECT order_mail FROM orders, LATERAL order_mail(orders)
SELECT mails(id) FROM accounts
SELECT mails(id ORDER BY id) FILTER (WHERE id < 3) FROM accounts
SELECT mails(id) OVER (ORDER BY id) FROM accounts
SELECT ends(label) FROM accounts
SELECT ===> 3::bigint
SELECT OPERATOR(public.===>) 3::bigint
SELECT ===> id FROM accounts
SELECT id FROM accounts ORDER BY ===> id, (===> id)::integer
SELECT ROW(3)::ticket::label
SELECT CAST(ROW(3)::ticket AS label)
SELECT t::label FROM t_tickets
SELECT (t::label).words FROM t_tickets
SELECT 'x'::noisy
SELECT CAST('x' AS noisy)
SELECT noisy 'x'
SELECT 'x'::public.noisy
SELECT '{x}'::noisy[]
SELECT ARRAY['x']::noisy[]
SELECT x.* FROM json_to_record('{"a": "x"}') AS x(a noisy)
SELECT x.* FROM xmltable('/a' PASSING xmlparse(CONTENT '<a>b</a>') COLUMNS b noisy PATH '.') AS x
SELECT jsonb_populate_record(NULL::t_domain, '{"note": "x"}')
SELECT '(1,x)'::t_domain
SELECT ROW(1, 'x')::t_domain
SELECT json_populate_record(t, '{"note": "x"}') FROM (SELECT NULL::t_domain AS t) AS y
SELECT * FROM t_pairs ORDER BY v
SELECT DISTINCT v FROM t_pairs
SELECT v, count(*) FROM t_pairs GROUP BY v
SELECT v FROM t_pairs UNION SELECT v FROM t_pairs
SELECT greatest(v, v), least(v, v) FROM t_pairs
SELECT rank() OVER (ORDER BY v) FROM t_pairs
SELECT 1 FROM t_pairs WHERE v >>& v
SELECT 1 FROM t_pairs WHERE v OPERATOR(public.>>&) v
SELECT array_agg(v ORDER BY v) FROM t_pairs
SELECT percentile_disc(0.5) WITHIN GROUP (ORDER BY v) FROM t_pairs
SELECT array_position(ARRAY[v], v) FROM t_pairs
SELECT ROW(1, 2)::pair ==& ROW(1, 2)::pair
SELECT greatest('(1,2)'::pair, '(2,2)'::pair)
SELECT * FROM t_policy
SELECT count(*) FROM t_policy
SELECT 1 FROM items WHERE EXISTS (SELECT FROM t_policy)
SELECT * FROM v_calls
SELECT m FROM v_calls WHERE id = 2
TABLE v_calls
EXPLAIN (ANALYZE, VERBOSE) SELECT first_mail(), lies()
EXPLAIN VERBOSE SELECT lies()
COPY (SELECT first_mail()) TO STDOUT
SELECT query_to_xml('SELECT email FROM people', true, false, '')
SELECT query_to_xml('SELECT email FROM pe' || 'ople', true, false, '')
SELECT pg_catalog.query_to_xml('SELECT name FROM people', true, false, '')
SELECT query_to_xml_and_xmlschema('SELECT name FROM people', true, false, '')
SELECT table_to_xml('people', true, false, '')
SELECT table_to_xml('people'::regclass, true, false, '')
SELECT table_to_xml(oid, true, false, '') FROM pg_class WHERE relname LIKE 'peop%' AND relkind = 'r'
SELECT table_to_xml_and_xmlschema('hr.people', true, false, '')
SELECT schema_to_xml('hr', true, false, '')
SELECT schema_to_xml_and_xmlschema('hr', true, false, '')
SELECT U&"query_to_xm\006C"('SELECT email FROM people', true, false, '')
SELECT "query_to_xml"('SELECT name FROM people', true, false, '')
SELECT * FROM ts_stat('SELECT c_tsv FROM vault')
SELECT * FROM ts_stat('SELECT to_tsvector(''simple'', name) FROM people')
SELECT ts_rewrite('a'::tsquery, 'SELECT ''a''::tsquery, to_tsquery(''simple'', name) FROM people')
SELECT * FROM crosstab('SELECT id, ''a''::text, name FROM people ORDER BY 1') AS c(id bigint, a text)
SELECT * FROM crosstab2('SELECT name, ''a''::text, name FROM people ORDER BY 1')
SELECT * FROM crosstab('SELECT id, ''a''::text, name FROM people ORDER BY 1', 'SELECT ''a''::text') AS c(id bigint, a text)
SELECT * FROM connectby('people', 'name', 'region', 'eu', 0) AS c(k text, p text, l int)
SELECT * FROM xpath_table('id', 'name', '(SELECT id, ''<a>'' || name || ''</a>'' AS name FROM people) AS x', '/a', 'true') AS t(id int, v text)
SELECT currtid2('people', '(0,1)'), (SELECT name FROM people WHERE id = 1)

=== each functions as superuser
-- as: super
SELECT * FROM dblink('host=127.0.0.1 port=' || inet_server_port() || ' dbname=' || current_database(), 'SELECT email::text FROM people') AS t(e text)
SELECT e FROM dblink('loopback', 'SELECT email::text FROM people') AS t(e text)
SELECT lo_get(c_lo) FROM vault
SELECT convert_from(lo_get((SELECT min(oid) FROM pg_largeobject_metadata)), 'UTF8')
SELECT loread(lo_open((SELECT min(oid) FROM pg_largeobject_metadata), 262144), 100)
SELECT data FROM pg_largeobject
SELECT encode(data, 'escape') FROM pg_largeobject
SELECT get_raw_page('people', 0)
SELECT encode(get_raw_page('people', 0), 'escape')
SELECT * FROM heap_page_items(get_raw_page('people', 0))
SELECT heap_page_item_attrs(get_raw_page('people', 0), 'people'::regclass)
SELECT * FROM bt_page_items('people_name_idx', 1)
SELECT tuple_data_split('people'::regclass, t_data, t_infomask, t_infomask2, t_bits) FROM heap_page_items(get_raw_page('people', 0))
SELECT convert_from(pg_read_binary_file('postgresql.auto.conf'), 'UTF8'), first_mail()
SELECT * FROM pg_hba_file_rules, first_mail()

=== call
CALL leak_procedure('');
=== call qualified
CALL public.leak_procedure(NULL);
=== call by name
CALL leak_procedure(what => '');
=== call with a function as argument
CALL add_item(first_mail()); SELECT first_mail();
=== call extended
\bind text
CALL leak_procedure('');

=== notify from a function
LISTEN canary;
SELECT tells();

=== parameter status from a function
SELECT sets();
SHOW application_name;

=== application name from a function, in the parameter status
SELECT set_config('application_name', first_mail(), false);

=== insert fires a notice
INSERT INTO t_notice VALUES (1, 'x');
=== insert fires a copy
INSERT INTO t_copies VALUES (1, 'x') RETURNING note;
=== insert fires a copy, selected later
INSERT INTO t_copies VALUES (2, 'x');
SELECT note FROM t_copies;
=== update fires a notice
BEGIN;
INSERT INTO t_notice VALUES (3, 'x') ON CONFLICT DO NOTHING;
ROLLBACK;
=== insert at commit
BEGIN;
INSERT INTO t_deferred VALUES (1, 'x');
COMMIT;
=== insert, constraints immediate
BEGIN;
INSERT INTO t_deferred VALUES (1, 'x');
SET CONSTRAINTS ALL IMMEDIATE;
ROLLBACK;
=== insert at commit in one message
INSERT INTO t_deferred VALUES (1, 'x'); SELECT 1
=== copy fires a notice
\data 1\tx\n
COPY t_notice FROM STDIN;
=== copy fires a copy
\data 1\tx\n
COPY t_copies (id, note) FROM STDIN;
TABLE t_copies;
=== insert by extended protocol
\bind text 1 | x
INSERT INTO t_copies VALUES ($1, $2) RETURNING note;
=== rule adds rows
INSERT INTO t_ruled VALUES (1, 'x');
=== rule adds rows by select
INSERT INTO t_ruled SELECT id, name FROM items;
=== default reads
INSERT INTO t_default (id) VALUES (1) RETURNING note;
=== default by keyword
INSERT INTO t_default VALUES (1, DEFAULT) RETURNING *;
=== default by update
BEGIN;
INSERT INTO t_default VALUES (1, 'x');
UPDATE t_default SET note = DEFAULT RETURNING note;
ROLLBACK;
=== default by merge
BEGIN;
MERGE INTO t_default d USING items i ON d.id = i.id WHEN NOT MATCHED THEN INSERT (id) VALUES (i.id);
SELECT note FROM t_default;
ROLLBACK;
=== default by copy
BEGIN;
\data 1\n
COPY t_default (id) FROM STDIN;
SELECT note FROM t_default;
ROLLBACK;
=== domain column checks
INSERT INTO t_domain VALUES (1, 'x');
=== domain column checks on copy
\data 1\tx\n
COPY t_domain FROM STDIN;
=== assignment cast
BEGIN;
INSERT INTO t_labels SELECT id, t FROM t_tickets;
SELECT * FROM t_labels;
ROLLBACK;
=== assignment cast with returning
INSERT INTO t_labels SELECT id, t FROM t_tickets RETURNING l;
=== assignment cast by update
BEGIN;
INSERT INTO t_labels VALUES (1, NULL);
UPDATE t_labels l SET l = t.t FROM t_tickets t RETURNING l.l;
ROLLBACK;
=== statement trigger
INSERT INTO t_statement VALUES (1, 'x');
=== truncate trigger
BEGIN;
TRUNCATE t_statement;
ROLLBACK;
=== instead of trigger
INSERT INTO v_instead VALUES (5, 'x');
=== instead of update
UPDATE v_instead SET note = 'x';
=== instead of delete
DELETE FROM v_instead WHERE id = 1;
=== cascade deletes and logs
BEGIN;
DELETE FROM accounts WHERE id = 1;
ROLLBACK;
=== cascade updates and logs
BEGIN;
UPDATE accounts SET id = 100 WHERE id = 1;
ROLLBACK;
=== a delete with a common table expression
BEGIN;
WITH d AS (DELETE FROM accounts WHERE id = 2 RETURNING id) SELECT * FROM d;
ROLLBACK;
=== merge cascades
BEGIN;
MERGE INTO accounts a USING items i ON i.id = a.id WHEN MATCHED THEN DELETE;
ROLLBACK;
=== a trigger that logs, on an unprotected column
BEGIN;
UPDATE people SET points = 1 WHERE id = 1;
ROLLBACK;
=== a trigger that logs, on a view
BEGIN;
UPDATE v_people SET region = 'eu' WHERE id = 3;
ROLLBACK;
=== a trigger that logs, on delete
BEGIN;
DELETE FROM people WHERE id = 1;
ROLLBACK;
=== explain analyze fires triggers
BEGIN;
EXPLAIN ANALYZE INSERT INTO t_notice VALUES (1, 'x');
ROLLBACK;
=== prepared insert fires triggers
PREPARE p AS INSERT INTO t_copies VALUES (9, 'x') RETURNING note;
EXECUTE p;
=== policy on update
BEGIN;
UPDATE t_policy SET note = 'x' WHERE id = 1 RETURNING note;
ROLLBACK;
=== policy on delete
BEGIN;
DELETE FROM t_policy;
ROLLBACK;
=== locking a relation with a policy
SELECT id FROM t_policy FOR UPDATE;
=== cursor over a policy
BEGIN;
DECLARE c CURSOR FOR SELECT id FROM t_policy;
FETCH ALL c;
COMMIT;
=== index of mine with a loud function
-- as: owner
BEGIN;
INSERT INTO t_index SELECT id, name FROM people;
ROLLBACK;

=== each types by their oids
SELECT domain_in('x', 'noisy'::regtype, -1) IS NULL
SELECT pg_catalog.domain_in('x'::cstring, (SELECT oid FROM pg_type WHERE typname = 'noi' || 'sy'), -1) IS NULL
SELECT array_in('{x}', (SELECT oid FROM pg_type WHERE typname = 'noi' || 'sy'), -1) IS NULL
SELECT record_in('(1,x)', (SELECT reltype FROM pg_class WHERE relname = 't_do' || 'main'), -1) IS NULL
