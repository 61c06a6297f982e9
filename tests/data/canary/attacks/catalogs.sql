-- Catalogs, statistics, plans, other sessions' statements, settings.

=== each statistics
SELECT * FROM pg_stats WHERE tablename = 'people'
SELECT most_common_vals, histogram_bounds FROM pg_stats
SELECT histogram_bounds FROM pg_catalog.pg_stats WHERE attname = 'name'
SELECT s.histogram_bounds::text FROM pg_stats s
SELECT s FROM pg_stats s WHERE tablename = 'vault'
SELECT to_jsonb(s) FROM pg_stats s
SELECT unnest(histogram_bounds::text::text[]) FROM pg_stats WHERE tablename = 'people'
WITH x AS (TABLE pg_stats) SELECT histogram_bounds FROM x
COPY (SELECT * FROM pg_stats) TO STDOUT

=== each statistics as superuser
-- as: super
SELECT * FROM pg_statistic
SELECT stavalues1 FROM pg_statistic
SELECT stavalues1::text, stavalues2 FROM pg_catalog.pg_statistic WHERE starelid = 'people'::regclass
SELECT s FROM pg_statistic s
SELECT * FROM pg_statistic_ext_data
SELECT stxdexpr FROM pg_statistic_ext_data
SELECT pg_mcv_list_items(stxdmcv) FROM pg_statistic_ext_data
SELECT (pg_mcv_list_items(stxdmcv)).values FROM pg_statistic_ext_data
TABLE pg_statistic
COPY pg_statistic TO STDOUT
COPY pg_largeobject TO STDOUT
COPY pg_catalog.pg_statistic (stavalues1) TO STDOUT

=== own prepared statements
PREPARE p AS SELECT name FROM people WHERE name <> 'x';
SELECT statement FROM pg_prepared_statements;
EXECUTE p;

=== own cursors
BEGIN;
DECLARE c CURSOR FOR SELECT name FROM people;
SELECT statement FROM pg_cursors;
FETCH ALL c;
COMMIT;

=== each explain
EXPLAIN (ANALYZE, FORMAT JSON) SELECT name::integer FROM people
EXPLAIN ANALYZE VERBOSE INSERT INTO lab.notes SELECT id, name, name::integer FROM people
EXPLAIN (ANALYZE) UPDATE lab.notes SET stars = (SELECT max(name) FROM people)::integer
EXPLAIN (ANALYZE) DELETE FROM lab.notes USING people p WHERE p.name::integer = 1

=== each explain folds
EXPLAIN VERBOSE SELECT lies()

=== each large objects
-- as: super
SELECT lo_export(c_lo, '/tmp/x'), first_mail() FROM vault
SELECT lo_get(c_lo, 0, 20) FROM vault
SELECT pg_catalog.lo_get(loid) FROM pg_largeobject
SELECT data FROM pg_catalog.pg_largeobject WHERE pageno = 0
SELECT l FROM pg_largeobject l

=== each missing values
SELECT attmissingval FROM pg_attribute WHERE atthasmissing
SELECT attmissingval::text FROM pg_catalog.pg_attribute WHERE attname = 'plan'
SELECT a FROM pg_attribute a WHERE attrelid = 'people'::regclass
SELECT * FROM pg_attribute WHERE attrelid = 'people'::regclass AND attname = 'plan'

=== missing values copied
-- as: super
COPY pg_attribute TO STDOUT;
