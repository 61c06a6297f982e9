//! INSERT, UPDATE, DELETE and MERGE.

use super::{Column, Generator, Kind, Relation, Source};

impl Generator<'_> {
    pub(super) fn write(&mut self) {
        let writable: Vec<Relation> =
            self.schema.relations.iter().filter(|relation| relation.writable).cloned().collect();
        if writable.is_empty() {
            return self.any_query();
        }
        let target = self.dice.pick(&writable).clone();
        if self.dice.one_in(6) {
            self.say("WITH");
            let name = self.fresh("w");
            self.name(&name);
            self.say("AS (");
            let kinds = self.kinds(2);
            let columns = self.deeper(|this| this.query(&kinds));
            self.say(")");
            self.ctes.push(Source { name, columns });
        }
        match self.dice.below(8) {
            0..=2 => self.insert(&target),
            3..=5 => self.update(&target),
            6 => self.delete(&target),
            _ => self.merge(&target),
        }
    }

    fn some_columns(&mut self, target: &Relation) -> Vec<Column> {
        let start = self.dice.below(target.columns.len());
        let count = 1 + self.dice.below(3.min(target.columns.len() - start));
        target.columns[start..start + count].to_vec()
    }

    fn insert(&mut self, target: &Relation) {
        self.say("INSERT INTO");
        self.relation_name(&target.schema, &target.name);
        let alias = self.dice.one_in(4).then(|| self.fresh("t"));
        if let Some(alias) = &alias {
            self.say("AS");
            self.name(alias);
        }
        let columns = self.some_columns(target);
        self.in_parentheses(|this| this.list(columns.len(), |this, number| this.name(&columns[number].name)));
        self.say_one(&["", "", "", "OVERRIDING SYSTEM VALUE", "OVERRIDING USER VALUE"]);
        let kinds: Vec<Kind> = columns.iter().map(|column| column.kind).collect();
        self.deeper(|this| this.query(&kinds));
        let name = alias.unwrap_or_else(|| target.name.clone());
        self.scopes.push(vec![Source { name, columns: target.columns.clone() }]);
        match self.dice.below(6) {
            0 => self.say_one(&["ON CONFLICT DO NOTHING", "ON CONFLICT ( id ) DO NOTHING"]),
            1 => {
                self.say("ON CONFLICT ( id ) DO UPDATE SET");
                self.assign(&columns[0]);
                self.where_clause();
            }
            _ => {}
        }
        self.returning();
        self.scopes.pop();
    }

    fn assign(&mut self, column: &Column) {
        self.name(&column.name);
        self.say("=");
        match self.dice.below(6) {
            0 => self.say("DEFAULT"),
            1 => {
                self.say("excluded .");
                self.name(&column.name);
            }
            _ => self.deeper(|this| this.expression(column.kind)),
        }
    }

    fn returning(&mut self) {
        if self.dice.one_in(3) {
            self.say("RETURNING");
            match self.dice.below(3) {
                0 => self.say("*"),
                _ => {
                    let kinds = self.kinds(2);
                    self.list(kinds.len(), |this, number| this.deeper(|this| this.expression(kinds[number])));
                }
            }
        }
    }

    fn aliased_target(&mut self, target: &Relation) {
        self.say_one(&["", "", "ONLY"]);
        self.relation_name(&target.schema, &target.name);
        let name = match self.dice.one_in(2) {
            true => {
                let alias = self.fresh("t");
                self.say_one(&["AS", ""]);
                self.name(&alias);
                alias
            }
            false => target.name.clone(),
        };
        self.scopes.push(vec![Source { name, columns: target.columns.clone() }]);
    }

    fn update(&mut self, target: &Relation) {
        self.say("UPDATE");
        self.aliased_target(target);
        self.say("SET");
        let columns = self.some_columns(target);
        match self.dice.one_in(4) {
            true => {
                self.in_parentheses(|this| {
                    this.list(columns.len(), |this, number| this.name(&columns[number].name))
                });
                self.say_one(&["=", "= ROW"]);
                let as_row = self.dice.one_in(2);
                self.in_parentheses(|this| {
                    let kinds: Vec<Kind> = columns.iter().map(|column| column.kind).collect();
                    match as_row {
                        true => this.list(kinds.len(), |this, number| this.simple(kinds[number])),
                        false => drop(this.deeper(|this| this.query(&kinds))),
                    }
                });
            }
            false => self.list(columns.len(), |this, number| this.assign(&columns[number])),
        }
        if self.dice.one_in(3) {
            self.say_from(1);
        }
        self.where_or_current();
        self.returning();
        self.scopes.pop();
    }

    fn where_or_current(&mut self) {
        match self.dice.one_in(20) {
            true => self.say("WHERE CURRENT OF cur"),
            false => self.where_clause(),
        }
    }

    fn delete(&mut self, target: &Relation) {
        self.say("DELETE FROM");
        self.aliased_target(target);
        if self.dice.one_in(3) {
            let start = self.out.len();
            self.say_from(1);
            let mut using = self.out.split_off(start);
            using.remove(0);
            self.say("USING");
            self.out.extend(using);
        }
        self.where_or_current();
        self.returning();
        self.scopes.pop();
    }

    fn merge(&mut self, target: &Relation) {
        self.say("MERGE INTO");
        self.aliased_target(target);
        self.say("USING (");
        let own = self.scopes.pop();
        let columns = self.deeper(|this| this.query(&[Kind::Integer, Kind::Text]));
        self.say(") AS");
        let source = self.fresh("s");
        self.name(&source);
        self.scopes.extend(own);
        self.scopes.push(vec![Source { name: source, columns }]);
        self.say("ON");
        self.deeper(|this| this.expression(Kind::Boolean));
        for _ in 0..=self.dice.below(2) {
            let column = self.dice.pick(&target.columns).clone();
            match self.dice.below(5) {
                0 => self.say("WHEN MATCHED THEN DELETE"),
                1 => self.say("WHEN NOT MATCHED THEN DO NOTHING"),
                2 => {
                    self.say("WHEN MATCHED AND");
                    self.deeper(|this| this.simple(Kind::Boolean));
                    self.say("THEN UPDATE SET");
                    self.assign(&column);
                }
                3 => self.say("WHEN NOT MATCHED THEN INSERT DEFAULT VALUES"),
                _ => {
                    self.say("WHEN NOT MATCHED THEN INSERT (");
                    self.name(&column.name);
                    self.say(") VALUES (");
                    self.deeper(|this| this.constant_of(column.kind));
                    self.say(")");
                }
            }
        }
        self.scopes.truncate(self.scopes.len().saturating_sub(2));
    }

    fn constant_of(&mut self, kind: Kind) {
        let scopes = std::mem::take(&mut self.scopes);
        self.simple(kind);
        self.scopes = scopes;
    }
}
