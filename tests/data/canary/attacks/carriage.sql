-- Ways out other than a row: COPY, writes with RETURNING, tables, settings, notifications; several
-- statements in one message; what PostgreSQL's lexer reads and others do not.

=== each copy
COPY people TO STDOUT
COPY people (email) TO STDOUT
COPY public.people (name, "email") TO STDOUT WITH (FORMAT csv, HEADER)
COPY people TO STDOUT CSV HEADER FORCE QUOTE *
COPY people TO STDOUT WITH BINARY
COPY people TO STDOUT (FORMAT binary)
COPY BINARY people TO STDOUT
COPY people TO STDOUT DELIMITERS ','
COPY (SELECT email FROM people) TO STDOUT
COPY (TABLE people) TO STDOUT
COPY (WITH x AS (SELECT * FROM people) SELECT * FROM x) TO STDOUT
COPY (SELECT * FROM people ORDER BY id) TO STDOUT (FORMAT csv, DELIMITER '|', NULL 'n')
COPY (SELECT p FROM people p) TO STDOUT
COPY (VALUES ((SELECT name FROM people WHERE id = 1))) TO STDOUT
COPY (INSERT INTO items (name, price) SELECT name, 1 FROM people RETURNING name) TO STDOUT
COPY (UPDATE people SET points = points RETURNING email) TO STDOUT
BEGIN; COPY (DELETE FROM people_log RETURNING entry) TO STDOUT; ROLLBACK
COPY hr.people TO STDOUT
COPY visits_us TO STDOUT
COPY visits_eu_2026 (agent) TO STDOUT
COPY vault (c_text, c_long) TO STDOUT
COPY vault TO STDOUT (FORMAT binary)
COPY "Odd Schema"."Per.sön ""x""" TO STDOUT
COPY straße TO STDOUT
COPY vehicles TO STDOUT
COPY (SELECT * FROM v_people) TO STDOUT
COPY people TO STDOUT (ENCODING 'LATIN1')
COPY people TO STDOUT (FORMAT text, HEADER true)
COPY/**/people/**/TO/**/STDOUT
COPY people(name)TO STDOUT

=== each copy elsewhere
-- as: super
COPY people TO PROGRAM 'cat >&2'; SELECT first_mail()

=== copy out by the extended protocol
\bind text
COPY people TO STDOUT;

=== copy out by the extended protocol, binary
\bind binary
COPY (SELECT name || '' FROM people) TO STDOUT (FORMAT binary);

=== copy in, then out
CREATE TEMP TABLE t (e text);
INSERT INTO t SELECT email FROM people;
COPY t TO STDOUT;

=== copy in returns nothing, rows do
\data 1\n
COPY lab.notes FROM STDIN;
COPY (SELECT name FROM people) TO STDOUT;

=== each returning
BEGIN; DELETE FROM people_log RETURNING entry; ROLLBACK
BEGIN; DELETE FROM people_log WHERE kind = 'update' RETURNING kind, (SELECT max(entry) FROM people_log); ROLLBACK
BEGIN; INSERT INTO items (name, price) SELECT email, 1 FROM people RETURNING name; ROLLBACK
BEGIN; INSERT INTO items (name, price) VALUES ((SELECT email FROM people LIMIT 1), 1) RETURNING name; ROLLBACK
BEGIN; INSERT INTO items (name, price) VALUES ('a', 1) RETURNING (SELECT email FROM people LIMIT 1); ROLLBACK
BEGIN; INSERT INTO items AS i (name, price) VALUES ('a', 1) RETURNING (SELECT p FROM people p WHERE p.id = 1), i; ROLLBACK
BEGIN; INSERT INTO items (id, name, price) VALUES (1, 'a', 1) ON CONFLICT (id) DO UPDATE SET name = (SELECT email FROM people LIMIT 1) RETURNING name; ROLLBACK
BEGIN; INSERT INTO items (id, name, price) SELECT id, name, 1 FROM people ON CONFLICT (id) DO UPDATE SET name = excluded.name RETURNING *; ROLLBACK
BEGIN; UPDATE items SET name = (SELECT email FROM people WHERE id = items.id) WHERE id = 1 RETURNING name; ROLLBACK
BEGIN; UPDATE items SET (name, price) = (SELECT email, 1 FROM people WHERE id = 3) WHERE id = 3 RETURNING *; ROLLBACK
BEGIN; UPDATE items SET name = p.email FROM people p WHERE p.id = items.id RETURNING items.name; ROLLBACK
BEGIN; UPDATE items SET price = 1 FROM people p WHERE p.id = items.id RETURNING p.email; ROLLBACK
BEGIN; UPDATE items SET price = 1 FROM people p WHERE p.id = items.id RETURNING p; ROLLBACK
BEGIN; UPDATE items SET price = 1 FROM people p WHERE p.id = items.id RETURNING *; ROLLBACK
BEGIN; UPDATE lab.notes SET body = x.n FROM (SELECT name AS n FROM people WHERE id = 1) AS x RETURNING body; ROLLBACK
BEGIN; UPDATE items SET data = to_jsonb(p) FROM people p WHERE p.id = items.id RETURNING data; ROLLBACK
BEGIN; UPDATE items SET tags[2] = (SELECT name FROM people WHERE id = 1) RETURNING tags; ROLLBACK
BEGIN; DELETE FROM lab.notes USING people p WHERE p.id = lab.notes.id RETURNING p.email; ROLLBACK
BEGIN; DELETE FROM lab.notes USING people p WHERE p.id = lab.notes.id RETURNING *; ROLLBACK
BEGIN; DELETE FROM orders USING people WHERE people.id = person_id RETURNING people.*; ROLLBACK
BEGIN; WITH p AS (SELECT * FROM people) DELETE FROM lab.notes RETURNING (SELECT max(name) FROM p); ROLLBACK
BEGIN; MERGE INTO lab.notes n USING people p ON p.id = n.id WHEN MATCHED THEN UPDATE SET body = p.name; SELECT body FROM lab.notes; ROLLBACK
BEGIN; MERGE INTO lab.notes n USING (SELECT id, name FROM people) AS p ON p.id = n.id WHEN NOT MATCHED THEN INSERT VALUES (p.id, p.name, 1); SELECT body FROM lab.notes; ROLLBACK
BEGIN; UPDATE people SET points = points RETURNING email; ROLLBACK
BEGIN; UPDATE people SET points = points RETURNING *; ROLLBACK
BEGIN; UPDATE people SET points = points RETURNING people; ROLLBACK
BEGIN; UPDATE people AS p SET points = points RETURNING upper(p.name); ROLLBACK
BEGIN; UPDATE people SET region = name RETURNING region; ROLLBACK
BEGIN; UPDATE people SET region = name; SELECT region FROM people; ROLLBACK
BEGIN; UPDATE people SET region = left(name, 16) WHERE id = 2; SELECT label_gen || '', region FROM people; ROLLBACK
BEGIN; UPDATE people SET (region, joined) = (SELECT name, now()) RETURNING region; ROLLBACK
BEGIN; UPDATE people SET region = o.note FROM people o WHERE o.id = people.id + 1 RETURNING people.region; ROLLBACK
BEGIN; DELETE FROM people WHERE id = 1 RETURNING *; ROLLBACK
BEGIN; DELETE FROM hr.people WHERE false RETURNING *; SELECT email FROM hr.people; ROLLBACK
BEGIN; INSERT INTO people_log (entry) SELECT name FROM people RETURNING entry; ROLLBACK
BEGIN; INSERT INTO people_log (kind) SELECT name FROM people RETURNING kind; ROLLBACK
BEGIN; INSERT INTO people (id, account_id, region, joined, name, email) VALUES (1, 1, 'eu', '2025-01-01', 'x', 'y') ON CONFLICT (id) DO UPDATE SET region = people.name RETURNING region; ROLLBACK
BEGIN; INSERT INTO hr.people (id, team, email) VALUES (1, 'x', 'y') ON CONFLICT (id) DO UPDATE SET team = hr.people.email; SELECT team FROM hr.people; ROLLBACK
BEGIN; MERGE INTO hr.people p USING items i ON i.id = p.id WHEN MATCHED THEN UPDATE SET team = p.email; SELECT team FROM hr.people; ROLLBACK
BEGIN; UPDATE hr.people SET team = email RETURNING team; ROLLBACK
BEGIN; UPDATE visits SET path = agent; SELECT path FROM visits; ROLLBACK
BEGIN; UPDATE visits_us SET path = agent RETURNING path; ROLLBACK
BEGIN; UPDATE vehicles SET floor = 1 RETURNING plate; ROLLBACK
BEGIN; UPDATE straße SET ort = größe RETURNING ort; ROLLBACK
BEGIN; UPDATE "Odd Schema"."user" SET city = "table" RETURNING city; ROLLBACK
BEGIN; UPDATE v_people SET region = name RETURNING region; ROLLBACK
BEGIN; UPDATE v_check SET name = name RETURNING name; ROLLBACK
BEGIN; UPDATE v_barrier SET region = email RETURNING *; ROLLBACK
BEGIN; UPDATE diary SET author = entry RETURNING author; ROLLBACK
BEGIN; UPDATE vault SET kind = c_text RETURNING kind; ROLLBACK
BEGIN; UPDATE vault SET kind = c_comp::text WHERE id = 2; SELECT kind FROM vault; ROLLBACK

=== each stored and read back
BEGIN; INSERT INTO lab.notes SELECT id + 50, name, 1 FROM people; SELECT body FROM lab.notes; ROLLBACK
BEGIN; CREATE TEMP TABLE t (e text) ON COMMIT DROP; INSERT INTO t SELECT name || phone FROM people; TABLE t; COMMIT
BEGIN; CREATE TABLE lab.u (a text, b text GENERATED ALWAYS AS (upper(a)) STORED); INSERT INTO lab.u SELECT name FROM people; SELECT b FROM lab.u; ROLLBACK
BEGIN; INSERT INTO t_check SELECT id + 10, name FROM people; SELECT note FROM t_check; ROLLBACK
BEGIN; INSERT INTO t_check SELECT id + 10, name FROM people; SELECT note FROM v_instead; ROLLBACK
BEGIN; UPDATE items SET data = jsonb_set(data, '{x}', to_jsonb((SELECT name FROM people WHERE id = 1))); SELECT data ->> 'x' FROM items; ROLLBACK
BEGIN; INSERT INTO items (name, price) SELECT string_agg(name, ','), 1 FROM people; SELECT name FROM items WHERE price = 1; ROLLBACK
BEGIN; CREATE TEMP TABLE t AS SELECT name || '' AS n FROM people; ALTER TABLE t ADD COLUMN m text; UPDATE t SET m = n; SELECT m FROM t; ROLLBACK
BEGIN; CREATE TEMP TABLE t (LIKE people); INSERT INTO t SELECT * FROM people; SELECT * FROM t; ROLLBACK

=== settings and parameter status
SELECT set_config('application_name', (SELECT name FROM people WHERE id = 1), false);
SHOW application_name;

=== settings of one's own
SELECT set_config('my.secret', (SELECT string_agg(name, ',') FROM people), false);
SHOW my.secret;

=== settings seen by another session
SELECT set_config('application_name', (SELECT name FROM people WHERE id = 2), false);
\session 2
SELECT application_name FROM pg_stat_activity WHERE datname = current_database();

=== notify
LISTEN x;
SELECT pg_notify('x', name) FROM people;

=== notify the other session
\session 2
LISTEN y;
\session 1
SELECT pg_notify('y', (SELECT string_agg(name, '') FROM people));
\session 2
SELECT 1;

=== the channel's name
SELECT pg_notify(name, '') FROM people;
LISTEN x;
SELECT pg_notify('x', (SELECT p::text FROM people p WHERE id = 1));

=== a sequence as a store
SELECT setval('lab.counter', serial) FROM people WHERE id = 1;
SELECT last_value FROM lab.counter;

=== a sequence as a store, nextval
SELECT setval('items_id_seq', (serial % 2000000000)) FROM people WHERE id = 1;
SELECT name FROM people;

=== advisory locks as a store
SELECT pg_advisory_lock(serial) FROM people WHERE id = 2;
SELECT (classid::bigint << 32) + objid::bigint FROM pg_locks WHERE locktype = 'advisory';

=== a column's name
SELECT name AS "a" FROM people;
SELECT * FROM xmltable('/a' PASSING xmlelement(NAME a, (SELECT name FROM people WHERE id = 1)) COLUMNS x text PATH '.');

=== lo from bytes
SELECT lo_from_bytea(0, name::bytea) FROM people WHERE id = 1;
SELECT name FROM people WHERE id = 1;

=== a transaction's snapshot elsewhere
BEGIN;
SELECT pg_export_snapshot() IS NOT NULL;
SELECT name FROM people;
COMMIT;

=== each several statements in one message
SELECT 1; SELECT email FROM people
SELECT 1; SELECT 2; TABLE people; SELECT 3
;;; SELECT email FROM people ;;
BEGIN; SELECT email FROM people; COMMIT
SELECT email FROM people; SELECT 1 / 0
SET search_path = public; SELECT name || '' FROM people
SELECT 'a;b', name FROM people; SELECT ';'
SELECT name FROM people -- ; SELECT 1
SELECT name/* ; */ FROM people; SELECT $$;$$
CREATE TEMP TABLE q (a int); SELECT name FROM people; DROP TABLE q
PREPARE m AS SELECT name FROM people; EXECUTE m; DEALLOCATE m
BEGIN; DECLARE c CURSOR FOR SELECT name FROM people; FETCH ALL c; COMMIT
LISTEN a; SELECT name FROM people; UNLISTEN a
VALUES (1); VALUES ((SELECT name FROM people LIMIT 1))

=== each lexer
SELECT "name"FROM people WHERE(name)IS NOT NULL
SELECT name,E'\''AS x FROM people
SELECT(name)FROM people
SELECT 1 <=/* ' */ (SELECT max(name)::integer FROM people) --'
SELECT name FROM items WHERE name = '\' UNION SELECT name FROM people --'
SELECT E'\'' || (SELECT name FROM people LIMIT 1) --'
SELECT e'\\' || (SELECT name FROM people LIMIT 1) --'
SELECT $$a$$ || (SELECT string_agg(name, '') FROM people)
SELECT $x$ $y$ $x$, name FROM people --$y$
SELECT $ä$ ' $ä$, name FROM people --'
SELECT $a1$ $a$ $a1$ || name FROM people
SELECT /* /* */ ' */ name FROM people --'
SELECT /* ' /* -- */ */ name FROM people -- '
SELECT/*x*/name/*y*/FROM/*z*/people
SELECT"name"FROM"people"
SELECT name FROM"public"."people"
SELECT name FROM public . people
SELECT name FROM public./* . */people
SELECT people . name FROM people
SELECT U&"n\0061me" FROM U&"peop\006ce"
SELECT U&"n!0061me" UESCAPE '!' FROM people
SELECT U&"\+00006eame" FROM people
SELECT u&"name" FROM u&"people"
SELECT name FROM U&"\0070\0065\006f\0070\006c\0065"
SELECT N'x' || name FROM people
SELECT B'01'::text || name, X'1F'::text FROM people
SELECT 1e5::text || name FROM people
SELECT 1.::text || name, .5 FROM people
SELECT name FROM people WHERE id=+1
SELECT name FROM people WHERE id=-(-1)
SELECT name FROM people WHERE 1!=2
SELECT name FROM people WHERE NOT 1<>1
SELECT name FROM people WHERE id=ANY('{1,2}')
SELECT '{"a":1}'::jsonb?'a', name FROM people
SELECT '{"a":1}'::jsonb#>>'{a}', name FROM people
SELECT 'a'::text||name FROM people
SELECT name::text COLLATE"C"FROM people
SELECT name FROM people PEOPLE
SELECT ⟦6e 61 6d 65⟧ FROM people
SELECT⟦09⟧name⟦0d⟧FROM⟦0d⟧people
SELECT name⟦0d⟧FROM people --⟦0d⟧
SELECT '--', name FROM people
SELECT name AS "a""b", "name" FROM people
SELECT name FROM "people" AS "p""q"
SELECT name "FROM" FROM people
SELECT name FROM people AS "select * from items"
SELECT 'it''s' || name FROM people
SELECT name FROM people WHERE name <> E'\x27'
SELECT name FROM people WHERE name <> U&'\0027'
SELECT name FROM people WHERE name <> U&'!0027' UESCAPE '!'
SELECT name FROM people WHERE name <> $q$'$q$

=== continued strings
SELECT 'a'
'b' || name FROM people;

=== continued escape strings
SELECT E'a'
'\'' || name FROM people --';

=== continued with a comment between
SELECT 'a' -- '
'b' || name FROM people;

=== a line comment that ends
SELECT -- '
name FROM people -- ';

=== an operator cut by a comment
SELECT 1 *-- ' *
1, name FROM people --';

=== a byte order mark
⟦ef bb bf⟧SELECT name FROM people;
SELECT name FROM people;

=== no-break spaces are no spaces
SELECT name⟦c2 a0⟧ FROM people;
SELECT name FROM people;

=== a NUL ends the text
SELECT name FROM people⟦00⟧ WHERE false;
SELECT name FROM people;

=== full width letters
SELECT name FROM ｐeople;
SELECT name FROM people;

=== Turkish capital
SELECT name FROM PEOPLE WHERE 'İ' <> 'i';

=== query text as a value
\bind text SELECT name FROM people
SELECT query_to_xml($1, true, false, '');

=== relation as a value
\bind text people
SELECT table_to_xml($1::regclass, true, false, '');

=== relation as a value without a cast
\bind text hr.people
SELECT table_to_xml($1, true, false, '');

=== function's text as a value
\bind text SELECT max(name) FROM people
SELECT dynamic($1);

=== setting as a value
\bind text search_path | hr
SELECT set_config($1, $2, false);
\bind text x
SELECT email || $1 FROM people;

=== condition as a value
\bind text 3
SELECT name FROM people WHERE id = $1;

=== everything or nothing
\bind text 1 | true
SELECT p FROM people p WHERE id = $1 OR $2::boolean;

=== pattern as a value
\bind text %
SELECT email FROM people WHERE email LIKE $1;

=== array as a value
\bind text {1,2,3}
SELECT name, p.* FROM people p WHERE id = ANY ($1);

=== json as a value
\bind text {"id": 1}
SELECT p.name FROM people p, jsonb_populate_record(p, $1) AS x;

=== a named statement, again and again
\named s
SELECT name || $1 FROM people;
\again s text a
\again s binary b
\again s text \N

=== a named statement of writes
\named w
INSERT INTO lab.notes (id, body) SELECT id + 500, name FROM people RETURNING body;
BEGIN;
\again w text
ROLLBACK;
