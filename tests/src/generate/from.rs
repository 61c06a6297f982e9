//! What stands in FROM.

use super::{Column, Generator, Kind, Range, Source};

impl Generator<'_> {
    /// FROM with up to `most` items, separated by commas.
    pub(super) fn say_from(&mut self, most: usize) {
        self.say("FROM");
        let count = 1 + self.dice.below(most);
        self.list(count, |this, number| this.deeper(|this| this.item(number > 0)));
    }

    /// An item, whose columns go into the innermost scope.
    fn item(&mut self, lateral: bool) {
        match self.dice.below(14) {
            0..=5 => self.relation_item(),
            6 if !self.ctes.is_empty() => self.cte_item(),
            7 | 8 if self.room > 0 => self.sub_select(lateral),
            9 | 10 if self.room > 0 => self.join(),
            11 => self.function_item(),
            12 if self.room > 0 => {
                self.say("(");
                self.join();
                self.say(")");
            }
            _ => self.relation_item(),
        }
    }

    fn enter(&mut self, name: String, columns: Vec<Column>) {
        if let Some(scope) = self.scopes.last_mut() {
            scope.push(Source { name, columns });
        }
    }

    /// `[schema .] name`
    pub(super) fn relation_name(&mut self, schema: &str, name: &str) {
        if schema != "public" || self.dice.one_in(4) {
            self.name(schema);
            self.say(".");
        }
        self.name(name);
    }

    /// The name of any relation, alone.
    pub(super) fn only_relation(&mut self) {
        let relation = self.relation();
        self.say_one(&["", "", "", "ONLY"]);
        self.relation_name(&relation.schema, &relation.name);
    }

    /// An alias, perhaps; and perhaps other names for the first columns.
    fn aliased(&mut self, own: &str, mut columns: Vec<Column>, must: bool) {
        let name = match must || !self.dice.one_in(4) {
            true => {
                let alias = self.fresh("a");
                self.say_one(&["AS", ""]);
                self.name(&alias);
                if self.dice.one_in(8) && !columns.is_empty() {
                    let count = 1 + self.dice.below(columns.len());
                    let names: Vec<String> = (0..count).map(|_| self.fresh("c")).collect();
                    self.in_parentheses(|this| this.list(count, |this, number| this.name(&names[number])));
                    columns.iter_mut().zip(names).for_each(|(column, name)| column.name = name);
                }
                alias
            }
            false => own.to_owned(),
        };
        self.enter(name, columns);
    }

    fn relation_item(&mut self) {
        let relation = self.relation();
        let only = self.dice.one_in(10);
        match (only, self.dice.one_in(2)) {
            (true, true) => {
                self.say("ONLY (");
                self.relation_name(&relation.schema, &relation.name);
                self.say(")");
            }
            (true, false) => {
                self.say("ONLY");
                self.relation_name(&relation.schema, &relation.name);
            }
            _ => {
                self.relation_name(&relation.schema, &relation.name);
                if self.dice.one_in(20) {
                    self.say("*");
                }
            }
        }
        self.aliased(&relation.name, relation.columns.clone(), false);
        if self.range == Range::Everything && self.dice.one_in(15) {
            self.say_one(&[
                "TABLESAMPLE system ( 50 )",
                "TABLESAMPLE bernoulli ( 10 ) REPEATABLE ( 7 )",
                "TABLESAMPLE pg_catalog . system ( 1.5 )",
            ]);
        }
    }

    fn cte_item(&mut self) {
        let cte = self.dice.pick(&self.ctes).clone();
        self.name(&cte.name);
        self.aliased(&cte.name, cte.columns, false);
    }

    fn sub_select(&mut self, lateral: bool) {
        let kinds = self.kinds(3);
        let lateral = lateral && self.dice.one_in(2);
        if lateral {
            self.say("LATERAL");
        }
        self.say("(");
        let columns = match lateral {
            true => self.query(&kinds),
            // Its neighbours in FROM are not to be seen from inside.
            false => {
                let own = self.scopes.pop();
                let columns = self.query(&kinds);
                self.scopes.extend(own);
                columns
            }
        };
        self.locking();
        self.say(")");
        self.aliased("", columns, true);
    }

    fn join(&mut self) {
        self.deeper(|this| this.relation_item());
        match self.dice.below(6) {
            0 => {
                self.say_one(&["CROSS JOIN", "NATURAL JOIN", "NATURAL LEFT OUTER JOIN"]);
                self.deeper(|this| this.item(true));
            }
            _ => {
                self.say_one(&["JOIN", "INNER JOIN", "LEFT JOIN", "RIGHT OUTER JOIN", "FULL JOIN"]);
                self.deeper(|this| this.item(false));
                match self.dice.one_in(6) {
                    true => self.say_one(&["USING ( id )", "USING ( id ) AS j"]),
                    false => {
                        self.say("ON");
                        self.deeper(|this| this.simple(Kind::Boolean));
                    }
                }
            }
        }
    }

    fn function_item(&mut self) {
        let column = |name: &str, kind| Column { name: name.to_owned(), kind };
        let alias = self.fresh("f");
        match self.dice.below(8) {
            0 => {
                self.say("generate_series ( 1 , 3 ) AS");
                self.name(&alias);
                self.say("( n )");
                self.enter(alias, vec![column("n", Kind::Integer)]);
            }
            1 => {
                self.say("unnest ( ARRAY [ 1 , 2 ] , ARRAY [ 'a' , 'b' ] ) WITH ORDINALITY AS");
                self.name(&alias);
                self.say("( n , t , o )");
                let columns =
                    vec![column("n", Kind::Integer), column("t", Kind::Text), column("o", Kind::Integer)];
                self.enter(alias, columns);
            }
            2 => {
                self.say("ROWS FROM ( generate_series ( 1 , 2 ) , generate_series ( 3 , 5 ) ) AS");
                self.name(&alias);
                self.say("( n , m )");
                self.enter(alias, vec![column("n", Kind::Integer), column("m", Kind::Integer)]);
            }
            3 => {
                self.say("jsonb_to_recordset (");
                self.text("[{\"n\": 1, \"t\": \"it's\"}]");
                self.say(") AS");
                self.name(&alias);
                self.say("( n int , t text )");
                self.enter(alias, vec![column("n", Kind::Integer), column("t", Kind::Text)]);
            }
            4 => {
                self.say("LATERAL jsonb_each_text (");
                self.text("{\"a\": 1}");
                self.say(") AS");
                self.name(&alias);
                self.say("( k , t )");
                self.enter(alias, vec![column("k", Kind::Text), column("t", Kind::Text)]);
            }
            5 => {
                self.say("XMLTABLE ( '/r/i' PASSING");
                self.text("<r><i a=\"1\">x</i></r>");
                self.say("COLUMNS n int PATH '@a' , t text PATH '.' ) AS");
                self.name(&alias);
                self.enter(alias, vec![column("n", Kind::Integer), column("t", Kind::Text)]);
            }
            6 if self.range == Range::Everything => {
                self.say("JSON_TABLE ( jsonb");
                self.text("[1, 2]");
                self.say(", '$[*]' COLUMNS ( o FOR ORDINALITY , n int PATH '$' ) ) AS");
                self.name(&alias);
                self.enter(alias, vec![column("o", Kind::Integer), column("n", Kind::Integer)]);
            }
            _ => {
                self.say("( VALUES ( 1 , 'a' ) , ( 2 , 'b' ) ) AS");
                self.name(&alias);
                self.say("( n , t )");
                self.enter(alias, vec![column("n", Kind::Integer), column("t", Kind::Text)]);
            }
        }
    }
}
