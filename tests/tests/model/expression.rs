//! Expressions of each class.

use crate::kinds::Class;
use crate::maker::Maker;
use crate::sql::{Node, Part, expr, sql};

impl Maker<'_> {
    /// An expression of the class; `depth` bounds how it nests.
    pub fn expression(&mut self, class: Class, depth: usize) -> Node {
        if depth == 0 || self.random.percent(25) {
            return self.leaf(class);
        }
        let depth = depth - 1;
        match class {
            Class::Text => self.text(depth),
            Class::Int => self.int(depth),
            Class::Num => self.num(depth),
            Class::Bool => self.condition(depth),
            Class::Date => self.date(depth),
            Class::Json => self.json(depth),
            Class::Jsonb => self.jsonb(depth),
            Class::Texts => self.texts(depth),
            _ => self.other(class, depth),
        }
    }

    /// An expression of any class, of those in scope in the first place.
    pub fn anything(&mut self, depth: usize) -> Node {
        let class = if self.random.percent(80) { self.class_here() } else { self.any_class() };
        self.expression(class, depth)
    }

    /// What every class has.
    fn general(&mut self, class: Class, depth: usize) -> Node {
        match self.random.below(4) {
            0 => {
                let condition = self.condition(depth);
                let (yes, no) = (self.expression(class, depth), self.expression(class, depth));
                expr![class; "CASE WHEN ", condition, " THEN ", yes, " ELSE ", no, " END"]
            }
            1 => {
                let (one, other) = (self.expression(class, depth), self.expression(class, depth));
                expr![class; "COALESCE(", one, ", ", other, ")"]
            }
            2 if !matches!(class, Class::Json) => {
                let (one, other) = (self.expression(class, depth), self.leaf(class));
                expr![class; "NULLIF(", one, ", ", other, ")"]
            }
            _ => self.scalar(class, depth).unwrap_or_else(|| self.leaf(class)),
        }
    }

    fn other(&mut self, class: Class, depth: usize) -> Node {
        match class {
            Class::Time if self.random.percent(40) => {
                let date = self.expression(Class::Date, depth);
                expr![class; "(", date, ")::timestamp"]
            }
            Class::Time if self.random.percent(40) => {
                let time = self.leaf(Class::Time);
                expr![class; "date_trunc('month', ", time, ")"]
            }
            Class::TimeZone if self.random.percent(40) => {
                let time = self.leaf(Class::TimeZone);
                expr![class; time, " + interval '25 hours'"]
            }
            Class::Uuid if self.random.percent(30) => {
                let text = self.expression(Class::Text, depth);
                expr![class; "md5(", text, ")::uuid"]
            }
            Class::Inet if self.random.percent(30) => {
                let address = self.leaf(Class::Inet);
                expr![class; "set_masklen(", address, ", 8)"]
            }
            Class::Bytea if self.random.percent(50) => {
                let text = self.expression(Class::Text, depth);
                expr![class; "sha256(convert_to(", text, ", 'UTF8'))"]
            }
            Class::Ints if self.random.percent(40) => {
                let (one, other) = (self.leaf(Class::Int), self.leaf(Class::Int));
                expr![class; "ARRAY[", one, ", ", other, "]"]
            }
            _ => self.general(class, depth),
        }
    }

    pub fn text(&mut self, depth: usize) -> Node {
        let class = Class::Text;
        match self.random.below(19) {
            0 | 1 => {
                let function = *self.random.pick(&[
                    "upper",
                    "lower",
                    "reverse",
                    "md5",
                    "initcap",
                    "btrim",
                    "quote_literal",
                ]);
                let text = self.expression(class, depth);
                expr![class; function, "(", text, ")"]
            }
            2 => {
                let (one, other) = (self.expression(class, depth), self.expression(class, depth));
                expr![class; "(", one, ") || (", other, ")"]
            }
            3 => {
                let function = *self.random.pick(&["left", "right", "substr", "repeat"]);
                let count = *self.random.pick(&["1", "2", "4"]);
                let text = self.expression(class, depth);
                expr![class; function, "(", text, ", ", count, ")"]
            }
            4 => {
                let text = self.expression(class, depth);
                expr![class; "replace(", text, ", 'a', 'o')"]
            }
            5 => {
                let text = self.expression(class, depth);
                expr![class; "split_part(", text, ", '@', 1)"]
            }
            6..=8 => {
                let any = self.anything(depth);
                match self.random.below(2) {
                    0 => expr![class; "(", any, ")::text"],
                    _ => expr![class; "CAST(", any, " AS varchar(20))"],
                }
            }
            9 => {
                let function = *self.random.pick(&["GREATEST", "LEAST"]);
                let (one, other) = (self.expression(class, depth), self.expression(class, depth));
                expr![class; function, "(", one, ", ", other, ")"]
            }
            10 => {
                let (one, other) = (self.anything(depth), self.anything(depth));
                match self.random.below(2) {
                    0 => expr![class; "concat_ws('|', ", one, ", ", other, ")"],
                    _ => expr![class; "format('%s/%s', ", one, ", ", other, ")"],
                }
            }
            11 | 12 => match self.row() {
                Some(item) => match self.random.below(4) {
                    0 => expr![class; format!("{}::text", item.alias)],
                    1 => expr![class; format!("row_to_json({})::text", item.alias)],
                    2 => {
                        let (name, _) = self.random.pick(&item.columns).clone();
                        let name = name.trim_matches('"').replace("\"\"", "\"").replace('\'', "''");
                        expr![class; format!("to_jsonb({}) ->> '{name}'", item.alias)]
                    }
                    _ => expr![class; format!("ROW({}.*)::text", item.alias)],
                },
                None => self.leaf(class),
            },
            13 => {
                let text = self.expression(class, depth);
                let pattern = *self.random.pick(&["'[aeiou]+'", "'^.'", "'\\d'", "'(.)\\1'"]);
                expr![class; "regexp_replace(", text, ", ", pattern, ", '#', 'g')"]
            }
            14 => {
                let texts = self.expression(Class::Texts, depth);
                expr![class; "array_to_string(", texts, ", ',', '-')"]
            }
            15 => {
                let json = self.leaf(Class::Jsonb);
                let key = *self.random.pick(&["->> 'a'", "#>> '{a,0}'", "->> 0"]);
                expr![class; "(", json, ") ", key]
            }
            16 => {
                let (tested, one, other) = (self.leaf(class), self.leaf(class), self.leaf(class));
                expr![class; "CASE ", tested, " WHEN ", one, " THEN 'same' WHEN ", other, " THEN 'other' ELSE 'none' END"]
            }
            17 => {
                let text = self.expression(class, depth);
                expr![class; "(", text, " COLLATE \"C\")"]
            }
            _ => self.general(class, depth),
        }
    }

    fn int(&mut self, depth: usize) -> Node {
        let class = Class::Int;
        match self.random.below(12) {
            0 | 1 => {
                let function = *self.random.pick(&["length", "octet_length", "ascii"]);
                let text = self.expression(Class::Text, depth);
                expr![class; function, "(", text, ")"]
            }
            2 => {
                let text = self.expression(Class::Text, depth);
                expr![class; "position('a' IN ", text, ")"]
            }
            3 => {
                let operator = *self.random.pick(&["+", "-"]);
                let (one, other) = (self.expression(class, depth), self.leaf(class));
                expr![class; "(", one, " ", operator, " ", other, ")"]
            }
            4 => {
                let number = self.expression(class, depth);
                expr![class; "(", number, " % 7)"]
            }
            5 => {
                let date = self.expression(Class::Date, depth);
                expr![class; "EXTRACT(year FROM ", date, ")::int"]
            }
            6 => {
                let texts = self.expression(Class::Texts, depth);
                expr![class; "cardinality(", texts, ")"]
            }
            7 if self.random.percent(25) => {
                // Most texts are no numbers, and some masks are.
                let text = self.leaf(Class::Text);
                expr![class; "(", text, ")::int"]
            }
            7 if self.random.percent(20) => {
                let (one, other) = (self.leaf(class), self.leaf(class));
                expr![class; "(", one, " / ", other, ")"]
            }
            8 => self.count(depth).unwrap_or_else(|| self.leaf(class)),
            9 => {
                let condition = self.condition(depth);
                expr![class; "(", condition, ")::int"]
            }
            _ => self.general(class, depth),
        }
    }

    fn num(&mut self, depth: usize) -> Node {
        let class = Class::Num;
        match self.random.below(6) {
            0 => {
                let (one, other) = (self.expression(class, depth), self.leaf(class));
                expr![class; "(", one, " + ", other, ")"]
            }
            1 => {
                let number = self.expression(class, depth);
                expr![class; "round(", number, ", 1)"]
            }
            2 => {
                let number = self.expression(Class::Int, depth);
                expr![class; "(", number, ")::numeric"]
            }
            3 => {
                let number = self.expression(class, depth);
                expr![class; "abs(", number, ")"]
            }
            _ => self.general(class, depth),
        }
    }

    fn date(&mut self, depth: usize) -> Node {
        let class = Class::Date;
        match self.random.below(4) {
            0 => {
                let date = self.expression(class, depth);
                expr![class; "(", date, " + 1)"]
            }
            1 => {
                let time = self.leaf(Class::Time);
                expr![class; "(", time, ")::date"]
            }
            2 => {
                let (one, other) = (self.expression(class, depth), self.leaf(class));
                expr![class; "GREATEST(", one, ", ", other, ")"]
            }
            _ => self.general(class, depth),
        }
    }

    fn json(&mut self, depth: usize) -> Node {
        let class = Class::Json;
        match self.random.below(4) {
            0 => match self.row() {
                Some(item) => expr![class; format!("row_to_json({})", item.alias)],
                None => self.leaf(class),
            },
            1 => {
                let any = self.anything(depth);
                expr![class; "json_build_object('k', ", any, ")"]
            }
            2 => {
                let any = self.anything(depth);
                expr![class; "to_json(", any, ")"]
            }
            _ => self.general(class, depth),
        }
    }

    fn jsonb(&mut self, depth: usize) -> Node {
        let class = Class::Jsonb;
        match self.random.below(4) {
            0 => match self.row() {
                Some(item) => expr![class; format!("to_jsonb({})", item.alias)],
                None => self.leaf(class),
            },
            1 => {
                let any = self.anything(depth);
                expr![class; "jsonb_build_object('k', ", any, ")"]
            }
            2 => {
                let any = self.anything(depth);
                expr![class; "to_jsonb(", any, ")"]
            }
            _ => self.general(class, depth),
        }
    }

    fn texts(&mut self, depth: usize) -> Node {
        let class = Class::Texts;
        match self.random.below(4) {
            0 => {
                let (one, other) = (self.expression(Class::Text, depth), self.leaf(Class::Text));
                expr![class; "ARRAY[", one, ", ", other, "]"]
            }
            1 => {
                let text = self.expression(Class::Text, depth);
                expr![class; "string_to_array(", text, ", ' ')"]
            }
            2 => {
                let (texts, text) = (self.leaf(class), self.leaf(Class::Text));
                expr![class; "array_append(", texts, ", (", text, ")::text)"]
            }
            _ => self.general(class, depth),
        }
    }

    /// Classes that have an order.
    fn ordered_class(&mut self) -> Class {
        let class = self.class_here();
        if matches!(class, Class::Json) { Class::Int } else { class }
    }

    pub fn condition(&mut self, depth: usize) -> Node {
        let class = Class::Bool;
        let inner = depth.saturating_sub(1);
        match self.random.below(20) {
            0..=2 => {
                let of = self.ordered_class();
                let operator = *self.random.pick(&["=", "=", "<>", "<", "<=", ">", ">="]);
                let (one, other) = (self.expression(of, inner), self.leaf(of));
                expr![class; "(", one, ") ", operator, " ", other]
            }
            3 | 4 => {
                let operator =
                    *self.random.pick(&["LIKE", "ILIKE", "NOT LIKE", "~", "~*", "!~", "SIMILAR TO"]);
                let text = self.leaf(Class::Text);
                let pattern =
                    *self.random.pick(&["'a%'", "'%n%'", "'***'", "'_nn'", "'%@%.com'", "'tok%'", "'.nn.*'"]);
                // Three stars are no regular expression.
                let pattern = if operator.contains(['~', 'S']) { "'n+'" } else { pattern };
                expr![class; text, " ", operator, " ", pattern]
            }
            5 => {
                let any = self.anything(inner);
                let test = *self.random.pick(&["IS NULL", "IS NOT NULL"]);
                expr![class; "(", any, ") ", test]
            }
            6 => {
                let of = self.ordered_class();
                let (one, other) = (self.leaf(of), self.leaf(of));
                let test = *self.random.pick(&["IS DISTINCT FROM", "IS NOT DISTINCT FROM"]);
                expr![class; one, " ", test, " ", other]
            }
            7 => {
                let of = self.ordered_class();
                let tested = self.expression(of, inner);
                let list = (0..1 + self.random.below(3)).map(|_| self.leaf(of)).collect();
                let not = *self.random.pick(&["", "NOT "]);
                expr![class; "(", tested, ") ", not, "IN (", Part::List(list, ", "), ")"]
            }
            8 => {
                let of = self.ordered_class();
                let form = *self.random.pick(&["BETWEEN", "NOT BETWEEN", "BETWEEN SYMMETRIC"]);
                let (tested, low, high) = (self.leaf(of), self.literal(of), self.literal(of));
                expr![class; tested, " ", form, " ", low, " AND ", high]
            }
            9 => {
                let (text, texts) = (self.leaf(Class::Text), self.leaf(Class::Texts));
                expr![class; "(", text, ")::text = ANY (", texts, ")"]
            }
            10 if depth > 0 => self.exists(inner).unwrap_or_else(|| self.leaf(class)),
            11 if depth > 0 => {
                let of = *self.random.pick(&[Class::Text, Class::Int, Class::Date, Class::Uuid]);
                let tested = self.leaf(of);
                let form = *self.random.pick(&["IN", "NOT IN", "= ANY", "<> ALL", "= SOME"]);
                match self.column_of_subquery(of, inner) {
                    Some(query) => expr![class; tested, " ", form, " (", query, ")"],
                    None => self.leaf(class),
                }
            }
            12 | 13 if depth > 0 => {
                let word = *self.random.pick(&[" AND ", " OR "]);
                let parts = (0..2 + self.random.below(2)).map(|_| {
                    let part = self.condition(inner);
                    expr![class; "(", part, ")"]
                });
                let parts: Vec<Node> = parts.collect();
                expr![class; Part::List(parts, word)]
            }
            14 => {
                let condition = self.expression(class, inner);
                expr![class; "NOT (", condition, ")"]
            }
            15 => {
                let of = self.ordered_class();
                let (a, b) = (self.leaf(of), self.leaf(Class::Int));
                let (c, d) = (self.leaf(of), self.leaf(Class::Int));
                let operator = *self.random.pick(&["=", "<>", "<"]);
                expr![class; "(", a, ", ", b, ") ", operator, " (", c, ", ", d, ")"]
            }
            16 => {
                let test = *self.random.pick(&["IS TRUE", "IS NOT FALSE", "IS UNKNOWN"]);
                let condition = self.leaf(class);
                expr![class; "(", condition, ") ", test]
            }
            17 => {
                let (one, other) = (self.leaf(Class::Texts), self.literal(Class::Texts));
                let operator = *self.random.pick(&["&&", "@>", "<@"]);
                expr![class; one, " ", operator, " ", other]
            }
            18 => {
                let text = self.leaf(Class::Text);
                expr![class; "starts_with(", text, ", 'A')"]
            }
            _ => self.leaf(class),
        }
    }

    /// A sub-select of one value.
    fn scalar(&mut self, class: Class, depth: usize) -> Option<Node> {
        if depth == 0 {
            return None;
        }
        let inner = depth - 1;
        let function = match class {
            Class::Text | Class::Int | Class::Date | Class::Time | Class::TimeZone => "max",
            Class::Bool => "bool_or",
            _ => return None,
        };
        let (from, filter, value) = self.sub(|maker| maker.expression(class, inner), inner)?;
        Some(expr![class; "(SELECT ", function, "(", value, ") FROM ", from, filter, ")"])
    }

    fn count(&mut self, depth: usize) -> Option<Node> {
        if depth == 0 {
            return None;
        }
        let (from, filter, value) = self.sub(|maker| maker.anything(0), depth - 1)?;
        let value = match self.random.below(2) {
            0 => sql!["*"],
            _ => sql![value],
        };
        Some(expr![Class::Int; "(SELECT count(", value, ") FROM ", from, filter, ")"])
    }

    fn exists(&mut self, depth: usize) -> Option<Node> {
        let (from, filter, value) = self.sub(|maker| maker.anything(0), depth)?;
        Some(expr![Class::Bool; "EXISTS (SELECT ", value, " FROM ", from, filter, ")"])
    }

    /// A query with one column, for IN.
    fn column_of_subquery(&mut self, class: Class, depth: usize) -> Option<Node> {
        let (from, filter, value) = self.sub(|maker| maker.leaf(class), depth)?;
        Some(sql!["SELECT ", value, " FROM ", from, filter])
    }

    /// FROM, WHERE and an expression of a sub-select.
    fn sub(&mut self, value: impl FnOnce(&mut Self) -> Node, depth: usize) -> Option<(Node, Part, Node)> {
        if self.alone || self.scopes.len() > 3 {
            return None;
        }
        self.scopes.push(Vec::new());
        let from = self.item_from(depth.min(1), false);
        let filter = self.condition(depth.min(1));
        let value = value(self);
        self.scopes.pop();
        Some((from, Part::Optional(sql![" WHERE ", filter]), value))
    }
}
