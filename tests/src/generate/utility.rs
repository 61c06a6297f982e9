//! Statements that are neither queries nor writes.

use super::{Generator, Kind};

/// Forms that name nothing of the schema.
const PLAIN: [&str; 40] = [
    "BEGIN",
    "START TRANSACTION ISOLATION LEVEL SERIALIZABLE , READ ONLY , DEFERRABLE",
    "COMMIT AND NO CHAIN",
    "END",
    "ROLLBACK AND CHAIN",
    "ABORT",
    "SAVEPOINT s",
    "ROLLBACK TO SAVEPOINT s",
    "RELEASE s",
    "PREPARE TRANSACTION 'p'",
    "SET search_path = public , pg_catalog",
    "SET LOCAL search_path TO hr",
    "SET SESSION work_mem TO '8MB'",
    "SET TIME ZONE 'UTC'",
    "SET TRANSACTION ISOLATION LEVEL REPEATABLE READ",
    "SET SESSION CHARACTERISTICS AS TRANSACTION READ WRITE",
    "SET ROLE NONE",
    "SET SESSION AUTHORIZATION DEFAULT",
    "SET standard_conforming_strings = off",
    "RESET ALL",
    "RESET work_mem",
    "SHOW ALL",
    "SHOW search_path",
    "SHOW TRANSACTION ISOLATION LEVEL",
    "DISCARD ALL",
    "DISCARD TEMP",
    "LISTEN c",
    "NOTIFY c , 'x'",
    "UNLISTEN *",
    "DEALLOCATE ALL",
    "DEALLOCATE PREPARE p",
    "EXECUTE p ( 1 , 'a' )",
    "CLOSE ALL",
    "CLOSE cur",
    "FETCH ABSOLUTE 2 FROM cur",
    "FETCH BACKWARD ALL IN cur",
    "MOVE FORWARD 2 cur",
    "CHECKPOINT",
    "SET CONSTRAINTS ALL DEFERRED",
    "LOAD 'x'",
];

impl Generator<'_> {
    pub(super) fn utility(&mut self) {
        match self.dice.below(12) {
            0..=2 => self.say_one(&PLAIN),
            3 => {
                self.say_one(&[
                    "EXPLAIN",
                    "EXPLAIN VERBOSE",
                    "EXPLAIN ANALYZE",
                    "EXPLAIN ( ANALYZE , VERBOSE off , FORMAT json )",
                ]);
                self.explained();
            }
            4 => {
                self.say_one(&["PREPARE p AS", "PREPARE p ( int , text ) AS"]);
                self.explained();
            }
            5 => {
                self.say_one(&[
                    "DECLARE cur CURSOR FOR",
                    "DECLARE cur NO SCROLL CURSOR WITH HOLD FOR",
                    "DECLARE cur BINARY INSENSITIVE SCROLL CURSOR WITHOUT HOLD FOR",
                ]);
                self.any_query();
            }
            6 => self.copy(),
            7 | 8 => self.made_of_query(),
            9 => self.rights(),
            _ => self.definition(),
        }
    }

    fn explained(&mut self) {
        match self.dice.one_in(4) {
            true => self.write(),
            false => self.any_query(),
        }
    }

    fn copy(&mut self) {
        self.say("COPY");
        match self.dice.below(3) {
            0 => {
                self.say("(");
                self.any_query();
                self.say(") TO");
            }
            _ => {
                let relation = self.relation();
                self.relation_name(&relation.schema, &relation.name);
                if self.dice.one_in(2) {
                    let column = self.dice.pick(&relation.columns).name.clone();
                    self.say("(");
                    self.name(&column);
                    self.say(")");
                }
                self.say_one(&["TO", "TO", "FROM"]);
            }
        }
        self.say_one(&["STDOUT", "STDOUT", "STDIN", "'/tmp/x'", "PROGRAM 'cat'"]);
        self.say_one(&[
            "",
            "( FORMAT csv , HEADER )",
            "WITH ( DELIMITER '|' )",
            "CSV HEADER QUOTE '\"'",
            "WITH BINARY",
        ]);
    }

    fn made_of_query(&mut self) {
        self.say_one(&[
            "CREATE TABLE",
            "CREATE TEMP TABLE",
            "CREATE UNLOGGED TABLE IF NOT EXISTS",
            "CREATE MATERIALIZED VIEW",
            "CREATE VIEW",
            "CREATE OR REPLACE TEMPORARY VIEW",
            "CREATE RECURSIVE VIEW",
        ]);
        let name = self.fresh("made");
        self.name(&name);
        self.say_one(&["", "( a , b )"]);
        self.say("AS");
        self.any_query();
        self.say_one(&["", "", "WITH NO DATA"]);
    }

    fn rights(&mut self) {
        self.say_one(&[
            "GRANT SELECT ON",
            "GRANT SELECT ( id ) , UPDATE ON TABLE",
            "REVOKE ALL PRIVILEGES ON",
            "LOCK TABLE",
            "ANALYZE",
            "VACUUM ( FULL , ANALYZE )",
            "TRUNCATE TABLE ONLY",
            "REINDEX TABLE",
            "CLUSTER",
            "DROP TABLE IF EXISTS",
            "REFRESH MATERIALIZED VIEW CONCURRENTLY",
            "COMMENT ON TABLE",
            "SECURITY LABEL ON TABLE",
        ]);
        let relation = self.relation();
        self.relation_name(&relation.schema, &relation.name);
        self.say_one(&[
            "",
            "TO PUBLIC",
            "FROM PUBLIC CASCADE",
            "IN ACCESS SHARE MODE NOWAIT",
            "IS 'x'",
            "( id )",
            "CASCADE",
            "RESTART IDENTITY",
        ]);
    }

    fn definition(&mut self) {
        let relation = self.relation();
        let column = self.dice.pick(&relation.columns).clone();
        let named = |this: &mut Self| this.relation_name(&relation.schema, &relation.name);
        match self.dice.below(9) {
            0 => {
                self.say("ALTER TABLE");
                named(self);
                self.say_one(&[
                    "ADD COLUMN extra int",
                    "RENAME TO renamed",
                    "SET SCHEMA hr",
                    "ENABLE ROW LEVEL SECURITY",
                    "DISABLE TRIGGER ALL",
                ]);
            }
            1 => {
                self.say("ALTER TABLE");
                named(self);
                self.say("ALTER COLUMN");
                self.name(&column.name);
                self.say("TYPE text USING");
                self.name(&column.name);
                self.say(":: text");
            }
            2 => {
                self.say("CREATE INDEX ON");
                named(self);
                self.say("(");
                self.name(&column.name);
                self.say(") WHERE");
                self.name(&column.name);
                self.say("IS NOT NULL");
            }
            3 => {
                self.say("CREATE TABLE made ( LIKE");
                named(self);
                self.say("INCLUDING ALL )");
            }
            4 => {
                self.say("CREATE TABLE made ( a int REFERENCES");
                named(self);
                self.say(", b text DEFAULT");
                self.constant_text();
                self.say("CHECK ( b <> 'x' ) )");
            }
            5 => {
                self.say("CREATE TRIGGER tr BEFORE INSERT OR UPDATE ON");
                named(self);
                self.say("FOR EACH ROW EXECUTE FUNCTION f ( )");
            }
            6 => {
                self.say("CREATE RULE ru AS ON INSERT TO");
                named(self);
                self.say("DO ALSO (");
                self.any_query();
                self.say("; NOTIFY c )");
            }
            7 => {
                self.say("CREATE FUNCTION f ( ) RETURNS int");
                match self.dice.below(3) {
                    0 => {
                        self.say("LANGUAGE sql AS");
                        self.text("SELECT count(*) FROM customers; SELECT 1");
                    }
                    1 => {
                        self.say("LANGUAGE sql BEGIN ATOMIC");
                        self.any_query();
                        self.say("; END");
                    }
                    _ => {
                        self.say("RETURN (");
                        self.query(&[Kind::Integer]);
                        self.say(")");
                    }
                }
            }
            _ => {
                self.say("DO");
                self.text("BEGIN PERFORM 1; END");
                self.say_one(&["", "LANGUAGE plpgsql"]);
            }
        }
    }

    fn constant_text(&mut self) {
        let scopes = std::mem::take(&mut self.scopes);
        self.expression(Kind::Text);
        self.scopes = scopes;
    }
}
