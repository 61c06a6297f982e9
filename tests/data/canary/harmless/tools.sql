-- What tools ask: psql, JDBC, ODBC, SQLAlchemy, Django, ActiveRecord, Prisma, Hibernate, Metabase,
-- Tableau, pgAdmin. Most of it reads the catalogs.

=== each psql
SELECT d.datname AS "Name", pg_catalog.pg_get_userbyid(d.datdba) AS "Owner", pg_catalog.pg_encoding_to_char(d.encoding) AS "Encoding" FROM pg_catalog.pg_database d WHERE d.datname LIKE 'template%' ORDER BY 1
SELECT n.nspname AS "Schema", c.relname AS "Name", CASE c.relkind WHEN 'r' THEN 'table' WHEN 'v' THEN 'view' WHEN 'm' THEN 'materialized view' WHEN 'i' THEN 'index' WHEN 'S' THEN 'sequence' WHEN 't' THEN 'TOAST table' WHEN 'f' THEN 'foreign table' WHEN 'p' THEN 'partitioned table' WHEN 'I' THEN 'partitioned index' END AS "Type", pg_catalog.pg_get_userbyid(c.relowner) AS "Owner" FROM pg_catalog.pg_class c LEFT JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace LEFT JOIN pg_catalog.pg_am am ON am.oid = c.relam WHERE c.relkind IN ('r', 'p', 'v', 'm', 'S', 'f', '') AND n.nspname <> 'pg_catalog' AND n.nspname !~ '^pg_toast' AND n.nspname <> 'information_schema' AND pg_catalog.pg_table_is_visible(c.oid) ORDER BY 1, 2
SELECT c.oid, n.nspname, c.relname FROM pg_catalog.pg_class c LEFT JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace WHERE c.relname OPERATOR(pg_catalog.~) '^(people)$' COLLATE pg_catalog.default AND pg_catalog.pg_table_is_visible(c.oid) ORDER BY 2, 3
SELECT c.relchecks, c.relkind, c.relhasindex, c.relhasrules, c.relhastriggers, c.relrowsecurity, c.relforcerowsecurity, false AS relhasoids, c.relispartition, '', c.reltablespace, CASE WHEN c.reloftype = 0 THEN '' ELSE c.reloftype::pg_catalog.regtype::pg_catalog.text END, c.relpersistence, c.relreplident, am.amname FROM pg_catalog.pg_class c LEFT JOIN pg_catalog.pg_class tc ON (c.reltoastrelid = tc.oid) LEFT JOIN pg_catalog.pg_am am ON (c.relam = am.oid) WHERE c.oid = 'public.people'::regclass
SELECT a.attname, pg_catalog.format_type(a.atttypid, a.atttypmod), (SELECT pg_catalog.pg_get_expr(d.adbin, d.adrelid, true) FROM pg_catalog.pg_attrdef d WHERE d.adrelid = a.attrelid AND d.adnum = a.attnum AND a.atthasdef), a.attnotnull, (SELECT c.collname FROM pg_catalog.pg_collation c, pg_catalog.pg_type t WHERE c.oid = a.attcollation AND t.oid = a.atttypid AND a.attcollation <> t.typcollation) AS attcollation, a.attidentity, a.attgenerated FROM pg_catalog.pg_attribute a WHERE a.attrelid = 'public.people'::regclass AND a.attnum > 0 AND NOT a.attisdropped ORDER BY a.attnum
SELECT c2.relname, i.indisprimary, i.indisunique, i.indisclustered, i.indisvalid, pg_catalog.pg_get_indexdef(i.indexrelid, 0, true), pg_catalog.pg_get_constraintdef(con.oid, true), contype, condeferrable, condeferred, i.indisreplident, c2.reltablespace FROM pg_catalog.pg_class c, pg_catalog.pg_class c2, pg_catalog.pg_index i LEFT JOIN pg_catalog.pg_constraint con ON (conrelid = i.indrelid AND conindid = i.indexrelid AND contype IN ('p', 'u', 'x')) WHERE c.oid = 'people'::regclass AND c.oid = i.indrelid AND i.indexrelid = c2.oid ORDER BY i.indisprimary DESC, c2.relname
SELECT true AS sametable, conname, pg_catalog.pg_get_constraintdef(r.oid, true) AS condef, conrelid::pg_catalog.regclass AS ontable FROM pg_catalog.pg_constraint r WHERE r.conrelid = 'people'::regclass AND r.contype = 'f' AND conparentid = 0 ORDER BY conname
SELECT conname, conrelid::pg_catalog.regclass AS ontable, pg_catalog.pg_get_constraintdef(oid, true) AS condef FROM pg_catalog.pg_constraint c WHERE confrelid IN (SELECT pg_catalog.pg_partition_ancestors('people'::regclass) UNION ALL VALUES ('people'::pg_catalog.regclass)) AND contype = 'f' AND conparentid = 0 ORDER BY conname
SELECT pol.polname, pol.polpermissive, CASE WHEN pol.polroles = '{0}' THEN NULL ELSE pg_catalog.array_to_string(ARRAY(SELECT rolname FROM pg_catalog.pg_roles WHERE oid = ANY (pol.polroles) ORDER BY 1), ',') END, pg_catalog.pg_get_expr(pol.polqual, pol.polrelid), pg_catalog.pg_get_expr(pol.polwithcheck, pol.polrelid) FROM pg_catalog.pg_policy pol WHERE pol.polrelid = 'diary'::regclass ORDER BY 1
SELECT oid, stxrelid::pg_catalog.regclass, stxnamespace::pg_catalog.regnamespace::pg_catalog.text AS nsp, stxname, pg_catalog.pg_get_statisticsobjdef_columns(oid) AS columns, 'd' = ANY (stxkind) AS ndist_enabled FROM pg_catalog.pg_statistic_ext WHERE stxrelid = 'people'::regclass ORDER BY nsp, stxname
SELECT t.tgname, pg_catalog.pg_get_triggerdef(t.oid, true), t.tgenabled, t.tgisinternal FROM pg_catalog.pg_trigger t WHERE t.tgrelid = 'people'::regclass AND NOT t.tgisinternal ORDER BY 1
SELECT c.oid::pg_catalog.regclass FROM pg_catalog.pg_class c, pg_catalog.pg_inherits i WHERE c.oid = i.inhparent AND i.inhrelid = 'vehicles'::regclass ORDER BY inhseqno
SELECT c.oid::pg_catalog.regclass, c.relkind, inhdetachpending, pg_catalog.pg_get_expr(c.relpartbound, c.oid) FROM pg_catalog.pg_class c, pg_catalog.pg_inherits i WHERE c.oid = i.inhrelid AND i.inhparent = 'visits'::regclass ORDER BY pg_catalog.pg_get_expr(c.relpartbound, c.oid) = 'DEFAULT', c.oid::pg_catalog.regclass::pg_catalog.text
SELECT pg_catalog.pg_get_viewdef('v_people'::pg_catalog.regclass, true)
SELECT r.rolname, r.rolsuper, r.rolinherit, r.rolcreaterole, r.rolcreatedb, r.rolcanlogin FROM pg_catalog.pg_roles r WHERE r.rolname LIKE 'canary%' ORDER BY 1
SELECT n.nspname AS "Name", pg_catalog.pg_get_userbyid(n.nspowner) AS "Owner" FROM pg_catalog.pg_namespace n WHERE n.nspname !~ '^pg_' AND n.nspname <> 'information_schema' ORDER BY 1
SELECT n.nspname AS "Schema", p.proname AS "Name", pg_catalog.pg_get_function_result(p.oid) AS "Result data type", pg_catalog.pg_get_function_arguments(p.oid) AS "Argument data types", CASE p.prokind WHEN 'a' THEN 'agg' WHEN 'w' THEN 'window' WHEN 'p' THEN 'proc' ELSE 'func' END AS "Type" FROM pg_catalog.pg_proc p LEFT JOIN pg_catalog.pg_namespace n ON n.oid = p.pronamespace WHERE n.nspname = 'public' AND p.proname IN ('vat', 'first_mail') ORDER BY 1, 2, 4
SELECT pg_catalog.format_type(t.oid, NULL) AS "Name", pg_catalog.obj_description(t.oid, 'pg_type') AS "Description" FROM pg_catalog.pg_type t LEFT JOIN pg_catalog.pg_namespace n ON n.oid = t.typnamespace WHERE (t.typrelid = 0 OR (SELECT c.relkind = 'c' FROM pg_catalog.pg_class c WHERE c.oid = t.typrelid)) AND NOT EXISTS (SELECT 1 FROM pg_catalog.pg_type el WHERE el.oid = t.typelem AND el.typarray = t.oid) AND n.nspname = 'public' ORDER BY 1
SELECT e.extname AS "Name", e.extversion AS "Version", n.nspname AS "Schema", c.description AS "Description" FROM pg_catalog.pg_extension e LEFT JOIN pg_catalog.pg_namespace n ON n.oid = e.extnamespace LEFT JOIN pg_catalog.pg_description c ON c.objoid = e.oid AND c.classoid = 'pg_catalog.pg_extension'::pg_catalog.regclass ORDER BY 1
SELECT d.datname FROM pg_catalog.pg_database d WHERE d.datname = current_database()
SELECT nspname, relname, relacl FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace WHERE n.nspname = 'hr' ORDER BY 2
SELECT pg_catalog.quote_ident(c.relname) FROM pg_catalog.pg_class c WHERE c.relkind IN ('r', 'S', 'v', 'm', 'f', 'p') AND substring(pg_catalog.quote_ident(c.relname), 1, 3) = 'peo' AND pg_catalog.pg_table_is_visible(c.oid) ORDER BY 1 LIMIT 1000
SELECT name, setting, unit, category FROM pg_settings WHERE name IN ('work_mem', 'search_path', 'DateStyle') ORDER BY 1
SELECT evtname, evtevent, evttags FROM pg_catalog.pg_event_trigger ORDER BY 1
SELECT srvname, srvtype FROM pg_catalog.pg_foreign_server ORDER BY 1
SELECT loid FROM pg_catalog.pg_largeobject_metadata l, LATERAL (SELECT l.oid AS loid) AS x WHERE false

=== each JDBC
SELECT NULL AS TABLE_CAT, n.nspname AS TABLE_SCHEM, c.relname AS TABLE_NAME, CASE n.nspname ~ '^pg_' OR n.nspname = 'information_schema' WHEN true THEN 'SYSTEM' ELSE CASE c.relkind WHEN 'r' THEN 'TABLE' WHEN 'v' THEN 'VIEW' ELSE NULL END END AS TABLE_TYPE, d.description AS REMARKS FROM pg_catalog.pg_namespace n, pg_catalog.pg_class c LEFT JOIN pg_catalog.pg_description d ON (c.oid = d.objoid AND d.objsubid = 0 AND d.classoid = 'pg_class'::regclass) WHERE c.relnamespace = n.oid AND n.nspname LIKE 'public' AND c.relname LIKE 'peo%' ORDER BY TABLE_TYPE, TABLE_SCHEM, TABLE_NAME
SELECT * FROM (SELECT current_database() = current_catalog AS x, n.nspname, c.relname, a.attname, a.atttypid, a.attnotnull OR (t.typtype = 'd' AND t.typnotnull) AS attnotnull, a.atttypmod, a.attlen, t.typtypmod, row_number() OVER (PARTITION BY a.attrelid ORDER BY a.attnum) AS attnum, nullif(a.attidentity, '') AS attidentity, nullif(a.attgenerated, '') AS attgenerated, pg_catalog.pg_get_expr(def.adbin, def.adrelid) AS adsrc, dsc.description, t.typbasetype, t.typtype FROM pg_catalog.pg_namespace n JOIN pg_catalog.pg_class c ON (c.relnamespace = n.oid) JOIN pg_catalog.pg_attribute a ON (a.attrelid = c.oid) JOIN pg_catalog.pg_type t ON (a.atttypid = t.oid) LEFT JOIN pg_catalog.pg_attrdef def ON (a.attrelid = def.adrelid AND a.attnum = def.adnum) LEFT JOIN pg_catalog.pg_description dsc ON (c.oid = dsc.objoid AND a.attnum = dsc.objsubid) WHERE c.relkind IN ('r', 'p', 'v', 'f', 'm') AND a.attnum > 0 AND NOT a.attisdropped AND n.nspname LIKE 'public' AND c.relname LIKE 'people') c WHERE true ORDER BY nspname, c.relname, attnum
SELECT result.TABLE_NAME, result.COLUMN_NAME, result.KEY_SEQ, result.PK_NAME FROM (SELECT n.nspname AS TABLE_SCHEM, ct.relname AS TABLE_NAME, a.attname AS COLUMN_NAME, (information_schema._pg_expandarray(i.indkey)).n AS KEY_SEQ, ci.relname AS PK_NAME, information_schema._pg_expandarray(i.indkey) AS KEYS, a.attnum AS A_ATTNUM FROM pg_catalog.pg_class ct JOIN pg_catalog.pg_attribute a ON (ct.oid = a.attrelid) JOIN pg_catalog.pg_namespace n ON (ct.relnamespace = n.oid) JOIN pg_catalog.pg_index i ON (a.attrelid = i.indrelid) JOIN pg_catalog.pg_class ci ON (ci.oid = i.indexrelid) WHERE true AND ct.relname = 'people' AND i.indisprimary) result WHERE result.A_ATTNUM = (result.KEYS).x ORDER BY result.table_name, result.pk_name, result.key_seq
SELECT typinput = 'array_in'::regproc AS is_array, typtype, typname, pg_type.oid FROM pg_catalog.pg_type LEFT JOIN (SELECT ns.oid AS nspoid, ns.nspname, r.r FROM pg_namespace AS ns JOIN (SELECT s.r, (current_schemas(false))[s.r] AS nspname FROM generate_series(1, array_upper(current_schemas(false), 1)) AS s(r)) AS r USING (nspname)) AS sp ON sp.nspoid = typnamespace WHERE typname = 'citext' ORDER BY sp.r, pg_type.oid DESC
SELECT n.nspname = ANY (current_schemas(true)), n.nspname, t.typname FROM pg_catalog.pg_type t JOIN pg_catalog.pg_namespace n ON t.typnamespace = n.oid WHERE t.oid = 'mood'::regtype
SELECT nspname AS TABLE_SCHEM, NULL AS TABLE_CATALOG FROM pg_catalog.pg_namespace WHERE nspname <> 'pg_toast' AND (nspname !~ '^pg_temp_' OR nspname = (pg_catalog.current_schemas(true))[1]) AND (nspname !~ '^pg_toast_temp_' OR nspname = replace((pg_catalog.current_schemas(true))[1], 'pg_temp_', 'pg_toast_temp_')) ORDER BY TABLE_SCHEM
SELECT setting FROM pg_catalog.pg_settings WHERE name = 'max_index_keys'
SHOW TRANSACTION ISOLATION LEVEL
SELECT t1.typlen FROM pg_catalog.pg_type t1, pg_catalog.pg_namespace n WHERE t1.typnamespace = n.oid AND t1.typname = 'name' AND n.nspname = 'pg_catalog'

=== each ODBC
select relname, nspname, relkind from pg_catalog.pg_class c, pg_catalog.pg_namespace n where relkind in ('r', 'v', 'm', 'f', 'p') and nspname not in ('pg_catalog', 'information_schema', 'pg_toast', 'pg_temp_1') and n.oid = relnamespace order by nspname, relname
select n.nspname, c.relname, a.attname, a.atttypid, t.typname, a.attnum, a.attlen, a.atttypmod, a.attnotnull, c.relhasrules, c.relkind, c.oid > 0, pg_get_expr(d.adbin, d.adrelid), case t.typtype when 'd' then t.typbasetype else 0 end, t.typtypmod, a.attidentity from (((pg_catalog.pg_class c inner join pg_catalog.pg_namespace n on n.oid = c.relnamespace and c.relname = E'people' and n.nspname = E'public') inner join pg_catalog.pg_attribute a on (not a.attisdropped) and a.attnum > 0 and a.attrelid = c.oid) inner join pg_catalog.pg_type t on t.oid = a.atttypid) left outer join pg_attrdef d on a.atthasdef and d.adrelid = a.attrelid and d.adnum = a.attnum order by n.nspname, c.relname, attnum
select ta.attname, ia.attnum, ic.relname, n.nspname, tc.relname from pg_catalog.pg_attribute ta, pg_catalog.pg_attribute ia, pg_catalog.pg_class tc, pg_catalog.pg_index i, pg_catalog.pg_namespace n, pg_catalog.pg_class ic where tc.relname = 'people' AND n.nspname = 'public' AND tc.oid = i.indrelid AND n.oid = tc.relnamespace AND i.indisprimary = 't' AND ia.attrelid = i.indexrelid AND ta.attrelid = i.indrelid AND ta.attnum = i.indkey[ia.attnum - 1] AND (NOT ta.attisdropped) AND (NOT ia.attisdropped) AND ic.oid = i.indexrelid order by ia.attnum
SET DateStyle = 'ISO'; SET extra_float_digits = 2; show transaction_isolation
select version() like 'PostgreSQL%', current_schema()

=== each SQLAlchemy
select pg_catalog.version() <> ''
select current_schema()
show standard_conforming_strings
SELECT pg_catalog.pg_class.relname FROM pg_catalog.pg_class JOIN pg_catalog.pg_namespace ON pg_catalog.pg_namespace.oid = pg_catalog.pg_class.relnamespace WHERE pg_catalog.pg_class.relkind = ANY (ARRAY['r', 'p']) AND pg_catalog.pg_class.relpersistence != 't' AND pg_catalog.pg_table_is_visible(pg_catalog.pg_class.oid) AND pg_catalog.pg_namespace.nspname != 'pg_catalog' ORDER BY 1
SELECT pg_catalog.pg_attribute.attname AS name, pg_catalog.format_type(pg_catalog.pg_attribute.atttypid, pg_catalog.pg_attribute.atttypmod) AS format_type, (SELECT pg_catalog.pg_get_expr(pg_catalog.pg_attrdef.adbin, pg_catalog.pg_attrdef.adrelid) AS pg_get_expr_1 FROM pg_catalog.pg_attrdef WHERE pg_catalog.pg_attrdef.adrelid = pg_catalog.pg_attribute.attrelid AND pg_catalog.pg_attrdef.adnum = pg_catalog.pg_attribute.attnum AND pg_catalog.pg_attribute.atthasdef) AS "default", pg_catalog.pg_attribute.attnotnull AS not_null, pg_catalog.pg_class.relname AS table_name, pg_catalog.pg_description.description AS comment, pg_catalog.pg_attribute.attgenerated AS generated FROM pg_catalog.pg_class LEFT OUTER JOIN pg_catalog.pg_attribute ON pg_catalog.pg_class.oid = pg_catalog.pg_attribute.attrelid AND pg_catalog.pg_attribute.attnum > 0 AND NOT pg_catalog.pg_attribute.attisdropped LEFT OUTER JOIN pg_catalog.pg_description ON pg_catalog.pg_description.objoid = pg_catalog.pg_attribute.attrelid AND pg_catalog.pg_description.objsubid = pg_catalog.pg_attribute.attnum JOIN pg_catalog.pg_namespace ON pg_catalog.pg_namespace.oid = pg_catalog.pg_class.relnamespace WHERE pg_catalog.pg_class.relkind = ANY (ARRAY['r', 'p', 'f', 'v', 'm']) AND pg_catalog.pg_table_is_visible(pg_catalog.pg_class.oid) AND pg_catalog.pg_class.relname IN ('people', 'items') ORDER BY pg_catalog.pg_class.relname, pg_catalog.pg_attribute.attnum
SELECT people.id AS people_id, people.region AS people_region, accounts_1.id AS accounts_1_id, accounts_1.label AS accounts_1_label FROM people LEFT OUTER JOIN accounts AS accounts_1 ON accounts_1.id = people.account_id WHERE people.region = 'eu' ORDER BY people.id
SELECT anon_1.people_id, anon_1.people_region FROM (SELECT people.id AS people_id, people.region AS people_region FROM people ORDER BY people.id LIMIT 2) AS anon_1 LEFT OUTER JOIN orders AS orders_1 ON anon_1.people_id = orders_1.person_id ORDER BY 1
SELECT count(*) AS count_1 FROM (SELECT people.id AS people_id FROM people) AS anon_1
SELECT EXISTS (SELECT 1 FROM people WHERE people.id = 3) AS anon_1
ROLLBACK

=== each Django
SELECT c.relname, CASE WHEN c.relispartition THEN 'p' WHEN c.relkind IN ('m', 'v') THEN 'v' ELSE 't' END, obj_description(c.oid, 'pg_class') FROM pg_catalog.pg_class c LEFT JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace WHERE c.relkind IN ('f', 'm', 'p', 'r', 'v') AND n.nspname NOT IN ('pg_catalog', 'pg_toast') AND pg_catalog.pg_table_is_visible(c.oid) ORDER BY 1
SELECT a.attname AS column_name, NOT (a.attnotnull OR (t.typtype = 'd' AND t.typnotnull)) AS is_nullable, pg_get_expr(ad.adbin, ad.adrelid) AS column_default, CASE WHEN collname = 'default' THEN NULL ELSE collname END AS collation, a.attidentity != '' AS is_autofield FROM pg_attribute a LEFT JOIN pg_attrdef ad ON a.attrelid = ad.adrelid AND a.attnum = ad.adnum LEFT JOIN pg_collation co ON a.attcollation = co.oid JOIN pg_type t ON a.atttypid = t.oid JOIN pg_class c ON a.attrelid = c.oid JOIN pg_namespace n ON c.relnamespace = n.oid WHERE c.relkind IN ('f', 'm', 'p', 'r', 'v') AND c.relname = 'people' AND n.nspname NOT IN ('pg_catalog', 'pg_toast') AND pg_catalog.pg_table_is_visible(c.oid) ORDER BY a.attnum
SELECT a1.attname, c2.relname, a2.attname FROM pg_constraint con LEFT JOIN pg_class c1 ON con.conrelid = c1.oid LEFT JOIN pg_class c2 ON con.confrelid = c2.oid LEFT JOIN pg_attribute a1 ON c1.oid = a1.attrelid AND a1.attnum = con.conkey[1] LEFT JOIN pg_attribute a2 ON c2.oid = a2.attrelid AND a2.attnum = con.confkey[1] WHERE c1.relname = 'people' AND con.contype = 'f' AND c1.relnamespace = c2.relnamespace AND pg_catalog.pg_table_is_visible(c1.oid)
SELECT c.conname, array(SELECT attname FROM unnest(c.conkey) WITH ORDINALITY cols(colid, arridx) JOIN pg_attribute AS ca ON cols.colid = ca.attnum WHERE ca.attrelid = c.conrelid ORDER BY cols.arridx), c.contype, (SELECT fkc.relname || '.' || fka.attname FROM pg_attribute AS fka JOIN pg_class AS fkc ON fka.attrelid = fkc.oid WHERE fka.attrelid = c.confrelid AND fka.attnum = c.confkey[1]), cl.reloptions FROM pg_constraint AS c JOIN pg_class AS cl ON c.conrelid = cl.oid WHERE cl.relname = 'people' AND pg_catalog.pg_table_is_visible(cl.oid) ORDER BY 1
SELECT "people"."id", "people"."region", "people"."points" FROM "people" INNER JOIN "accounts" ON ("people"."account_id" = "accounts"."id") WHERE ("accounts"."label" LIKE 'account%' AND NOT ("people"."points" > 60)) ORDER BY "people"."points" DESC LIMIT 21
SELECT COUNT(*) AS "__count" FROM "people" WHERE "people"."joined" BETWEEN '2025-01-01'::date AND '2025-01-05'::date
SELECT (1) AS "a" FROM "people" WHERE "people"."id" = 1 LIMIT 1
SELECT "people"."region", COUNT("orders"."id") AS "n" FROM "people" LEFT OUTER JOIN "orders" ON ("people"."id" = "orders"."person_id") GROUP BY "people"."region" ORDER BY "people"."region" ASC
SELECT "people"."id", COUNT("orders"."id") AS "n" FROM "people" LEFT OUTER JOIN "orders" ON ("people"."id" = "orders"."person_id") GROUP BY "people"."id" HAVING COUNT("orders"."id") > 2 ORDER BY 1
SELECT DATE_TRUNC('month', "people"."joined" AT TIME ZONE 'UTC') AS "m", COUNT(*) FROM "people" GROUP BY 1 ORDER BY 1
SELECT set_config('TimeZone', 'UTC', false)
SAVEPOINT "s1_x1"

=== each ActiveRecord
SELECT a.attname, format_type(a.atttypid, a.atttypmod), pg_get_expr(d.adbin, d.adrelid), a.attnotnull, a.atttypid, a.atttypmod, c.collname, col_description(a.attrelid, a.attnum) AS comment, attidentity AS identity, attgenerated as attgenerated FROM pg_attribute a LEFT JOIN pg_attrdef d ON a.attrelid = d.adrelid AND a.attnum = d.adnum LEFT JOIN pg_type t ON a.atttypid = t.oid LEFT JOIN pg_collation c ON a.attcollation = c.oid AND a.attcollation <> t.typcollation WHERE a.attrelid = '"people"'::regclass AND a.attnum > 0 AND NOT a.attisdropped ORDER BY a.attnum
SELECT t.oid, t.typname, t.typelem, t.typdelim, t.typinput, r.rngsubtype, t.typtype, t.typbasetype FROM pg_type as t LEFT JOIN pg_range as r ON oid = rngtypid WHERE t.typname IN ('int2', 'int4', 'text', 'citext', 'mood') ORDER BY 2
SELECT t.typname, array_agg(e.enumlabel ORDER BY e.enumsortorder) FROM pg_type t JOIN pg_enum e ON t.oid = e.enumtypid GROUP BY t.typname ORDER BY 1
SELECT "people"."id" FROM "people" WHERE "people"."region" = 'eu' AND "people"."id" IN (1, 2, 3) ORDER BY "people"."id" ASC LIMIT 10
SELECT 1 AS one FROM "people" WHERE "people"."id" = 2 LIMIT 1
SELECT SUM("people"."points") FROM "people"
SET client_min_messages TO 'warning'; SET standard_conforming_strings = on; SET SESSION timezone TO 'UTC'
SELECT distinct i.relname, d.indisunique, d.indkey, pg_get_indexdef(d.indexrelid), pg_catalog.obj_description(i.oid, 'pg_class') AS comment FROM pg_class t INNER JOIN pg_index d ON t.oid = d.indrelid INNER JOIN pg_class i ON d.indexrelid = i.oid LEFT JOIN pg_namespace n ON n.oid = t.relnamespace WHERE i.relkind IN ('i', 'I') AND d.indisprimary = 'f' AND t.relname = 'people' AND n.nspname = ANY (current_schemas(false)) ORDER BY i.relname
SELECT pg_try_advisory_lock(42), pg_advisory_unlock(42)

=== each Prisma and Hibernate
SELECT "public"."people"."id", "public"."people"."region" FROM "public"."people" WHERE ("public"."people"."points" > 20 AND 1=1) ORDER BY "public"."people"."id" ASC LIMIT 5 OFFSET 0
SELECT COUNT(*) FROM (SELECT "public"."people"."id" FROM "public"."people" WHERE 1=1 OFFSET 0) AS "sub"
SELECT tbl.relname AS table_name, namespace.nspname AS namespace, (tbl.relhassubclass AND tbl.relkind = 'p') AS is_partition, obj_description(tbl.oid, 'pg_class') AS description FROM pg_class AS tbl INNER JOIN pg_namespace AS namespace ON namespace.oid = tbl.relnamespace WHERE tbl.relkind IN ('r', 'p') AND namespace.nspname = ANY (ARRAY['public']) ORDER BY namespace, table_name
SELECT conname AS constraint_name, contype, conrelid::regclass FROM pg_constraint WHERE conrelid = 'people'::regclass ORDER BY 1
select p1_0.id, p1_0.region, a1_0.id, a1_0.label from people p1_0 left join accounts a1_0 on a1_0.id = p1_0.account_id where p1_0.id = 3
select p1_0.region, count(p1_0.id) from people p1_0 group by p1_0.region having count(p1_0.id) > 0 order by 1
select p1_0.id from people p1_0 where p1_0.region = 'eu' and exists (select 1 from orders o1_0 where o1_0.person_id = p1_0.id) order by p1_0.id offset 0 rows fetch first 3 rows only
select p1_0.id from people p1_0 where p1_0.id = 3 for no key update
select nextval('items_id_seq') > 0

=== each Metabase and Tableau
SELECT "public"."people"."region" AS "region", COUNT(*) AS "count" FROM "public"."people" GROUP BY "public"."people"."region" ORDER BY "public"."people"."region" ASC
SELECT DATE_TRUNC('month', "public"."people"."joined") AS "joined", SUM("public"."people"."points") AS "sum" FROM "public"."people" GROUP BY DATE_TRUNC('month', "public"."people"."joined") ORDER BY 1
SELECT "source"."region" AS "region", AVG("source"."total") AS "avg" FROM (SELECT "public"."orders"."total" AS "total", "p"."region" AS "region" FROM "public"."orders" LEFT JOIN "public"."people" AS "p" ON "public"."orders"."person_id" = "p"."id") AS "source" GROUP BY "source"."region" ORDER BY 1
SELECT FLOOR(("public"."people"."points" / 20.0)) * 20.0 AS "points", COUNT(*) FROM "public"."people" GROUP BY 1 ORDER BY 1
SELECT SUM(CAST("people"."points" AS BIGINT)) AS "sum:points:ok", "people"."region" AS "region" FROM "public"."people" "people" GROUP BY 2 ORDER BY 2
SELECT 1 AS "x" FROM "public"."people" "people" HAVING (COUNT(1) > 0)
SELECT c.table_schema, c.table_name, c.column_name, c.udt_name FROM information_schema.columns c WHERE c.table_schema = 'public' AND c.table_name = 'people' ORDER BY c.ordinal_position
SELECT table_name, table_type FROM information_schema.tables WHERE table_schema = 'hr' ORDER BY 1
SELECT kcu.column_name FROM information_schema.table_constraints tc JOIN information_schema.key_column_usage kcu USING (constraint_name) WHERE tc.table_name = 'people' AND tc.constraint_type = 'PRIMARY KEY' ORDER BY 1
SELECT constraint_name, unique_constraint_name FROM information_schema.referential_constraints ORDER BY 1
SELECT routine_name, data_type FROM information_schema.routines WHERE routine_schema = 'public' AND routine_name = 'vat'
SELECT view_definition FROM information_schema.views WHERE table_name = 'v_counts'
SELECT grantee, privilege_type FROM information_schema.role_table_grants WHERE table_name = 'people' ORDER BY 1, 2
SELECT schema_name FROM information_schema.schemata WHERE schema_name = 'public'
SELECT sequence_name FROM information_schema.sequences WHERE sequence_schema = 'public' ORDER BY 1
SELECT CAST(reltuples AS bigint) >= -1 FROM pg_class WHERE relname = 'items'
WITH table_privileges AS (SELECT NULL AS role, t.schemaname AS schema, t.objectname AS table, pg_catalog.has_table_privilege(current_user, '"' || t.schemaname || '"' || '.' || '"' || t.objectname || '"', 'SELECT') AS select FROM (SELECT schemaname, tablename AS objectname FROM pg_catalog.pg_tables UNION SELECT schemaname, viewname AS objectname FROM pg_catalog.pg_views) t WHERE t.schemaname = 'hr') SELECT t.* FROM table_privileges t WHERE t.select ORDER BY 2, 3

=== each pgAdmin
SELECT db.datname = current_database(), datallowconn, pg_encoding_to_char(encoding) AS serverencoding, has_database_privilege(db.oid, 'CREATE') AS cancreate FROM pg_catalog.pg_database db WHERE db.datname = current_database()
SELECT rel.relname AS name, (SELECT count(*) FROM pg_catalog.pg_trigger WHERE tgrelid = rel.oid AND tgisinternal = FALSE) AS triggercount, rel.relkind FROM pg_catalog.pg_class rel WHERE rel.relkind IN ('r', 's', 't', 'p') AND rel.relnamespace = 'hr'::regnamespace ORDER BY rel.relname
SELECT gss_authenticated, encrypted FROM pg_catalog.pg_stat_gssapi WHERE pid = pg_backend_pid()
SELECT roles.oid > 0 AS id, roles.rolname AS name, roles.rolsuper AS is_superuser FROM pg_catalog.pg_roles AS roles WHERE rolname = current_user
SELECT nsp.nspname, has_schema_privilege(nsp.oid, 'CREATE') AS can_create FROM pg_catalog.pg_namespace nsp WHERE nspname NOT LIKE E'pg\\_%' ORDER BY nspname
SELECT n_live_tup >= 0, seq_scan >= 0 FROM pg_stat_user_tables WHERE relname = 'items'
SELECT pg_relation_size('people') > 0, pg_total_relation_size('public.people'::regclass) > 0, pg_size_pretty(1000000::bigint)
SELECT attname, attnum FROM pg_attribute WHERE attrelid = 'vault'::regclass AND attnum > 0 AND NOT attisdropped ORDER BY attnum
SELECT tablename, attname, inherited FROM pg_stats WHERE tablename = 'items' ORDER BY 2
SELECT locktype, mode FROM pg_locks WHERE false
SELECT pid = pg_backend_pid(), usename, state FROM pg_stat_activity WHERE pid = pg_backend_pid()
SELECT has_table_privilege('people', 'SELECT'), has_column_privilege('people', 'email', 'SELECT'), has_function_privilege('vat(numeric, numeric)', 'EXECUTE')
SELECT obj_description('people'::regclass), col_description('people'::regclass, 1), shobj_description(1, 'pg_database')
SELECT pg_get_constraintdef(oid), pg_get_serial_sequence('items', 'id') FROM pg_constraint WHERE conrelid = 'items'::regclass ORDER BY conname
SELECT pg_get_functiondef('vat'::regproc), pg_get_indexdef('items_pkey'::regclass)
SELECT 'people'::regclass, 'vat'::regproc, 'mood'::regtype, 'public'::regnamespace, to_regclass('nowhere'), to_regtype('people')
SELECT p.proname, p.prosrc FROM pg_proc p WHERE proname = 'vat'
SELECT unnest(enum_range(NULL::mood))
