-- An event trigger, enabled for these alone, that shows a value to whoever makes a sequence.

=== a sequence
BEGIN;
CREATE SEQUENCE lab.counter2;
ROLLBACK;

=== a sequence in one message
BEGIN; CREATE SEQUENCE lab.counter2; ROLLBACK

=== a temporary sequence
BEGIN;
CREATE TEMPORARY SEQUENCE IF NOT EXISTS counter3 START 5;
ROLLBACK;

=== a sequence by the extended protocol
BEGIN;
\bind text
CREATE SEQUENCE lab.counter5;
ROLLBACK;
