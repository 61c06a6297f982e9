//! SELECT, VALUES, TABLE, set operations and WITH.

use super::{Column, Generator, Kind, Range, Source};

impl Generator<'_> {
    /// A query that may have any columns.
    pub(super) fn any_query(&mut self) {
        match self.dice.below(12) {
            0 => {
                self.say("TABLE");
                self.only_relation();
            }
            1 | 2 => self.starred(),
            _ => {
                let kinds = self.kinds(4);
                self.query(&kinds);
            }
        }
    }

    /// `SELECT *` and its like: what it shows is not said.
    fn starred(&mut self) {
        self.with();
        self.say("SELECT");
        let start = self.out.len();
        self.scopes.push(Vec::new());
        self.say_from(1);
        let from = self.out.split_off(start);
        let aliases: Vec<String> =
            self.scopes.last().into_iter().flatten().map(|source| source.name.clone()).collect();
        match aliases.is_empty() {
            true => self.say("1"),
            false => {
                let alias = self.dice.pick(&aliases).clone();
                match self.dice.below(7) {
                    0 | 1 => self.say("*"),
                    2 => {
                        self.name(&alias);
                        self.say(". *");
                    }
                    3 => self.name(&alias),
                    4 => {
                        self.say("(");
                        self.name(&alias);
                        self.say(") . *");
                    }
                    5 => {
                        self.say_one(&["to_jsonb (", "row_to_json (", "count ("]);
                        self.name(&alias);
                        self.say(")");
                    }
                    _ => {
                        self.say("ROW (");
                        self.name(&alias);
                        self.say(". * )");
                    }
                }
            }
        }
        self.out.extend(from);
        self.where_clause();
        self.scopes.pop();
        self.say_one(&["ORDER BY 1 LIMIT 3", "LIMIT 5", "", "OFFSET 1 ROW FETCH FIRST 2 ROWS ONLY"]);
        self.ctes.clear();
    }

    /// A query with columns of these kinds; their names.
    pub(super) fn query(&mut self, kinds: &[Kind]) -> Vec<Column> {
        let outer = self.ctes.len();
        if self.dice.one_in(4) && self.room > 1 {
            self.with();
        }
        let columns = match self.dice.below(8) {
            0 if self.room > 1 => {
                let columns = self.deeper(|this| this.operand(kinds));
                for _ in 0..=self.dice.below(2) {
                    self.say_one(&[
                        "UNION ALL",
                        "UNION",
                        "INTERSECT",
                        "EXCEPT",
                        "UNION DISTINCT",
                        "EXCEPT ALL",
                    ]);
                    self.deeper(|this| this.operand(kinds));
                }
                columns
            }
            1 => self.values(kinds),
            _ => self.select(kinds),
        };
        if self.dice.one_in(3) {
            self.say_one(&[
                "ORDER BY 1",
                "ORDER BY 1 DESC NULLS LAST",
                "ORDER BY 1 ASC NULLS FIRST",
                "ORDER BY 1 USING <",
            ]);
        }
        if self.dice.one_in(3) {
            self.say_one(&[
                "LIMIT 3",
                "LIMIT ALL",
                "OFFSET 1",
                "LIMIT 2 OFFSET 1",
                "FETCH FIRST ROW ONLY",
                "OFFSET 1 ROWS FETCH NEXT 2 ROWS ONLY",
                "LIMIT ( SELECT 2 )",
                "LIMIT 1 + 1",
            ]);
        }
        self.ctes.truncate(outer);
        columns
    }

    fn operand(&mut self, kinds: &[Kind]) -> Vec<Column> {
        match self.dice.one_in(3) {
            true => {
                self.say("(");
                let columns = self.query(kinds);
                self.say(")");
                columns
            }
            false => self.select(kinds),
        }
    }

    fn with(&mut self) {
        if self.room == 0 || self.dice.one_in(3) {
            return;
        }
        self.say_one(&["WITH", "WITH", "WITH RECURSIVE"]);
        let count = 1 + self.dice.below(2);
        self.list(count, |this, _| {
            let name = this.fresh("w");
            this.name(&name);
            let kinds = this.kinds(3);
            let renamed = this.dice.one_in(3);
            let names: Vec<String> = kinds.iter().map(|_| this.fresh("wc")).collect();
            if renamed {
                this.in_parentheses(|this| this.list(names.len(), |this, number| this.name(&names[number])));
            }
            this.say_one(&["AS (", "AS (", "AS MATERIALIZED (", "AS NOT MATERIALIZED ("]);
            let mut columns = this.deeper(|this| {
                let scopes = std::mem::take(&mut this.scopes);
                let columns = this.query(&kinds);
                this.scopes = scopes;
                columns
            });
            this.say(")");
            if renamed {
                columns.iter_mut().zip(names).for_each(|(column, name)| column.name = name);
            }
            this.ctes.push(Source { name, columns });
        });
    }

    fn values(&mut self, kinds: &[Kind]) -> Vec<Column> {
        self.say("VALUES");
        let rows = 1 + self.dice.below(2);
        self.list(rows, |this, _| {
            this.in_parentheses(|this| {
                this.list(kinds.len(), |this, number| this.deeper(|this| this.expression(kinds[number])));
            });
        });
        let column =
            |(number, kind): (usize, &Kind)| Column { name: format!("column{}", number + 1), kind: *kind };
        kinds.iter().enumerate().map(column).collect()
    }

    fn select(&mut self, kinds: &[Kind]) -> Vec<Column> {
        self.say("SELECT");
        let distinct = self.dice.one_in(10);
        if distinct {
            self.say_one(&["DISTINCT", "DISTINCT ON ( 1 )", "ALL"]);
        }
        // FROM is made first, and said after what it is selected from.
        let start = self.out.len();
        self.scopes.push(Vec::new());
        if !self.dice.one_in(8) {
            let most = 1 + self.dice.below(2);
            self.say_from(most);
        }
        let from = self.out.split_off(start);
        let grouped = !from.is_empty() && self.dice.one_in(6);
        let mut columns = Vec::new();
        self.list(kinds.len(), |this, number| {
            let kind = kinds[number];
            match () {
                () if grouped => this.aggregate(kind),
                () if kind == Kind::Integer && this.dice.one_in(10) => this.window(),
                () => this.deeper(|this| this.expression(kind)),
            }
            let name = this.fresh("x");
            // A word that is a keyword elsewhere is a label here without AS.
            if this.dice.one_in(3) {
                this.say("AS");
            }
            this.name(&name);
            columns.push(Column { name, kind });
        });
        self.out.extend(from);
        self.where_clause();
        if grouped {
            self.group_by();
        }
        self.scopes.pop();
        columns
    }

    pub(super) fn where_clause(&mut self) {
        if self.dice.one_in(2) {
            self.say("WHERE");
            self.deeper(|this| this.expression(Kind::Boolean));
        }
    }

    fn group_by(&mut self) {
        if self.dice.one_in(2) {
            self.say("GROUP BY");
            self.say_one(&["", "", "DISTINCT", "ALL"]);
            let count = 1 + self.dice.below(2);
            self.list(count, |this, _| match this.dice.below(6) {
                0 => this.say("( )"),
                1 => {
                    this.say_one(&["ROLLUP (", "CUBE ("]);
                    this.any_column();
                    this.say(",");
                    this.any_column();
                    this.say(")");
                }
                2 => {
                    this.say("GROUPING SETS ( (");
                    this.any_column();
                    this.say(") , ( ) , ROLLUP (");
                    this.any_column();
                    this.say(") )");
                }
                _ => this.any_column(),
            });
        }
        if self.dice.one_in(3) {
            self.say("HAVING count ( * ) > 0 AND");
            self.aggregate(Kind::Boolean);
        }
    }

    fn aggregate(&mut self, kind: Kind) {
        let argument = |this: &mut Self, kind| this.deeper(|this| this.simple(kind));
        match kind {
            Kind::Integer => match self.dice.below(4) {
                0 => self.say("count ( * )"),
                1 => {
                    self.say("count ( DISTINCT");
                    argument(self, Kind::Text);
                    self.say(")");
                }
                _ => {
                    self.say_one(&["max (", "min (", "count ("]);
                    argument(self, Kind::Integer);
                    self.say(")");
                }
            },
            Kind::Number => {
                self.say_one(&["avg (", "sum (", "max (", "stddev ("]);
                argument(self, Kind::Number);
                self.say(")");
            }
            Kind::Text => {
                self.say("string_agg (");
                argument(self, Kind::Text);
                self.say(", ',' ORDER BY");
                argument(self, Kind::Text);
                self.say(")");
            }
            Kind::Boolean => {
                self.say_one(&["bool_or (", "bool_and (", "every ("]);
                argument(self, Kind::Boolean);
                self.say(")");
            }
            Kind::Time => {
                self.say_one(&["max (", "min ("]);
                argument(self, Kind::Time);
                self.say(")");
            }
            Kind::Json => {
                self.say("jsonb_agg (");
                argument(self, Kind::Text);
                self.say(")");
            }
            Kind::Other => {
                self.say("array_agg (");
                argument(self, Kind::Integer);
                self.say(")");
            }
        }
        if self.dice.one_in(5) {
            self.say("FILTER ( WHERE");
            argument(self, Kind::Boolean);
            self.say(")");
        }
    }

    fn window(&mut self) {
        self.say_one(&["row_number ( )", "rank ( )", "dense_rank ( )", "count ( * )", "ntile ( 2 )"]);
        self.say("OVER (");
        if self.dice.one_in(2) {
            self.say("PARTITION BY");
            self.any_column();
        }
        self.say("ORDER BY");
        self.any_column();
        self.say_one(&[
            "",
            "DESC",
            "ROWS BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW",
            "RANGE UNBOUNDED PRECEDING EXCLUDE TIES",
            "GROUPS BETWEEN 1 PRECEDING AND 1 FOLLOWING EXCLUDE CURRENT ROW",
        ]);
        self.say(")");
    }

    /// FOR UPDATE and its like belong at the end of a query of its own.
    pub(super) fn locking(&mut self) {
        if self.range == Range::Everything && self.dice.one_in(6) {
            self.say_one(&[
                "FOR UPDATE",
                "FOR NO KEY UPDATE NOWAIT",
                "FOR SHARE SKIP LOCKED",
                "FOR KEY SHARE",
                "FOR READ ONLY",
            ]);
        }
    }
}
