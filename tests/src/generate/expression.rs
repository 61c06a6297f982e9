//! Expressions of a kind that is asked for.

use super::{Generator, Kind, Range};

/// Strings that are somebody's syntax.
const TEXTS: [&str; 14] = [
    "a",
    "",
    "it's",
    "%a_",
    "O''Brien",
    "\\",
    "\\'",
    "--",
    "/*",
    "$$",
    "é",
    "a\nb",
    ";",
    "'; DROP TABLE x; --",
];

impl Generator<'_> {
    /// An expression, as deep as there is room for.
    pub(super) fn expression(&mut self, kind: Kind) {
        if self.room == 0 || self.dice.one_in(3) {
            return self.simple(kind);
        }
        self.deeper(|this| match this.dice.below(9) {
            0 => this.in_parentheses(|this| this.expression(kind)),
            1 => this.scalar_query(kind),
            2 => this.case(kind),
            3 => {
                this.say_one(&["coalesce (", "greatest (", "least (", "nullif ("]);
                this.expression(kind);
                this.say(",");
                this.expression(kind);
                this.say(")");
            }
            4 => this.cast(kind),
            _ => this.compound(kind),
        });
    }

    /// A column or a constant.
    pub(super) fn simple(&mut self, kind: Kind) {
        if self.dice.one_in(4) || !self.column(kind) {
            self.constant(kind);
        }
    }

    /// A column of that kind in scope; was there one?
    fn column(&mut self, kind: Kind) -> bool {
        let fitting: Vec<(String, String)> = self
            .scopes
            .iter()
            .flatten()
            .flat_map(|source| source.columns.iter().map(move |column| (source, column)))
            .filter(|(_, column)| column.kind == kind)
            .map(|(source, column)| (source.name.clone(), column.name.clone()))
            .collect();
        if fitting.is_empty() {
            return false;
        }
        let (source, column) = self.dice.pick(&fitting).clone();
        self.qualified(&source, &column);
        true
    }

    /// Any column of the innermost FROM.
    pub(super) fn any_column(&mut self) {
        let kinds = Kind::ALL;
        let start = self.dice.below(kinds.len());
        if !(0..kinds.len()).any(|step| self.column(kinds[(start + step) % kinds.len()])) {
            self.say("1");
        }
    }

    fn qualified(&mut self, source: &str, column: &str) {
        match self.dice.below(10) {
            0 => self.name(column),
            1 => {
                self.say("(");
                self.name(source);
                self.say(") .");
                self.name(column);
            }
            _ => {
                self.name(source);
                self.say(".");
                self.name(column);
            }
        }
    }

    fn constant(&mut self, kind: Kind) {
        if self.range == Range::Everything && self.dice.one_in(25) {
            return self.say_one(&["$1", "$2", "DEFAULT", "$1 :: text"]);
        }
        match kind {
            Kind::Integer => self.say_one(&["0", "1", "2", "42", "- 1", "+ 3", "2147483647"]),
            Kind::Number => self.say_one(&["0.5", "1.", ".25", "1e2", "1.5e-3", "- 2.5", "100"]),
            Kind::Text => {
                let text = *self.dice.pick(&TEXTS);
                self.text(text);
            }
            Kind::Boolean => self.say_one(&["true", "false", "NOT false", "NULL :: bool", "bool 'yes'"]),
            Kind::Time => {
                self.say_one(&["timestamptz '2026-01-02'", "date '2025-05-05'", "'2024-03-01' :: date"])
            }
            Kind::Json => {
                self.say_one(&["jsonb", "json"]);
                let text = *self.dice.pick(&["{}", "{\"a\": [1, \"it's\"]}", "null", "[]"]);
                self.text(text);
            }
            Kind::Other => self.say_one(&[
                "NULL",
                "B'101'",
                "ARRAY [ 1 , 2 ]",
                "ROW ( 1 , 'a' )",
                "interval '1' day",
                "'10.0.0.1' :: inet",
                "point '(1,2)'",
                "ARRAY [ [ 1 ] , [ 2 ] ]",
            ]),
        }
    }

    fn scalar_query(&mut self, kind: Kind) {
        if self.dice.one_in(6) {
            self.say("ARRAY");
        }
        self.in_parentheses(|this| {
            this.query(&[kind]);
        });
    }

    fn case(&mut self, kind: Kind) {
        match self.dice.one_in(3) {
            true => {
                self.say("CASE");
                self.expression(Kind::Integer);
                self.say("WHEN 1 THEN");
            }
            false => {
                self.say("CASE WHEN");
                self.expression(Kind::Boolean);
                self.say("THEN");
            }
        }
        self.expression(kind);
        if self.dice.one_in(2) {
            self.say("ELSE");
            self.expression(kind);
        }
        self.say("END");
    }

    fn cast(&mut self, kind: Kind) {
        let types: &[&str] = match kind {
            Kind::Integer => &["int", "bigint", "pg_catalog . int4", "int8", "smallint"],
            Kind::Number => &["numeric", "numeric ( 10 , 2 )", "double precision", "real", "float8"],
            Kind::Text => {
                &["text", "varchar ( 20 )", "character varying", "char ( 3 )", "pg_catalog . text", "name"]
            }
            Kind::Boolean => &["bool", "boolean"],
            Kind::Time => &["timestamptz", "timestamp with time zone", "timestamp ( 3 )", "date"],
            Kind::Json => &["jsonb"],
            Kind::Other => {
                &["text [ ]", "int [ ] [ ]", "inet", "interval", "xml", "bit ( 3 )", "text ARRAY [ 2 ]"]
            }
        };
        let to = *self.dice.pick(types);
        match self.dice.below(3) {
            0 => {
                self.say("CAST (");
                self.expression(kind);
                self.say("AS");
                self.say(to);
                self.say(")");
            }
            1 => {
                self.in_parentheses(|this| this.expression(kind));
                self.say("::");
                self.say(to);
            }
            _ => {
                self.simple(kind);
                self.say("::");
                self.say(to);
            }
        }
    }

    /// `left operator right`, or a function of such.
    fn between(&mut self, kind: Kind, parts: &[&str]) {
        self.expression(kind);
        self.say_one(parts);
        self.expression(kind);
    }

    fn compound(&mut self, kind: Kind) {
        match kind {
            Kind::Integer => self.integer(),
            Kind::Number => self.between(kind, &["+", "-", "*", "%", "OPERATOR ( pg_catalog . + )", "^"]),
            Kind::Text => self.characters(),
            Kind::Boolean => self.condition(),
            Kind::Time => self.moment(),
            Kind::Json => self.json(),
            Kind::Other => self.other(),
        }
    }

    fn integer(&mut self) {
        match self.dice.below(8) {
            0..=2 => self.between(Kind::Integer, &["+", "-", "*", "+ -", "- -", "# ", "&", "|"]),
            3 => {
                self.say_one(&["length (", "char_length (", "octet_length (", "ascii ("]);
                self.expression(Kind::Text);
                self.say(")");
            }
            4 => {
                self.say("position (");
                self.simple(Kind::Text);
                self.say("IN");
                self.simple(Kind::Text);
                self.say(")");
            }
            5 => {
                self.say_one(&["extract ( year FROM", "extract ( 'month' FROM", "date_part ( 'day' ,"]);
                self.expression(Kind::Time);
                self.say(") :: int");
            }
            6 => {
                self.say("( ARRAY [ 1 , 2 , 3 ] ) [");
                self.expression(Kind::Integer);
                self.say_one(&["]", "] :: int"]);
            }
            _ => {
                self.say_one(&["@", "-", "+", "~", "- @"]);
                self.simple(Kind::Integer);
            }
        }
    }

    fn characters(&mut self) {
        match self.dice.below(9) {
            0 | 1 => self.between(Kind::Text, &["||"]),
            2 => {
                self.say_one(&["lower (", "upper (", "md5 (", "reverse (", "quote_literal (", "initcap ("]);
                self.expression(Kind::Text);
                self.say(")");
            }
            3 => {
                self.say("substring (");
                self.expression(Kind::Text);
                self.say_one(&[
                    "FROM 1 FOR 2 )",
                    ", 2 )",
                    "FROM 'a.' )",
                    "SIMILAR 'a#\"b#\"c' ESCAPE '#' )",
                    "FOR 2 )",
                ]);
            }
            4 => {
                self.say_one(&["trim ( BOTH 'x' FROM", "trim ( LEADING FROM", "trim (", "btrim ("]);
                self.expression(Kind::Text);
                self.say(")");
            }
            5 => {
                self.say("overlay (");
                self.simple(Kind::Text);
                self.say("PLACING 'x' FROM 1 FOR 1 )");
            }
            6 => {
                self.expression(Kind::Json);
                self.say_one(&["->> 'a'", "#>> '{a,0}'", "-> 'a' ->> 0"]);
            }
            7 => {
                self.say("concat (");
                let kinds = self.kinds(2);
                self.list(kinds.len(), |this, number| this.expression(kinds[number]));
                self.say(")");
            }
            _ => {
                self.simple(Kind::Text);
                self.say("COLLATE");
                self.name("C");
            }
        }
    }

    fn condition(&mut self) {
        const COMPARISONS: [&str; 9] =
            ["=", "<>", "!=", "<", ">", "<=", ">=", "IS DISTINCT FROM", "IS NOT DISTINCT FROM"];
        match self.dice.below(14) {
            0..=2 => {
                let kind = *self.dice.pick(&[Kind::Integer, Kind::Text, Kind::Number, Kind::Time]);
                self.between(kind, &COMPARISONS);
            }
            3 => self.between(Kind::Boolean, &["AND", "OR", "AND NOT", "OR NOT"]),
            4 => {
                let kinds = self.kinds(0);
                self.expression(kinds[0]);
                self.say_one(&["IS NULL", "IS NOT NULL", "ISNULL", "NOTNULL"]);
            }
            5 => self.between(
                Kind::Text,
                &["LIKE", "NOT ILIKE", "~", "!~*", "SIMILAR TO", "^@", "~~", "OPERATOR ( pg_catalog . ~~* )"],
            ),
            6 => {
                self.expression(Kind::Integer);
                self.say_one(&["BETWEEN", "NOT BETWEEN", "BETWEEN SYMMETRIC"]);
                self.simple(Kind::Integer);
                self.say("AND");
                self.simple(Kind::Integer);
            }
            7 => {
                self.expression(Kind::Integer);
                self.say_one(&["IN (", "NOT IN ("]);
                self.simple(Kind::Integer);
                self.say(", 2 )");
            }
            8 => {
                self.expression(Kind::Text);
                self.say_one(&["IN (", "NOT IN (", "= ANY (", "<> ALL (", "LIKE ANY (", "= SOME ("]);
                self.query(&[Kind::Text]);
                self.say(")");
            }
            9 => {
                self.say_one(&["EXISTS (", "NOT EXISTS ("]);
                let kinds = self.kinds(1);
                self.query(&kinds);
                self.say(")");
            }
            10 => {
                self.say("(");
                self.simple(Kind::Integer);
                self.say(",");
                self.simple(Kind::Text);
                self.say_one(&[") = (", ") < (", ") IN ("]);
                self.query(&[Kind::Integer, Kind::Text]);
                self.say(")");
            }
            11 => {
                self.in_parentheses(|this| this.expression(Kind::Boolean));
                self.say_one(&["IS TRUE", "IS NOT FALSE", "IS UNKNOWN", "IS NOT NULL"]);
            }
            12 => {
                self.expression(Kind::Json);
                self.say_one(&["@> '{}' :: jsonb", "? 'a'", "?| ARRAY [ 'a' ]", "@? '$.a'", "IS NOT NULL"]);
            }
            _ => {
                self.say("(");
                self.simple(Kind::Time);
                self.say(",");
                self.simple(Kind::Time);
                self.say(") OVERLAPS ( date '2024-01-01' , date '2026-01-01' )");
            }
        }
    }

    fn moment(&mut self) {
        match self.dice.below(5) {
            0 => {
                self.expression(Kind::Time);
                self.say_one(&["+ interval '1 day'", "- interval '1' hour", "+ interval ( 0 ) '2 s'"]);
            }
            1 => {
                self.say("date_trunc ( 'month' ,");
                self.expression(Kind::Time);
                self.say(")");
            }
            2 => {
                self.in_parentheses(|this| this.simple(Kind::Time));
                self.say_one(&[
                    "AT TIME ZONE 'UTC'",
                    "AT TIME ZONE interval '1 h'",
                    ":: timestamptz AT TIME ZONE 'UTC'",
                ]);
            }
            3 => self.say("make_date ( 2026 , 1 , 2 )"),
            _ => self.simple(Kind::Time),
        }
    }

    fn json(&mut self) {
        match self.dice.below(7) {
            0 => {
                self.say("jsonb_build_object ( 'k' ,");
                self.expression(Kind::Text);
                self.say(")");
            }
            1 => {
                self.say("to_jsonb (");
                let kinds = self.kinds(0);
                self.simple(kinds[0]);
                self.say(")");
            }
            2 => self.between(Kind::Json, &["||"]),
            3 => {
                self.simple(Kind::Json);
                self.say_one(&["-> 'a'", "#> '{a}'", "- 'a'", "-> 0"]);
            }
            4 if self.range == Range::Everything => {
                self.say_one(&[
                    "JSON_OBJECT ( 'k' :",
                    "JSON_OBJECT ( KEY 'k' VALUE",
                    "JSON_ARRAY ( 1 ,",
                    "JSON_SCALAR (",
                ]);
                self.simple(Kind::Text);
                self.say(")");
            }
            5 => {
                self.say("jsonb_build_array (");
                self.whole_row();
                self.say(")");
            }
            _ => self.simple(Kind::Json),
        }
    }

    /// A relation of FROM as a value.
    fn whole_row(&mut self) {
        let names: Vec<String> = self.scopes.iter().flatten().map(|source| source.name.clone()).collect();
        match names.is_empty() {
            true => self.say("NULL"),
            false => {
                let name = self.dice.pick(&names).clone();
                self.name(&name);
            }
        }
    }

    fn other(&mut self) {
        match self.dice.below(8) {
            0 => self.whole_row(),
            1 => {
                self.say("ARRAY [");
                self.expression(Kind::Integer);
                self.say(",");
                self.expression(Kind::Integer);
                self.say("]");
            }
            2 => {
                self.say("ROW (");
                self.expression(Kind::Text);
                self.say(",");
                self.whole_row();
                self.say(")");
            }
            3 => {
                self.say("xmlelement ( NAME e , xmlattributes (");
                self.expression(Kind::Text);
                self.say("AS a ) ,");
                self.expression(Kind::Text);
                self.say(")");
            }
            4 => {
                self.say("xmlforest (");
                self.expression(Kind::Text);
                self.say("AS a )");
            }
            5 => {
                self.in_parentheses(|this| this.whole_row());
                self.say(":: text");
            }
            6 => {
                self.say("string_to_array (");
                self.expression(Kind::Text);
                self.say(", ',' )");
                self.say_one(&["", "[ 1 ]", "[ 1 : 2 ]"]);
            }
            _ => {
                self.say("regexp_match (");
                self.expression(Kind::Text);
                self.say(", '(.)' )");
            }
        }
    }
}
