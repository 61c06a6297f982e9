//! A schema with its data, labels and all that the model must know of them.

use std::fmt::Write;

use crate::kinds::{BIG_KEY, C_TEXT, Class, KEY, KINDS, Kind, PLAIN_COUNT, PLAIN_TEXT, quoted};
use crate::labels::{Label, label};
use crate::random::Random;

/// One schema of the database.
#[derive(Debug)]
pub struct World {
    pub number: usize,
    pub schema: String,
    pub relations: Vec<Relation>,
}

#[derive(Debug)]
pub struct Relation {
    pub name: String,
    pub columns: Vec<Column>,
    /// Positions of the primary key's columns.
    pub key: Vec<usize>,
    pub shape: Shape,
    /// The relation of the world that this one is a partition or a child of.
    pub parent: Option<usize>,
    /// Statements that make it, its data included.
    pub script: String,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Shape {
    Table,
    Partitioned,
    Partition,
    Child,
    View,
}

#[derive(Clone, Debug)]
pub struct Column {
    pub name: String,
    pub kind: &'static Kind,
    /// What the operator wrote for this column, or for the parent's.
    pub label: Option<Label>,
    /// Generated columns and views' columns: what the value derives from, as (relation, column).
    pub derived: Option<Vec<(usize, usize)>>,
    /// It is a copy of the one column that it derives from.
    pub copy: bool,
}

/// A name as SQL, in quotes where it needs them, and now and then where it does not.
pub fn ident(name: &str) -> String {
    const WORDS: [&str; 4] = ["select", "order", "user", "table"];
    let plain = name.bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'_' || byte.is_ascii_digit());
    match plain && !WORDS.contains(&name) {
        true => name.to_owned(),
        false => format!("\"{}\"", name.replace('"', "\"\"")),
    }
}

const RELATIONS: [&str; 10] =
    ["people", "accounts", "Order Lines", "PEOPLE", "notes", "user", "a\"b", "staff", "übung", "visits"];
const COLUMNS: [&str; 22] = [
    "name",
    "email",
    "phone",
    "note",
    "Mixed Case",
    "UPPER",
    "select",
    "a\"b",
    "city",
    "amount",
    "born",
    "tags",
    "doc",
    "people",
    "naïve",
    "c1",
    "c2",
    "c3",
    "key",
    "value",
    "type",
    "user",
];

impl World {
    /// Makes a world; `number` tells it from others in the same database.
    pub fn new(number: usize, random: &mut Random) -> World {
        let mut world = World { number, schema: format!("w{number}"), relations: Vec::new() };
        let mut names: Vec<&str> = RELATIONS.to_vec();
        let mut name = |random: &mut Random| names.swap_remove(random.below(names.len()));
        let tables = 2 + random.below(2);
        for table in 0..tables {
            let name = name(random);
            match random.below(6) {
                0 if table > 0 => world.partitioned(name, random),
                1 if table > 0 => world.inherited(name, random),
                _ => world.table(name, random),
            }
        }
        for _ in 0..random.below(3) {
            let name = name(random);
            world.view(name, random);
        }
        world
    }

    pub fn qualified(&self, relation: usize) -> String {
        format!("{}.{}", self.schema, ident(&self.relations[relation].name))
    }

    /// The whole schema.
    pub fn script(&self) -> String {
        let mut script = format!("CREATE SCHEMA {0};\nSET search_path = {0}, public;\n", self.schema);
        self.relations.iter().for_each(|relation| script.push_str(&relation.script));
        script.push_str("RESET search_path;\n");
        script
    }

    /// `[[label]]` entries for proxy.toml.
    pub fn labels(&self) -> String {
        let mut toml = String::new();
        for relation in self.relations.iter().filter(|relation| relation.parent.is_none()) {
            for column in relation.columns.iter() {
                if let Some(label) = &column.label {
                    let pattern =
                        format!("{}.{}.{}", self.schema, pattern(&relation.name), pattern(&column.name));
                    toml.push_str(&label.toml(&pattern));
                }
            }
        }
        // What only a child has.
        for relation in self.relations.iter().filter(|relation| relation.parent.is_some()) {
            let parent = relation.parent.map(|parent| &self.relations[parent]);
            for column in relation.columns.iter() {
                let inherited = parent.is_some_and(|parent| parent.position(&column.name).is_some());
                if let (Some(label), false) = (&column.label, inherited) {
                    let pattern =
                        format!("{}.{}.{}", self.schema, pattern(&relation.name), pattern(&column.name));
                    toml.push_str(&label.toml(&pattern));
                }
            }
        }
        toml
    }

    fn columns(&self, count: usize, partitioned: bool, random: &mut Random) -> (Vec<Column>, Vec<usize>) {
        let kind = if random.percent(70) { &KEY } else { &BIG_KEY };
        let mut columns = vec![self.column("id", kind, 4, random)];
        let mut key = vec![0];
        if random.percent(25) {
            columns.push(self.column("line", &KEY, 0, random));
            key.push(1);
        }
        if random.percent(60) {
            columns.push(self.column("ref", &KEY, 8, random));
        }
        let mut names = COLUMNS.to_vec();
        for _ in 0..count {
            let name = names.swap_remove(random.below(names.len()));
            columns.push(self.column(name, random.pick(&KINDS), 55, random));
        }
        if !partitioned && random.percent(30) {
            let sources: Vec<usize> = (0..columns.len())
                .filter(|index| matches!(columns[*index].kind.class, Class::Text | Class::Int))
                .collect();
            let sources = random.some(&sources);
            let relation = self.relations.len();
            columns.push(Column {
                name: "computed".to_owned(),
                kind: &PLAIN_TEXT,
                label: None,
                derived: Some(sources.into_iter().map(|source| (relation, source)).collect()),
                copy: false,
            });
        }
        (columns, key)
    }

    fn column(&self, name: &str, kind: &'static Kind, percent: usize, random: &mut Random) -> Column {
        let label = random.percent(percent).then(|| label(self.number, kind, random));
        Column { name: name.to_owned(), kind, label, derived: None, copy: false }
    }

    fn table(&mut self, name: &str, random: &mut Random) {
        let (columns, key) = self.columns(3 + random.below(5), false, random);
        let mut relation = Relation::new(name, columns, key, Shape::Table, None);
        let mut script = String::new();
        let references =
            self.relations.iter().position(|other| other.key.len() == 1 && other.shape == Shape::Table);
        let constraint = match (references, relation.position("ref"), random.percent(50)) {
            (Some(other), Some(_), true) => {
                format!(", FOREIGN KEY (ref) REFERENCES {}", ident(&self.relations[other].name))
            }
            _ => String::new(),
        };
        let _ = writeln!(
            script,
            "CREATE TABLE {} ({}, PRIMARY KEY ({}){constraint}) WITH (autovacuum_enabled = off);",
            ident(name),
            relation.definitions(),
            relation.key_names()
        );
        script.push_str(&relation.rows(0, 10 + random.below(40), random));
        relation.script = script;
        self.relations.push(relation);
    }

    /// A root, a partition made by it, and one that was attached with its columns in another order.
    fn partitioned(&mut self, name: &str, random: &mut Random) {
        let (columns, key) = self.columns(3 + random.below(4), true, random);
        let mut root = Relation::new(name, columns.clone(), key.clone(), Shape::Partitioned, None);
        root.script = format!(
            "CREATE TABLE {} ({}, PRIMARY KEY ({})) PARTITION BY RANGE (id);\n",
            ident(name),
            root.definitions(),
            root.key_names()
        );
        let parent = Some(self.relations.len());
        self.relations.push(root);

        let low = format!("{name}_low");
        let mut first = Relation::new(&low, columns.clone(), key.clone(), Shape::Partition, parent);
        first.script = format!(
            "CREATE TABLE {} PARTITION OF {} FOR VALUES FROM (MINVALUE) TO (100) WITH (autovacuum_enabled = off);\n",
            ident(&low),
            ident(name)
        );
        first.script += &first.rows(0, 5 + random.below(25), random);
        self.relations.push(first);

        let high = format!("{name}_high");
        let mut turned: Vec<(usize, Column)> = columns.iter().cloned().enumerate().rev().collect();
        let place =
            |old: usize, turned: &[(usize, Column)]| turned.iter().position(|(index, _)| *index == old);
        let key = key.iter().filter_map(|old| place(*old, &turned)).collect();
        let columns = turned.drain(..).map(|(_, column)| column).collect();
        let mut second = Relation::new(&high, columns, key, Shape::Partition, parent);
        second.script = format!(
            "CREATE TABLE {0} ({1}, PRIMARY KEY ({2})) WITH (autovacuum_enabled = off);\n\
             ALTER TABLE {3} ATTACH PARTITION {0} FOR VALUES FROM (100) TO (MAXVALUE);\n",
            ident(&high),
            second.definitions(),
            second.key_names(),
            ident(name)
        );
        second.script += &second.rows(100, 5 + random.below(20), random);
        self.relations.push(second);
    }

    /// A table and a child that has one more column.
    fn inherited(&mut self, name: &str, random: &mut Random) {
        self.table(name, random);
        let parent = self.relations.len() - 1;
        let mut columns = self.relations[parent].columns.clone();
        let child = self.relations.len();
        for column in &mut columns {
            if let Some(sources) = &mut column.derived {
                sources.iter_mut().for_each(|source| source.0 = child);
            }
        }
        let own = self.column("extra", random.pick(&KINDS), 50, random);
        columns.push(own.clone());
        let key = self.relations[parent].key.clone();
        let own_name = format!("{name}_child");
        let mut relation = Relation::new(&own_name, columns, key, Shape::Child, Some(parent));
        relation.script = format!(
            "CREATE TABLE {} (extra {}, PRIMARY KEY ({})) INHERITS ({}) WITH (autovacuum_enabled = off);\n",
            ident(&own_name),
            own.kind.sql,
            relation.key_names(),
            ident(name)
        );
        relation.script += &relation.rows(100, 5 + random.below(15), random);
        self.relations.push(relation);
    }

    /// A view over one relation, or two that are joined by what nothing protects.
    fn view(&mut self, name: &str, random: &mut Random) {
        let first = random.below(self.relations.len());
        let second = random.below(self.relations.len());
        let joined = random.percent(30) && second != first;
        let mut items = vec![("v1", first)];
        if joined {
            items.push(("v2", second));
        }
        let mut columns: Vec<Column> = Vec::new();
        let mut list = Vec::new();
        for (alias, relation) in &items {
            for (position, source) in self.relations[*relation].columns.iter().enumerate() {
                let taken = columns.iter().any(|column| column.name == source.name);
                if !random.percent(70) || (taken && random.percent(50)) {
                    continue;
                }
                let named = if taken || random.percent(10) {
                    format!("{}_{}", source.name, columns.len())
                } else {
                    source.name.clone()
                };
                list.push(format!("{alias}.{} AS {}", ident(&source.name), ident(&named)));
                columns.push(Column {
                    name: named,
                    kind: source.kind,
                    label: None,
                    derived: Some(vec![(*relation, position)]),
                    copy: true,
                });
            }
        }
        let relation = &self.relations[first];
        for _ in 0..random.below(3) {
            let one = random.below(relation.columns.len());
            let other = random.below(relation.columns.len());
            let (a, b) = (ident(&relation.columns[one].name), ident(&relation.columns[other].name));
            let named = format!("made_{}_{}", self.relations.len(), columns.len());
            list.push(format!("(pg_catalog.concat_ws('|', v1.{a}, v1.{b}) COLLATE \"C\") AS {named}"));
            columns.push(Column {
                name: named,
                kind: &C_TEXT,
                label: None,
                derived: Some(vec![(first, one), (first, other)]),
                copy: false,
            });
        }
        if columns.is_empty() {
            list.push("pg_catalog.count(*) AS n".to_owned());
            columns.push(Column {
                name: "n".to_owned(),
                kind: &PLAIN_COUNT,
                label: None,
                derived: Some(Vec::new()),
                copy: false,
            });
        }
        let from = match items.as_slice() {
            [_, (_, second)] => format!(
                "{} AS v1 JOIN {} AS v2 ON v1.id = v2.id",
                ident(&self.relations[first].name),
                ident(&self.relations[*second].name)
            ),
            _ => format!("{} AS v1", ident(&self.relations[first].name)),
        };
        // Rows that depend on the key alone: what decides which rows there are is the view's own.
        let key_is_open = self.key_is_open(first) && (!joined || self.key_is_open(second));
        if joined && !key_is_open {
            return;
        }
        let filter = if key_is_open && random.percent(30) { " WHERE v1.id % 3 <> 0" } else { "" };
        let mut view = Relation::new(name, columns, Vec::new(), Shape::View, None);
        view.script =
            format!("CREATE VIEW {} AS SELECT {} FROM {from}{filter};\n", ident(name), list.join(", "));
        self.relations.push(view);
    }

    /// Has the relation a column `id` that nothing protects?
    fn key_is_open(&self, relation: usize) -> bool {
        self.relations[relation].position("id").is_some_and(|id| !self.is_protected(relation, id))
    }

    pub fn is_protected(&self, relation: usize, column: usize) -> bool {
        let column = &self.relations[relation].columns[column];
        column.label.is_some()
            || column.derived.iter().flatten().any(|(relation, column)| self.is_protected(*relation, *column))
    }

    /// Without a grant what uses the column is refused.
    pub fn is_block(&self, relation: usize, column: usize) -> bool {
        let column = &self.relations[relation].columns[column];
        column.label.as_ref().is_some_and(|label| label.block)
            || column.derived.iter().flatten().any(|(relation, column)| self.is_block(*relation, *column))
    }
}

/// A part of a label's pattern.
fn pattern(name: &str) -> String {
    format!("\"{}\"", name.replace('"', "\"\""))
}

impl Relation {
    fn new(
        name: &str,
        columns: Vec<Column>,
        key: Vec<usize>,
        shape: Shape,
        parent: Option<usize>,
    ) -> Relation {
        Relation { name: name.to_owned(), columns, key, shape, parent, script: String::new() }
    }

    pub fn position(&self, column: &str) -> Option<usize> {
        self.columns.iter().position(|other| other.name == column)
    }

    fn key_names(&self) -> String {
        self.key.iter().map(|key| ident(&self.columns[*key].name)).collect::<Vec<_>>().join(", ")
    }

    /// As CREATE TABLE has them.
    fn definitions(&self) -> String {
        let definition = |column: &Column| match &column.derived {
            None => format!("{} {}", ident(&column.name), column.kind.sql),
            Some(sources) => format!(
                "{} {} GENERATED ALWAYS AS ({}) STORED",
                ident(&column.name),
                column.kind.sql,
                sources
                    .iter()
                    .map(|(_, source)| format!("COALESCE({}::text, '-')", ident(&self.columns[*source].name)))
                    .collect::<Vec<_>>()
                    .join(" || ")
            ),
        };
        self.columns.iter().map(definition).collect::<Vec<_>>().join(", ")
    }

    /// So many rows, with keys from `first` on.
    fn rows(&self, first: usize, count: usize, random: &mut Random) -> String {
        let written: Vec<&Column> = self.columns.iter().filter(|column| column.derived.is_none()).collect();
        let names: Vec<String> = written.iter().map(|column| ident(&column.name)).collect();
        let rows: Vec<String> = (0..count)
            .map(|row| {
                let values: Vec<String> = written
                    .iter()
                    .map(|column| match column.name.as_str() {
                        "id" if self.key.len() == 2 => (first + row / 2).to_string(),
                        "id" => (first + row).to_string(),
                        "line" => (row % 2).to_string(),
                        // What another table's key has.
                        "ref" if random.percent(85) => random.below(10).to_string(),
                        _ if random.percent(15) => "NULL".to_owned(),
                        "ref" => "NULL".to_owned(),
                        _ => quoted(random.pick(&column.kind.values()).as_str()),
                    })
                    .collect();
                format!("({})", values.join(", "))
            })
            .collect();
        format!("INSERT INTO {} ({}) VALUES {};\n", ident(&self.name), names.join(", "), rows.join(",\n  "))
    }
}
