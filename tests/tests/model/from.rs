//! FROM clauses.

use crate::kinds::Class;
use crate::maker::{Item, Maker};
use crate::sql::{Node, Part, sql};
use crate::world::{Shape, ident};

impl Maker<'_> {
    /// One to three things, joined; they are in the innermost scope from then on.
    pub fn clause_from(&mut self, depth: usize) -> Node {
        let mut from = self.item_from(depth, false);
        for _ in 0..*self.random.pick(&[0, 0, 0, 1, 1, 2]) {
            from = self.join(from, depth);
        }
        if self.random.percent(4) {
            let other = self.item_from(0, false);
            from = sql![from, Part::Optional(sql![", ", other])];
        }
        from
    }

    fn join(&mut self, left: Node, depth: usize) -> Node {
        let before = self.scopes.last().map_or(0, Vec::len);
        let kind = *self.random.pick(&[
            "JOIN",
            "JOIN",
            "INNER JOIN",
            "LEFT JOIN",
            "LEFT OUTER JOIN",
            "RIGHT JOIN",
            "FULL JOIN",
            "CROSS JOIN",
            "NATURAL JOIN",
            "NATURAL LEFT JOIN",
        ]);
        let lateral = matches!(kind, "JOIN" | "LEFT JOIN" | "CROSS JOIN") && self.random.percent(25);
        let right = self.item_from(depth, lateral);
        if kind == "CROSS JOIN" || kind.starts_with("NATURAL") {
            return sql![left, " ", kind, " ", right];
        }
        let shared = self.shared(before);
        if !shared.is_empty() && self.random.percent(45) {
            let columns =
                if self.random.percent(70) { vec![shared[0].clone()] } else { self.random.some(&shared) };
            return sql![left, " ", kind, " ", right, " USING (", columns.join(", "), ")"];
        }
        let condition = self.join_condition(before, kind == "FULL JOIN");
        sql![left, " ", kind, " ", right, " ON ", condition]
    }

    /// Names that one item before `from` and the last one have in common, of one class.
    fn shared(&self, from: usize) -> Vec<String> {
        let Some(items) = self.scopes.last() else { return Vec::new() };
        let (left, right) = items.split_at(from.min(items.len()));
        let right: Vec<&(String, Class)> = right.iter().flat_map(|item| &item.columns).collect();
        let left: Vec<&(String, Class)> = left.iter().flat_map(|item| &item.columns).collect();
        let once = |name: &str, columns: &[&(String, Class)]| {
            columns.iter().filter(|(other, _)| other == name).count() == 1
        };
        left.iter()
            .filter(|column| column.1 != Class::Json && right.contains(column))
            .filter(|(name, _)| once(name, &left) && once(name, &right))
            .map(|(name, _)| name.clone())
            .collect()
    }

    fn join_condition(&mut self, before: usize, plain: bool) -> Node {
        let items = self.scopes.last().cloned().unwrap_or_default();
        let (left, right) = items.split_at(before.min(items.len()));
        let mut pairs = Vec::new();
        for one in left {
            for other in right {
                for (name, class) in &one.columns {
                    let equal = other.columns.iter().filter(|(_, of)| of == class && *class != Class::Json);
                    pairs.extend(
                        equal.map(|(second, _)| format!("{}.{name} = {}.{second}", one.alias, other.alias)),
                    );
                }
            }
        }
        if !pairs.is_empty() && (plain || self.random.percent(75)) {
            let pair = self.random.pick(&pairs).clone();
            return sql![pair];
        }
        if plain {
            return sql!["true"];
        }
        self.condition(1)
    }

    /// A relation, a sub-select, a list of values or a function.
    pub fn item_from(&mut self, depth: usize, lateral: bool) -> Node {
        let (node, item) = match self.random.below(20) {
            0..=2 if depth > 0 => self.derived(depth - 1, lateral),
            3 if !self.common.is_empty() => self.common_table(),
            4 if !self.common.is_empty() => self.common_table(),
            5 => self.values(),
            6 if lateral => self.function(),
            7 if depth > 0 => self.nested(),
            _ if lateral => self.derived(depth.saturating_sub(1), true),
            _ => self.relation(),
        };
        if let Some(scope) = self.scopes.last_mut() {
            scope.push(item);
        }
        node
    }

    fn common_table(&mut self) -> (Node, Item) {
        let (name, columns) = self.random.pick(&self.common.clone()).clone();
        let alias = self.name("t");
        (sql![name, " AS ", alias.clone()], Item { alias, columns, ..Item::default() })
    }

    fn derived(&mut self, depth: usize, lateral: bool) -> (Node, Item) {
        // What stands beside it is in scope only for LATERAL.
        let beside = if lateral { None } else { self.scopes.last_mut().map(std::mem::take) };
        let (query, columns) = self.query(depth, None);
        if let (Some(beside), Some(scope)) = (beside, self.scopes.last_mut()) {
            *scope = beside;
        }
        let alias = self.name("s");
        let word = if lateral { "LATERAL " } else { "" };
        (sql![word, "(", query, ") AS ", alias.clone()], Item { alias, columns, ..Item::default() })
    }

    fn values(&mut self) -> (Node, Item) {
        let classes: Vec<Class> = (0..1 + self.random.below(3)).map(|_| self.any_class()).collect();
        let rows = (0..1 + self.random.below(3))
            .map(|_| {
                let row: Vec<Node> = classes.iter().map(|class| self.literal(*class)).collect();
                sql!["(", Part::List(row, ", "), ")"]
            })
            .collect();
        let alias = self.name("v");
        let columns: Vec<(String, Class)> = classes.iter().map(|class| (self.name("x"), *class)).collect();
        let names = columns.iter().map(|(name, _)| name.clone()).collect::<Vec<_>>().join(", ");
        let node = sql!["(VALUES ", Part::List(rows, ", "), ") AS ", alias.clone(), "(", names, ")"];
        (node, Item { alias, columns, ..Item::default() })
    }

    fn function(&mut self) -> (Node, Item) {
        let alias = self.name("f");
        let (call, class) = match self.random.below(4) {
            0 => (sql!["generate_series(1, 3)"], Class::Int),
            1 => {
                let texts = self.leaf(Class::Texts);
                (sql!["unnest(", texts, ")"], Class::Text)
            }
            2 => {
                let json = self.leaf(Class::Jsonb);
                (sql!["jsonb_path_query(", json, ", '$.a')"], Class::Jsonb)
            }
            _ => {
                let text = self.leaf(Class::Text);
                (sql!["regexp_split_to_table(", text, ", '[ @]')"], Class::Text)
            }
        };
        let columns = vec![("u".to_owned(), class)];
        (sql![call, " AS ", alias.clone(), "(u)"], Item { alias, columns, ..Item::default() })
    }

    /// `(a CROSS JOIN b) AS j`, or without an alias.
    fn nested(&mut self) -> (Node, Item) {
        let (one, first) = self.relation();
        let (other, mut second) = self.values();
        if self.random.percent(50) {
            let node = sql!["(", one, " CROSS JOIN ", other, ")"];
            if let Some(scope) = self.scopes.last_mut() {
                scope.push(first);
            }
            return (node, second);
        }
        let alias = self.name("j");
        second.columns.extend(first.columns);
        second.blocked = first.blocked;
        second.alias.clone_from(&alias);
        (sql!["(", one, " CROSS JOIN ", other, ") AS ", alias], second)
    }

    fn relation(&mut self) -> (Node, Item) {
        let number = self.random.below(self.world.relations.len());
        let relation = &self.world.relations[number];
        let (mut columns, blocked) = self.columns_of(number);
        let name = ident(&relation.name);
        let qualified = self.world.qualified(number);
        let shadowed = self.common.iter().any(|(common, _)| *common == name);
        let written = if shadowed || self.random.percent(30) { qualified.clone() } else { name.clone() };
        let only = match relation.shape {
            Shape::Table | Shape::Partitioned | Shape::Child if self.random.percent(8) => "ONLY ",
            _ => "",
        };
        let taken = self.scopes.last().into_iter().flatten().any(|item| item.alias == name);
        if !taken && self.random.percent(35) {
            let item = Item { alias: name, qualified: Some(qualified), columns, blocked };
            return (sql![only, written], item);
        }
        let alias = self.name("r");
        let word = *self.random.pick(&[" AS ", " "]);
        if self.random.percent(10) && blocked.is_empty() {
            let count = 1 + self.random.below(columns.len());
            let names: Vec<String> = (0..count).map(|_| self.name("n")).collect();
            columns.iter_mut().zip(&names).for_each(|(column, name)| column.0.clone_from(name));
            let node = sql![only, written, word, alias.clone(), "(", names.join(", "), ")"];
            return (node, Item { alias, columns, blocked, qualified: None });
        }
        let node = sql![only, written, word, alias.clone()];
        (node, Item { alias, columns, blocked, qualified: None })
    }
}
