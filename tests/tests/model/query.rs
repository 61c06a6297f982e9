//! Queries.

use crate::kinds::Class;
use crate::maker::{Maker, Parameter};
use crate::random::Random;
use crate::sql::{Node, Part, sql};
use crate::world::{World, ident};

/// A query to compare.
#[derive(Clone, Debug)]
pub struct Query {
    pub node: Node,
    /// Its rows come in one order only.
    pub ordered: bool,
    pub parameters: Vec<Parameter>,
}

/// A query whose result depends on the data alone.
pub fn query(world: &World, there: &[Vec<bool>], parameters: bool, random: &mut Random) -> Query {
    let mut maker = Maker::new(random, world, there);
    maker.parameters = parameters.then(Vec::new);
    let (node, ordered) = maker.statement();
    Query { node, ordered, parameters: maker.parameters.unwrap_or_default() }
}

type Columns = Vec<(String, Class)>;

impl Maker<'_> {
    fn statement(&mut self) -> (Node, bool) {
        match self.random.below(24) {
            0..=3 => (self.stars(), false),
            4 | 5 => (self.sorted(), true),
            6 | 7 => (self.limited(), true),
            8 => (self.distinct_on(), false),
            9 | 10 => (self.by_key(), false),
            11 | 12 => (self.with(), false),
            13 => (self.recursive(), false),
            14 => (self.windows(), false),
            15 => (self.rows(), false),
            16 => (self.table(), false),
            _ => (self.query(3, None).0, false),
        }
    }

    /// A query with these classes of columns, or with any.
    pub fn query(&mut self, depth: usize, classes: Option<&[Class]>) -> (Node, Columns) {
        match self.random.below(12) {
            0 | 1 if depth > 0 => self.set_operation(depth - 1, classes),
            2..=4 if classes.is_none() => self.grouped(depth),
            _ => self.plain(depth, classes),
        }
    }

    fn outputs(&mut self, list: Vec<(Node, Class)>) -> (Vec<Node>, Columns) {
        list.into_iter()
            .map(|(value, class)| {
                let name = self.name("o");
                (sql![value, " AS ", name.clone()], (name, class))
            })
            .unzip()
    }

    fn plain(&mut self, depth: usize, classes: Option<&[Class]>) -> (Node, Columns) {
        self.scopes.push(Vec::new());
        let from = self.clause_from(depth.min(1));
        let classes: Vec<Class> = match classes {
            Some(classes) => classes.to_vec(),
            None => (0..1 + self.random.below(4)).map(|_| self.class_here()).collect(),
        };
        let list = classes.iter().map(|class| (self.expression(*class, depth.min(2)), *class)).collect();
        let filter = self.filter(depth);
        self.scopes.pop();
        let distinct = classes.iter().all(|class| class.exact()) && self.random.percent(12);
        let (list, columns) = self.outputs(list);
        let word = if distinct { "SELECT DISTINCT " } else { "SELECT " };
        (sql![word, Part::List(list, ", "), " FROM ", from, filter], columns)
    }

    fn filter(&mut self, depth: usize) -> Part {
        if self.random.percent(45) {
            return Part::Text(String::new());
        }
        let condition = self.condition(depth.min(2));
        Part::Optional(sql![" WHERE ", condition])
    }

    fn set_operation(&mut self, depth: usize, classes: Option<&[Class]>) -> (Node, Columns) {
        let classes: Vec<Class> = match classes {
            Some(classes) => classes.to_vec(),
            None => (0..1 + self.random.below(3)).map(|_| self.any_class()).collect(),
        };
        let exact = classes.iter().all(|class| class.exact());
        let word = match exact {
            true => *self.random.pick(&[
                "UNION",
                "UNION ALL",
                "INTERSECT",
                "EXCEPT",
                "EXCEPT ALL",
                "INTERSECT ALL",
            ]),
            false => "UNION ALL",
        };
        let (one, columns) = self.plain(depth, Some(&classes));
        let (other, _) = self.plain(depth, Some(&classes));
        match self.random.below(2) {
            0 => (sql![one, " ", word, " ", other], columns),
            _ => (sql!["(", one, ") ", word, " (", other, ")"], columns),
        }
    }

    /// An expression to group or sort by: equal values look the same.
    fn exact(&mut self, depth: usize) -> (Node, Class) {
        let class = self.class_here();
        let value = self.expression(class, depth);
        match class.exact() {
            // A whole number alone would be a place in the list.
            true if class == Class::Int => (sql!["(", value, ")::bigint"], class),
            true => (value, class),
            false => (sql!["(", value, ")::text"], Class::Text),
        }
    }

    fn aggregate(&mut self, depth: usize) -> (Node, Class) {
        let text = |maker: &mut Self| maker.expression(Class::Text, depth);
        let (call, class) = match self.random.below(15) {
            0 => (sql!["count(*)"], Class::Int),
            1 => {
                let any = self.anything(depth);
                (sql!["count(", any, ")"], Class::Int)
            }
            2 => {
                let (value, _) = self.exact(depth);
                (sql!["count(DISTINCT ", value, ")"], Class::Int)
            }
            3 | 4 => {
                let function = *self.random.pick(&["min", "max"]);
                let class = *self.random.pick(&[Class::Text, Class::Int, Class::Date, Class::TimeZone]);
                let value = self.expression(class, depth);
                (sql![function, "(", value, ")"], class)
            }
            5 => {
                let value = self.leaf(Class::Int);
                (sql!["sum((", value, ")::int)"], Class::Int)
            }
            6 => {
                let value = self.expression(Class::Num, depth);
                (sql!["avg(", value, ")"], Class::Num)
            }
            7 => {
                let value = text(self);
                let sorted = sql![value.clone()];
                (sql!["string_agg(", value, ", ',' ORDER BY ", sorted, ")"], Class::Text)
            }
            8 => {
                let value = text(self);
                (sql!["array_agg((", value.clone(), ")::text ORDER BY (", value, ")::text)"], Class::Texts)
            }
            9 => match self.row() {
                Some(item) => {
                    let function = *self.random.pick(&["json_agg", "jsonb_agg"]);
                    let sorted = format!("{0} ORDER BY {0}::text COLLATE \"C\"", item.alias);
                    (sql![function, "(", sorted, ")::text"], Class::Text)
                }
                None => (sql!["count(*)"], Class::Int),
            },
            10 => match self.row() {
                Some(item) => {
                    let sorted = format!("array_agg({0} ORDER BY {0}::text COLLATE \"C\")::text", item.alias);
                    (sql![sorted], Class::Text)
                }
                None => (sql!["count(*)"], Class::Int),
            },
            11 => {
                let condition = self.condition(depth);
                let function = *self.random.pick(&["bool_and", "bool_or", "every"]);
                (sql![function, "(", condition, ")"], Class::Bool)
            }
            12 => {
                let value = text(self);
                (sql!["mode() WITHIN GROUP (ORDER BY ", value, ")"], Class::Text)
            }
            13 => {
                let value = self.leaf(Class::Int);
                (sql!["percentile_disc(0.5) WITHIN GROUP (ORDER BY ", value, ")"], Class::Int)
            }
            _ => match self.row() {
                Some(item) => (sql![format!("count({})", item.alias)], Class::Int),
                None => (sql!["count(*)"], Class::Int),
            },
        };
        if self.random.percent(15) {
            let condition = self.condition(0);
            return (sql![call, Part::Optional(sql![" FILTER (WHERE ", condition, ")"])], class);
        }
        (call, class)
    }

    fn grouped(&mut self, depth: usize) -> (Node, Columns) {
        self.scopes.push(Vec::new());
        let from = self.clause_from(depth.min(1));
        let keys: Vec<(Node, Class)> = (0..self.random.below(3)).map(|_| self.exact(1)).collect();
        let mut list = keys.clone();
        for _ in 0..1 + self.random.below(2) {
            list.push(self.aggregate(1));
        }
        let filter = self.filter(depth);
        let having = match self.random.percent(25) {
            true => {
                let (value, class) = self.aggregate(0);
                let literal = self.literal(class);
                Part::Optional(sql![" HAVING (", value, ") <> ", literal])
            }
            false => Part::Text(String::new()),
        };
        self.scopes.pop();
        let form = match keys.len() {
            0 => "",
            _ => *self.random.pick(&["", "", "", "ROLLUP", "CUBE", "GROUPING SETS"]),
        };
        let by = self.random.percent(30) && form.is_empty();
        let keys: Vec<Node> = match by {
            // By the place in the list.
            true => (1..=keys.len()).map(|place| sql![place.to_string()]).collect(),
            // A literal would be such a place.
            false => keys.into_iter().map(|(key, _)| sql!["(", key, ")"]).collect(),
        };
        let group = match (keys.is_empty(), form) {
            (true, _) => sql![""],
            (false, "") => sql![" GROUP BY ", Part::List(keys, ", ")],
            (false, "GROUPING SETS") => {
                let keys = keys.into_iter().chain([sql!["()"]]).collect();
                sql![" GROUP BY GROUPING SETS (", Part::List(keys, ", "), ")"]
            }
            (false, form) => sql![" GROUP BY ", form, " (", Part::List(keys, ", "), ")"],
        };
        let (list, columns) = self.outputs(list);
        (sql!["SELECT ", Part::List(list, ", "), " FROM ", from, filter, group, having], columns)
    }

    /// Everything, under the names it has.
    fn stars(&mut self) -> Node {
        self.scopes.push(Vec::new());
        let from = self.clause_from(1);
        let items = self.scopes.last().cloned().unwrap_or_default();
        let mut list = Vec::new();
        for _ in 0..1 + self.random.below(3) {
            let item = self.random.pick(&items).clone();
            let class = self.class_here();
            list.push(match self.random.below(8) {
                0 | 1 => sql!["*"],
                2 => sql![format!("{}.*", item.qualified.clone().unwrap_or(item.alias))],
                3 => sql![format!("{}.*", item.alias)],
                4 => match self.row() {
                    Some(item) => sql![item.alias],
                    None => sql!["1"],
                },
                _ => self.expression(class, 2),
            });
        }
        let filter = self.filter(2);
        self.scopes.pop();
        sql!["SELECT ", Part::List(list, ", "), " FROM ", from, filter]
    }

    /// In the order of all its columns.
    fn sorted(&mut self) -> Node {
        self.scopes.push(Vec::new());
        let from = self.clause_from(2);
        let list: Vec<(Node, Class)> = (0..1 + self.random.below(4)).map(|_| self.exact(2)).collect();
        let filter = self.filter(2);
        self.scopes.pop();
        let (list, columns) = self.outputs(list);
        let order: Vec<Node> = columns
            .iter()
            .enumerate()
            .map(|(place, (name, _))| {
                let what = if self.random.percent(50) { name.clone() } else { (place + 1).to_string() };
                sql![what, *self.random.pick(&["", " DESC", " NULLS FIRST", " DESC NULLS LAST"])]
            })
            .collect();
        let limit = if self.random.percent(30) { " LIMIT 5" } else { "" };
        sql![
            "SELECT ",
            Part::List(list, ", "),
            " FROM ",
            from,
            filter,
            " ORDER BY ",
            Part::List(order, ", "),
            limit
        ]
    }

    /// The first few rows in the order of their text.
    fn limited(&mut self) -> Node {
        let (inner, _) = self.query(2, None);
        let limit =
            *self.random.pick(&[" LIMIT 3", " LIMIT 4 OFFSET 2", " FETCH FIRST 2 ROWS ONLY", " OFFSET 1"]);
        sql!["SELECT * FROM (", inner, ") AS page ORDER BY page::text COLLATE \"C\"", limit]
    }

    fn distinct_on(&mut self) -> Node {
        self.scopes.push(Vec::new());
        let from = self.clause_from(1);
        let (key, _) = self.exact(1);
        let (second, _) = self.exact(1);
        let (third, _) = self.exact(1);
        let filter = self.filter(1);
        self.scopes.pop();
        sql![
            "SELECT DISTINCT ON (o1) ((",
            key,
            ")) AS o1, (",
            second,
            ") AS o2, (",
            third,
            ") AS o3 FROM ",
            from,
            filter,
            " ORDER BY 1, 2, 3"
        ]
    }

    /// GROUP BY a primary key, whose other columns can then be used as they are.
    fn by_key(&mut self) -> Node {
        let keyed: Vec<usize> = (0..self.world.relations.len())
            .filter(|number| {
                let relation = &self.world.relations[*number];
                !relation.key.is_empty()
                    && relation.key.iter().all(|key| relation.columns[*key].label.is_none())
            })
            .collect();
        if keyed.is_empty() {
            return self.sorted();
        }
        let number = *self.random.pick(&keyed);
        let relation = &self.world.relations[number];
        let (columns, blocked) = self.columns_of(number);
        let alias = self.name("g");
        let item = crate::maker::Item { alias: alias.clone(), columns, blocked, qualified: None };
        self.scopes.push(vec![item.clone()]);
        let classes: Vec<Class> = (0..1 + self.random.below(3)).map(|_| self.class_here()).collect();
        let mut list: Vec<(Node, Class)> =
            classes.into_iter().map(|class| (self.expression(class, 1), class)).collect();
        let join = match self.random.percent(50) {
            true => {
                let other = self.item_from(0, false);
                let condition = self.join_on_key(&alias);
                Part::Optional(sql![" LEFT JOIN ", other, " ON ", condition])
            }
            false => Part::Text(String::new()),
        };
        list.push(self.aggregate(0));
        let having = if self.random.percent(20) { sql![" HAVING count(*) > 0"] } else { Default::default() };
        let order = match self.random.percent(30) {
            true => {
                // Only by what depends on the key.
                self.scopes.pop();
                self.scopes.push(vec![item]);
                let value = self.leaf(Class::Text);
                Part::Optional(sql![" ORDER BY (", value, ")::text"])
            }
            false => Part::Text(String::new()),
        };
        self.scopes.pop();
        let keys: Vec<String> = relation
            .key
            .iter()
            .map(|key| format!("{alias}.{}", ident(&relation.columns[*key].name)))
            .collect();
        let (list, _) = self.outputs(list);
        sql![
            "SELECT ",
            Part::List(list, ", "),
            " FROM ",
            self.world.qualified(number),
            " AS ",
            alias.clone(),
            join,
            " GROUP BY ",
            keys.join(", "),
            having,
            order
        ]
    }

    fn join_on_key(&mut self, alias: &str) -> Node {
        let other = self.scopes.last().and_then(|items| items.last()).cloned().unwrap_or_default();
        let numbers: Vec<&(String, Class)> =
            other.columns.iter().filter(|(_, class)| *class == Class::Int).collect();
        match numbers.is_empty() {
            true => sql!["true"],
            false => {
                let (name, _) = *self.random.pick(&numbers);
                sql![format!("{}.{name} = {alias}.id", other.alias)]
            }
        }
    }

    /// One or two common table expressions, also under the name of a relation.
    fn with(&mut self) -> Node {
        let mut list = Vec::new();
        for _ in 0..1 + self.random.below(2) {
            let name = match self.random.percent(35) {
                true => {
                    let number = self.random.below(self.world.relations.len());
                    ident(&self.world.relations[number].name)
                }
                false => self.name("w"),
            };
            if self.common.iter().any(|(other, _)| *other == name) {
                continue;
            }
            let (query, columns) = self.query(2, None);
            let word = *self.random.pick(&["", "", "MATERIALIZED ", "NOT MATERIALIZED "]);
            list.push(sql![name.clone(), " AS ", word, "(", query, ")"]);
            self.common.push((name, columns));
        }
        let (main, _) = self.query(2, None);
        sql!["WITH ", Part::List(list, ", "), " ", main]
    }

    fn recursive(&mut self) -> Node {
        self.scopes.push(Vec::new());
        let from = self.clause_from(0);
        let (number, text) = (self.leaf(Class::Int), self.expression(Class::Text, 1));
        let filter = self.filter(1);
        self.scopes.pop();
        sql![
            "WITH RECURSIVE steps(n, label) AS (SELECT (",
            number,
            ")::bigint % 3, (",
            text,
            ")::text FROM ",
            from,
            filter,
            " UNION SELECT n + 1, left(label || '+', 9) FROM steps WHERE n < 4) SELECT n, label FROM steps"
        ]
    }

    /// Window functions that give peers the same value.
    fn windows(&mut self) -> Node {
        self.scopes.push(Vec::new());
        let from = self.clause_from(1);
        let mut list = Vec::new();
        for _ in 0..1 + self.random.below(3) {
            let (partition, _) = self.exact(1);
            let (order, class) = self.exact(1);
            let over = sql!["(PARTITION BY (", partition, ") ORDER BY (", order.clone(), "))"];
            let whole = sql![
                "(ORDER BY (",
                order.clone(),
                ") RANGE BETWEEN UNBOUNDED PRECEDING AND UNBOUNDED FOLLOWING)"
            ];
            list.push(match self.random.below(5) {
                0 => (sql!["rank() OVER ", over], Class::Int),
                1 => (sql!["dense_rank() OVER ", over], Class::Int),
                2 => (sql!["count(*) OVER ", over], Class::Int),
                3 => (sql!["first_value((", order, ")) OVER ", whole], class),
                _ => {
                    let (value, _) = self.exact(1);
                    (sql!["min((", value, ")::text) OVER ", over], Class::Text)
                }
            });
        }
        let class = self.class_here();
        list.push((self.expression(class, 1), class));
        let filter = self.filter(1);
        self.scopes.pop();
        let (list, _) = self.outputs(list);
        sql!["SELECT ", Part::List(list, ", "), " FROM ", from, filter]
    }

    /// VALUES with sub-selects in it.
    fn rows(&mut self) -> Node {
        let classes: Vec<Class> = (0..1 + self.random.below(3)).map(|_| self.any_class()).collect();
        let rows = (0..1 + self.random.below(3))
            .map(|_| {
                let row: Vec<Node> = classes.iter().map(|class| self.expression(*class, 3)).collect();
                sql!["(", Part::List(row, ", "), ")"]
            })
            .collect();
        sql!["VALUES ", Part::List(rows, ", ")]
    }

    fn table(&mut self) -> Node {
        let number = self.random.below(self.world.relations.len());
        sql!["TABLE ", self.world.qualified(number)]
    }
}
