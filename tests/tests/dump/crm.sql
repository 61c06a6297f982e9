-- What a dump may meet beyond the sample shop: generated and identity columns, domains, partitions,
-- inheritance, a materialized view, a policy, foreign keys and unique indexes on masked columns.

CREATE SCHEMA crm;
CREATE DOMAIN crm.nickname AS varchar(40) CHECK (length(VALUE) >= 2);
CREATE TYPE crm.mood AS ENUM ('calm', 'cross');
CREATE TABLE crm.members (
    email      text PRIMARY KEY,
    nick       crm.nickname NOT NULL,
    phone      text NOT NULL CHECK (phone LIKE '+%'),
    folded     text GENERATED ALWAYS AS (lower(email)) STORED,
    mood       crm.mood NOT NULL DEFAULT 'calm',
    twice      integer GENERATED ALWAYS AS (points * 2) STORED,
    points     integer NOT NULL DEFAULT 1,
    number     serial
);
CREATE TABLE crm.letters (
    id     bigint GENERATED ALWAYS AS IDENTITY,
    member text NOT NULL REFERENCES crm.members ON DELETE CASCADE,
    sent   date NOT NULL
) PARTITION BY RANGE (sent);
CREATE TABLE crm.letters_old PARTITION OF crm.letters FOR VALUES FROM ('2020-01-01') TO ('2025-01-01');
CREATE TABLE crm.letters_new PARTITION OF crm.letters FOR VALUES FROM ('2025-01-01') TO ('2030-01-01');
CREATE TABLE crm.leads (name text NOT NULL, source text);
CREATE TABLE crm.hot_leads (score integer) INHERITS (crm.leads);
CREATE INDEX ON crm.members (lower(email));
CREATE SEQUENCE crm.tickets START 7;
CREATE VIEW crm.contacts AS SELECT email, nick FROM crm.members;
CREATE MATERIALIZED VIEW crm.by_provider AS
    SELECT split_part(email, '@', 2) AS provider, count(*) AS members FROM crm.members GROUP BY 1;
CREATE STATISTICS crm.related ON mood, points FROM crm.members;
CREATE FUNCTION crm.stamp() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RETURN NEW; END $$;
CREATE TRIGGER stamped BEFORE INSERT ON crm.leads FOR EACH ROW EXECUTE FUNCTION crm.stamp();
COMMENT ON TABLE crm.members IS 'who joined';
COMMENT ON COLUMN crm.members.nick IS 'what they are called';
ALTER TABLE crm.leads ENABLE ROW LEVEL SECURITY;
CREATE POLICY everybody ON crm.leads USING (true);
INSERT INTO crm.members (email, nick, phone, points)
    SELECT 'canary' || i || '@crm.example', 'canary-nick-' || i, '+99-canary-' || i, i FROM generate_series(1, 50) AS i;
INSERT INTO crm.letters (member, sent)
    SELECT 'canary' || (1 + i % 50) || '@crm.example', date '2020-01-01' + i * 20 FROM generate_series(1, 150) AS i;
INSERT INTO crm.leads VALUES ('canary lead', 'fair');
INSERT INTO crm.hot_leads VALUES ('canary hot lead', 'fair', 9);
SELECT nextval('crm.tickets');
REFRESH MATERIALIZED VIEW crm.by_provider;
GRANT USAGE ON SCHEMA crm TO shop_app, shop_catalogue;
GRANT SELECT ON ALL TABLES IN SCHEMA crm TO shop_app;
GRANT SELECT ON ALL SEQUENCES IN SCHEMA crm TO shop_app;
