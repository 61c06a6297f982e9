--! Texts of which our view and PostgreSQL's differed once, one a line: ⏎ is a newline, ⇥ a tab, ␍ a carriage return, ␋ a vertical tab, ␌ a form feed. Lines that begin as this one are no text.
--! TABLE takes no alias, neither in PostgreSQL nor here.
TABLE customers c
TABLE customers AS c
TABLE customers (a, b)
TABLE customers TABLESAMPLE system (50)
SELECT * FROM (TABLE customers c) x
SELECT 1 UNION TABLE customers c
--! The old forms of COPY are for tables alone.
COPY BINARY customers TO STDOUT
COPY customers TO STDOUT DELIMITERS ','
COPY customers TO STDOUT USING DELIMITERS ','
COPY customers (id) TO STDOUT USING DELIMITERS ',' WITH NULL 'x'
--! A number with a letter after it, a point before a number.
SELECT 1.5e - 3 FROM customers
SELECT coalesce (. 25 % - 2.5 OPERATOR (pg_catalog.+) 0.5) FROM customers
--! An alias that is a byte order mark.
SELECT id FROM customers ﻿
--! Names of CTEs and the relations of the same name, where one is in scope and where it is not.
SELECT * FROM (WITH customers AS (SELECT 1 AS id) SELECT * FROM customers) x, customers
SELECT (WITH customers AS (SELECT 1 AS id) SELECT id FROM customers), email FROM customers
WITH x AS (WITH customers AS (SELECT 1 AS id) TABLE customers) SELECT * FROM x, customers
WITH x AS (TABLE customers), customers AS (SELECT 1) SELECT * FROM x, customers
WITH RECURSIVE x AS (TABLE customers), customers AS (SELECT 1) SELECT * FROM x, customers
(WITH customers AS (SELECT 1) TABLE customers) UNION ALL SELECT id FROM customers
