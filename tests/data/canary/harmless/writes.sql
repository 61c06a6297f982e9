-- Writes of protected relations that touch unprotected columns only.

=== update by key
BEGIN;
UPDATE hr.people SET team = 'moved' WHERE id = 1;
UPDATE hr.people SET team = 'moved' WHERE id = 2 RETURNING id, team;
SELECT id, team FROM hr.people ORDER BY id;
ROLLBACK;

=== update of a partition
BEGIN;
UPDATE visits SET path = '/moved' WHERE id = 3;
UPDATE visits_us SET path = '/moved' RETURNING id, path;
ROLLBACK;

=== update from
BEGIN;
UPDATE hr.people p SET team = b.colour FROM hr.badges b WHERE b.person_id = p.id RETURNING p.id, b.colour;
UPDATE diary SET author = 'x' WHERE id = 1;
UPDATE straße SET ort = 'Köln';
UPDATE "Odd Schema"."user" SET city = 'Turin' RETURNING id, city;
UPDATE vault SET kind = 'k' || id WHERE id > 2;
ROLLBACK;
