-- Values in the words of errors and notices: casts, constraints, RAISE, also from elsewhere.

=== each casts that fail
SELECT name::integer FROM people
SELECT CAST(name AS date) FROM people
SELECT date '2020-01-01' + name::interval FROM people
SELECT name::text::int8 FROM people
SELECT id FROM people WHERE name::integer = 1
SELECT id FROM people WHERE phone::numeric > 0
SELECT id FROM people ORDER BY note::integer
SELECT count(*) FROM people GROUP BY note::integer
SELECT count(*) FILTER (WHERE name::integer > 0) FROM people
SELECT max(name::integer) OVER () FROM people
SELECT region FROM people GROUP BY region HAVING max(name)::integer > 0
SELECT 1 FROM orders o JOIN people p ON p.name::integer = o.id
SELECT 1 FROM people LIMIT (SELECT min(name)::integer FROM people)
SELECT 1 FROM people OFFSET (SELECT max(name)::bigint FROM people)
SELECT name::xml, ('<' || name)::xml FROM people
SELECT ('{' || name)::json FROM people
SELECT ('{' || name)::jsonb FROM people
SELECT name::uuid FROM people
SELECT name::inet FROM people
SELECT name::boolean FROM people
SELECT name::mood FROM people
SELECT name::regclass FROM people
SELECT name::regtype FROM people
SELECT name::regproc FROM people
SELECT to_regclass(name), name::regrole FROM people
SELECT name::int4range FROM people
SELECT ('{' || name)::text[] FROM people
SELECT name::point FROM people
SELECT name::tsquery, name::money FROM people
SELECT name::contact FROM people
SELECT ('(' || name)::people FROM people
SELECT encode('a', name) FROM people
SELECT convert_from('a', name) FROM people
SELECT convert_to('a', name) FROM people
SELECT date_part(name, now()) FROM people
SELECT date_trunc(name, now()) FROM people
SELECT extract(year FROM name::timestamp) FROM people
SELECT now() AT TIME ZONE name FROM people
SELECT make_interval(secs => name::float) FROM people
SELECT to_tsquery(name || ' &') , name::integer FROM people
SELECT to_tsvector(name::regconfig, 'x') FROM people
SELECT nextval(name) FROM people
SELECT pg_relation_size(name) FROM people
SELECT has_table_privilege(name, 'select') FROM people
SELECT has_schema_privilege(name, 'usage') FROM people
SELECT pg_size_bytes(name) FROM people
SELECT current_setting(name) FROM people
SELECT set_config(name, 'x', false) FROM people
SELECT set_config('work_mem', name, true) FROM people
SELECT get_bit('a', serial) FROM people
SELECT repeat('x', name::integer) FROM people
SELECT generate_series(1, name::integer) FROM people
SELECT (ARRAY[1, 2])[name::integer] FROM people
SELECT ARRAY[1, 2] || name::integer FROM people
SELECT json_populate_record(NULL::items, json_build_object('id', name)) FROM people
SELECT * FROM people, json_to_record(json_build_object('a', name)) AS x(a integer)
SELECT jsonb_set('{}', ARRAY['a'], name::jsonb) FROM people
SELECT * FROM people, xmltable('/a' PASSING xmlelement(NAME a, name) COLUMNS b integer PATH '.')
SELECT lo_get(name::oid) FROM people
SELECT sum(name::numeric) FROM people
SELECT string_agg(name, ',')::integer FROM people
SELECT array_agg(name)::integer[] FROM people
SELECT (SELECT name FROM people WHERE id = 1)::integer
SELECT CASE WHEN id = 1 THEN name::integer ELSE 0 END FROM people
SELECT coalesce(NULL, name::integer) FROM people
SELECT x FROM (SELECT name::integer AS x FROM people) AS y
WITH x AS MATERIALIZED (SELECT name::integer AS n FROM people) SELECT * FROM x
SELECT row_to_json(p)::text::integer FROM people p
SELECT p::text::integer FROM people p
SELECT c_text::integer FROM vault
SELECT c_citext::text::integer FROM vault
SELECT (c_json ->> 'k')::integer FROM vault
SELECT c_texts::integer[] FROM vault
SELECT (c_comp).street::integer FROM vault
SELECT (c_hstore -> 'k')::integer FROM vault
SELECT c_domain::integer FROM vault
SELECT email::integer FROM v_people
SELECT email::integer FROM v_barrier
SELECT contact::text::integer FROM v_over
SELECT id FROM v_barrier WHERE email::text::integer = 1
SELECT loud::integer FROM v_expr
SELECT agent::integer FROM visits
SELECT agent::integer FROM visits_eu_2026
SELECT holder::integer FROM assets
SELECT loud(name) FROM people
SELECT loud(p::text) FROM people p
SELECT count(*) FROM people WHERE loud(email::text) IS NULL
SELECT count(*) FROM v_barrier WHERE loud(email::text) IS NULL
SELECT count(*) FROM people p WHERE loud(p.note) > '' AND id = 1
EXPLAIN ANALYZE SELECT loud(name) FROM people

=== bound cast
\bind text 1
SELECT id FROM people WHERE name::integer = $1;

=== bound cast in binary
\bind binary 1
SELECT name::integer FROM people WHERE id = $1;

=== unique violation prints the key
INSERT INTO people (id, account_id, region, joined, name, email) SELECT 99, 1, 'eu', '2025-01-01', 'x', email FROM people WHERE id = 1;

=== not null violation prints the row
UPDATE people SET region = NULL WHERE id = 1;

=== check violation through the view
UPDATE v_check SET region = 'us' WHERE id = 2;

=== domain violation prints the value
UPDATE people SET address = (address::integer)::text WHERE id = 1;

=== too long
UPDATE people SET phone = repeat(phone, 9) || phone::integer WHERE id = 1;

=== a foreign key that prints the key
BEGIN;
UPDATE people SET account_id = serial WHERE id = 1;
ROLLBACK;

=== foreign key at commit
BEGIN;
SET CONSTRAINTS ALL DEFERRED;
UPDATE people SET account_id = serial WHERE id = 1;
COMMIT;

=== a write that copies fails
INSERT INTO items (id, name, price) SELECT -id, name, 1 FROM people UNION ALL SELECT -id - 100, name, 1 FROM people;

=== a write that copies casts
INSERT INTO lab.notes (id, body, stars) SELECT id + 100, 'x', note::integer FROM people;

=== a merge that casts
MERGE INTO lab.notes n USING people p ON p.id = n.id WHEN MATCHED THEN UPDATE SET stars = p.note::integer;

=== partition key fails
INSERT INTO visits (id, region, at, path, ip, agent) SELECT id, agent, at, path, ip, agent FROM visits;

=== unique in items by the value
INSERT INTO items (name, price) SELECT name, 1 FROM people; INSERT INTO items (name, price) SELECT name, 1 FROM people;

=== an error in a pipeline of statements
BEGIN; SELECT 1; SELECT name::integer FROM people; COMMIT

=== an error after a savepoint
BEGIN;
SAVEPOINT a;
SELECT name::integer FROM people;
ROLLBACK TO a;
SELECT note::integer FROM people;
ROLLBACK;

=== raise
SELECT raises();

=== copy in with a value of the table
COPY (SELECT name::integer FROM people) TO STDOUT;

=== declared, fails at fetch
BEGIN;
DECLARE c CURSOR FOR SELECT id, name::integer FROM people;
FETCH ALL c;
ROLLBACK;

=== prepared, fails at execute
PREPARE p AS SELECT name::integer FROM people;
EXECUTE p;

=== client sees debug output
SET client_min_messages = debug5;
SET debug_print_plan = on;
SELECT loud(name) FROM people;

=== log statements to the client
-- as: super
SET client_min_messages = log;
SET log_statement = 'all';
SELECT name FROM people WHERE id = 1;

=== parse trees to the client
SET client_min_messages = log;
SET debug_print_parse = on;
SELECT name::integer FROM people;
