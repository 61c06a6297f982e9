-- The value as it is, or wrapped in something: output expressions over each type and relation.

=== each plain
SELECT * FROM people
TABLE people
SELECT email FROM people
SELECT public.people.email FROM public.people
SELECT name, phone, birth, salary, serial, address, note, plan FROM people WHERE id = 2
SELECT label_gen FROM people
SELECT c_upper FROM vault
SELECT entry FROM people_log
SELECT c_text FROM vault
SELECT c_varchar FROM vault
SELECT c_char FROM vault
SELECT c_citext FROM vault
SELECT c_name FROM vault
SELECT c_int8 FROM vault
SELECT c_numeric FROM vault
SELECT c_float FROM vault
SELECT c_date FROM vault
SELECT c_ts FROM vault
SELECT c_uuid FROM vault
SELECT c_inet FROM vault
SELECT c_mac FROM vault
SELECT c_bytea FROM vault
SELECT c_json FROM vault
SELECT c_jsonb FROM vault
SELECT c_texts FROM vault
SELECT c_ints FROM vault
SELECT c_comp FROM vault
SELECT c_xml FROM vault
SELECT c_tsv FROM vault
SELECT c_range FROM vault
SELECT c_hstore FROM vault
SELECT c_domain FROM vault
SELECT c_number FROM vault
SELECT c_long FROM vault
SELECT c_bits FROM vault
SELECT c_interval, c_ts FROM vault
SELECT c_money FROM vault
SELECT email, wage FROM hr.people
SELECT ip, agent FROM visits
SELECT ip FROM visits_eu
SELECT agent FROM visits_eu_2025
SELECT * FROM ONLY visits_us
SELECT * FROM assets
SELECT * FROM ONLY assets
SELECT holder FROM vehicles
SELECT place FROM located *
SELECT plate FROM vehicles
SELECT "E-Mail" FROM "Odd Schema"."Per.sön ""x"""
SELECT "select" FROM "Odd Schema"."Per.sön ""x"""
SELECT "table" FROM "Odd Schema"."user"
SELECT secret FROM a_name_of_sixty_three_bytes_and_so_as_long_as_a_name_ever_may_b
SELECT secret FROM a_name_of_sixty_three_bytes_and_so_as_long_as_a_name_ever_may_b_and_then_some
SELECT größe FROM straße
SELECT entry FROM diary
SELECT name FROM v_people
SELECT email FROM v_barrier
SELECT email FROM v_invoker
SELECT contact FROM v_over
SELECT loud FROM v_expr
SELECT (person).email FROM v_whole
SELECT name FROM v_check
SELECT path FROM v_tree
SELECT e FROM v_union
SELECT email FROM mv_people
SELECT name FROM mv_doubled
SELECT m FROM v_calls

=== each through the loopback
-- as: super
SELECT email FROM remote_people
SELECT upper(email) FROM remote_people WHERE id = 3
SELECT r FROM remote_people r

=== each wrapped in a function
SELECT upper(name) FROM people
SELECT lower(c_text), initcap(c_text) FROM vault
SELECT reverse(name) FROM people
SELECT md5(name) FROM people
SELECT sha256(convert_to(name, 'UTF8')) FROM people
SELECT encode(sha256(name::bytea), 'hex') FROM people
SELECT encode(name::bytea, 'base64') FROM people
SELECT encode(convert_to('x' || name, 'UTF8'), 'base64') FROM people
SELECT encode(convert_to('xy' || name, 'UTF8'), 'base64') FROM people
SELECT encode(name::bytea, 'hex') FROM people
SELECT encode(name::bytea, 'escape') FROM people
SELECT convert_to(name, 'UTF8') FROM people
SELECT convert_to(name, 'LATIN1') FROM people
SELECT format('%s', name), format('%L', email), format('%I', phone) FROM people
SELECT quote_literal(name), quote_ident(phone), quote_nullable(address) FROM people
SELECT concat(name, phone), concat_ws(',', name, phone) FROM people
SELECT name || phone || note FROM people
SELECT substring(name FROM 1 FOR 18) FROM people
SELECT substr(name, 3) FROM people
SELECT left(name, 14), right(phone, 14) FROM people
SELECT translate(name, 'zq', 'zq') FROM people
SELECT replace(name, 'q', 'q') FROM people
SELECT overlay(name PLACING '' FROM 1 FOR 0) FROM people
SELECT regexp_replace(name, '(.)', '\1-', 'g') FROM people
SELECT regexp_match(name, '.*') FROM people
SELECT regexp_matches(name, '.{4}', 'g') FROM people
SELECT regexp_split_to_table(name, '') FROM people WHERE id = 1
SELECT regexp_split_to_array(name, '') FROM people
SELECT string_to_table(name, NULL) FROM people WHERE id = 3
SELECT string_to_array(name, NULL) FROM people
SELECT regexp_substr(name, '.+') FROM people
SELECT split_part(email::text, '@', 1) FROM people
SELECT lpad(name, 40, '.'), rpad(phone, 40, '.') FROM people
SELECT trim(name), btrim(phone), ltrim(note), rtrim(address) FROM people
SELECT substr(name, n, 1) FROM people, generate_series(1, 20) AS n WHERE id = 1 ORDER BY n
SELECT ascii(substr(name, n, 1)), chr(ascii(substr(name, n, 1))) FROM people, generate_series(1, 20) AS n WHERE id = 2 ORDER BY n
SELECT to_hex(ascii(substr(name, n, 1))) FROM people, generate_series(1, 20) AS n WHERE id = 2 ORDER BY n
SELECT get_byte(name::bytea, n), chr(get_byte(name::bytea, n)) FROM people, generate_series(0, 19) AS n WHERE id = 4 ORDER BY n
SELECT normalize(name), to_ascii(phone, 'LATIN1') FROM people
SELECT coalesce(name, ''), nullif(name, ''), greatest(name, ''), least(phone, '~') FROM people
SELECT CASE WHEN true THEN name END, CASE id WHEN 1 THEN phone ELSE note END FROM people
SELECT name COLLATE "C", name COLLATE "POSIX" FROM people
SELECT abs(salary), -serial, serial + 0, salary * 1, @ serial FROM people
SELECT to_char(salary, '999999999999999D99'), to_char(birth, 'YYYY-MM-DD') FROM people
SELECT birth + 0, birth::timestamp, to_char(birth, 'DD/MM/YYYY'), date_trunc('day', birth) FROM people
SELECT make_date(extract(year FROM birth)::int, extract(month FROM birth)::int, extract(day FROM birth)::int) FROM people
SELECT c_ts AT TIME ZONE 'UTC', date_trunc('day', c_ts), c_ts::date FROM vault
SELECT host(c_inet), text(c_inet), abbrev(c_inet), set_masklen(c_inet, 64), c_inet - 0 FROM vault
SELECT trunc(c_numeric), round(c_numeric, 2), ceil(c_float), c_int8::text, c_int8::numeric FROM vault
SELECT lower(c_range), upper(c_range), c_range * c_range FROM vault
SELECT c_texts[1], c_ints[1], array_to_string(c_texts, ','), unnest(c_texts) FROM vault
SELECT (c_comp).street, (c_comp).number FROM vault
SELECT (c_comp).* FROM vault
SELECT c_json ->> 'k', c_jsonb -> 'deep' ->> 1, c_jsonb #>> '{deep,1}', c_json #> '{k}', c_jsonb['k'] FROM vault
SELECT jsonb_path_query(c_jsonb, '$.**'), jsonb_pretty(c_jsonb), json_object_keys(c_json) FROM vault
SELECT jsonb_array_elements_text(c_jsonb -> 'deep'), jsonb_set(c_jsonb, '{x}', '1') FROM vault
SELECT x.* FROM vault, json_each_text(c_json) AS x
SELECT x.* FROM vault, jsonb_to_record(c_jsonb) AS x(k text, deep text)
SELECT xpath('//text()', c_xml), xmlserialize(CONTENT c_xml AS text) FROM vault
SELECT x.* FROM vault, xmltable('//a' PASSING c_xml COLUMNS t text PATH '.', b text PATH '@b') AS x
SELECT tsvector_to_array(c_tsv), strip(c_tsv), unnest(c_tsv) FROM vault
SELECT c_hstore -> 'k', hstore_to_json(c_hstore), avals(c_hstore), each(c_hstore) FROM vault
SELECT c_bytea::text, encode(c_bytea, 'escape'), convert_from(c_bytea, 'UTF8'), substring(c_bytea, 1, 20) FROM vault
SELECT c_bits::text, substring(c_bits FROM 1 FOR 64), c_bits << 0 FROM vault
SELECT c_interval::text, c_ts::text, justify_hours(c_interval), extract(epoch FROM c_interval) FROM vault
SELECT substr(c_long, 22, 60), split_part(c_long, '-', 3) FROM vault
SELECT similarity(name, ''), show_trgm(name), word_similarity(name, note), name FROM people
SELECT unaccent(name), soundex(name), metaphone(name, 20), dmetaphone(note), levenshtein(name, ''), phone FROM people
SELECT crypt('a', gen_salt('bf', 4)), encode(digest(name, 'sha256'), 'hex'), armor(name::bytea) FROM people
SELECT hmac(name, 'k', 'md5'), pgp_sym_decrypt(pgp_sym_encrypt(name, 'x'), 'x') FROM people
SELECT xmlelement(NAME p, name), xmlforest(phone AS p), xmlcomment(note), xmlpi(NAME x, address) FROM people
SELECT xmlconcat(xmlelement(NAME a, name), xmlelement(NAME b, XMLATTRIBUTES(phone AS c))) FROM people
SELECT xmlagg(xmlelement(NAME a, name)) FROM people
SELECT to_tsvector('simple', name), ts_headline(name, to_tsquery('simple', 'x')), plainto_tsquery('simple', phone) FROM people
SELECT array_fill(name, ARRAY[2]), array_append(ARRAY[''], name), ARRAY[name, phone], array_position(ARRAY[name], '') FROM people
SELECT int8range(serial, NULL), numrange(salary, NULL), daterange(birth, NULL) FROM people
SELECT hstore('a', name), hstore(ARRAY['a', name]), hstore(p) FROM people p
SELECT pg_typeof(name), name::varchar(18), cast(name AS char(20)), name::name, name::citext, name::bytea FROM people
SELECT quote_literal(p), p::text, concat(p), format('%s', p), textin(record_out(p)) FROM people p
SELECT loud(c_text) FROM vault
SELECT initials(name), name FROM people
SELECT upper(label_gen), substring(c_upper, 2) FROM people, vault

=== each aggregated
SELECT min(name), max(phone), min(birth), max(salary), max(serial) FROM people
SELECT string_agg(name, ',') FROM people
SELECT string_agg(substr(name, 1, 1), '') || string_agg(phone, '') FROM people
SELECT array_agg(name), array_agg(birth ORDER BY id) FROM people
SELECT json_agg(name), jsonb_agg(email), json_object_agg(id, name), jsonb_object_agg(name, id) FROM people
SELECT xmlagg(xmlelement(NAME n, name)) FROM people
SELECT mode() WITHIN GROUP (ORDER BY name), percentile_disc(0.3) WITHIN GROUP (ORDER BY phone) FROM people
SELECT percentile_disc(ARRAY[0.1, 0.9]) WITHIN GROUP (ORDER BY serial) FROM people
SELECT sum(salary) FILTER (WHERE id = 1), avg(serial) FILTER (WHERE id = 2) FROM people
SELECT bit_or(serial) FILTER (WHERE people.id = 2), bit_xor(c_int8) FILTER (WHERE v.id = 1) FROM people, vault v WHERE people.id = 2
SELECT range_agg(int8range(serial, serial + 1)) FROM people
SELECT product(serial) FROM people WHERE id = 1
SELECT ends(name), max(name) FROM people
SELECT any_name FROM (SELECT (array_agg(name))[1] AS any_name FROM people) AS x
SELECT region, array_agg(DISTINCT name ORDER BY name) FROM people GROUP BY region
SELECT grouping(name), name FROM people GROUP BY ROLLUP (name)
SELECT corr(serial, serial), regr_avgx(serial, 1), max(serial) FROM people WHERE id = 5
SELECT min(c_inet), max(c_money), max(c_interval), min(c_char), max(c_ts), min(c_texts) FROM vault
SELECT crypt(name, name), max(name) OVER () FROM people

=== binary people
\bind binary
SELECT * FROM people;
=== binary vault
\bind binary
SELECT * FROM vault;
=== binary numbers
\bind binary
SELECT serial, salary, birth FROM people;
=== binary uuid inet
\bind binary
SELECT c_uuid, c_inet, c_mac, c_float, c_ts, c_money, c_bits FROM vault;
=== binary whole row
\bind binary
SELECT v FROM vault v;
=== binary arrays
\bind binary
SELECT array_agg(serial), array_agg(birth), array_agg(name) FROM people;
=== binary view
\bind binary
SELECT * FROM v_union;
=== binary partitions
\bind binary
SELECT ip, visits FROM visits;
=== binary with parameter
\bind binary 3
SELECT serial, name FROM people WHERE id = $1;
=== sent as bytes
SELECT int8send(serial), numeric_send(salary), date_send(birth), textsend(name), record_send(p) FROM people p;
=== sent and encoded
SELECT encode(int8send(serial), 'hex') || encode(textsend(name), 'hex') FROM people;

=== each composite carriage
SELECT p FROM people p
SELECT p.* FROM people p
SELECT (p).name FROM people p
SELECT (p.*) FROM people p
SELECT people FROM people
SELECT ROW(p.*) FROM people p
SELECT ROW(p.name, p.phone) FROM people p
SELECT (ROW(p.name, 1)).f1 FROM people p
SELECT row_to_json(p) FROM people p
SELECT to_json(p), to_jsonb(p) ->> 'name' FROM people p
SELECT json_agg(p) FROM people p
SELECT json_build_object('p', p), json_build_array(p.name), jsonb_build_object('n', p.name) FROM people p
SELECT array_agg(p) FROM people p
SELECT (array_agg(p))[1] FROM people p
SELECT (array_agg(p ORDER BY id))[1].name FROM people p
SELECT ARRAY(SELECT p FROM people p)
SELECT ARRAY(SELECT name FROM people)
SELECT unnest(ARRAY(SELECT name FROM people))
SELECT (SELECT p FROM people p WHERE id = 1)
SELECT (SELECT (p).phone FROM people p WHERE id = 1)
SELECT ((SELECT p FROM people p WHERE id = 1)).name
SELECT x.name FROM (SELECT p.* FROM people p) AS x
SELECT (x.q).name FROM (SELECT p AS q FROM people p) AS x
SELECT (x).q FROM (SELECT p AS q FROM people p) AS x
SELECT x FROM (SELECT name, phone FROM people) AS x
SELECT to_json(x) FROM (SELECT ROW(name, phone) AS r FROM people) AS x
SELECT jsonb_each_text(to_jsonb(p)) FROM people p
SELECT e.* FROM people p, jsonb_each_text(to_jsonb(p)) AS e
SELECT e.value FROM people p, json_each(row_to_json(p)) AS e
SELECT r.* FROM people p, json_populate_record(NULL::people, row_to_json(p)) AS r
SELECT json_populate_record(NULL::people, row_to_json(p)) FROM people p
SELECT (jsonb_populate_record(NULL::people, to_jsonb(p))).email FROM people p
SELECT r.* FROM people p, json_to_record(row_to_json(p)) AS r(name text, email text)
SELECT r.* FROM json_to_recordset((SELECT json_agg(p) FROM people p)) AS r(name text, email text)
SELECT (json_populate_recordset(NULL::people, (SELECT json_agg(p) FROM people p))).name
SELECT hstore(p) -> 'name', each(hstore(p)) FROM people p
SELECT populate_record(p, 'points=>1') FROM people p
SELECT (p #= 'points=>1').name FROM people p
SELECT full_label(p) FROM people p
SELECT p.full_label FROM people p
SELECT full_label(people.*) FROM people
SELECT o.order_mail FROM orders o
SELECT order_mail(o) FROM orders o
SELECT (o).order_mail FROM orders o
SELECT x.order_mail FROM (SELECT o.* FROM orders o) AS o, LATERAL (SELECT o.*) AS y, orders AS x
SELECT v.c_comp, (v.c_comp).street FROM vault v
SELECT v FROM vault v
SELECT to_jsonb(v) - 'c_long' FROM vault v
SELECT jsonb_path_query(to_jsonb(v), '$.c_comp.street') FROM vault v
SELECT w.person FROM v_whole w
SELECT (w.person).* FROM v_whole w
SELECT p::text::people FROM people p
SELECT (p::text::people).name FROM people p
SELECT p IS NULL, p = p, p FROM people p
SELECT t.a[1].name FROM (SELECT array_agg(p) AS a FROM people p) AS t
SELECT l.n FROM people p, LATERAL (SELECT p.name) AS l(n)
SELECT l.n FROM people p, LATERAL (VALUES (p.name), (p.phone)) AS l(n)
SELECT l FROM people p CROSS JOIN LATERAL ROWS FROM (unnest(ARRAY[p.name])) AS l
SELECT f.* FROM people p, LATERAL unnest(ARRAY[p.name], ARRAY[p.phone]) AS f(a, b)
SELECT (each(hstore(v))).value FROM vault v WHERE id = 1
SELECT s.v FROM (SELECT id, to_jsonb(p) AS j FROM people p) AS x, LATERAL (SELECT x.j ->> 'name' AS v) AS s
SELECT row_to_json(x) FROM (TABLE people) AS x
