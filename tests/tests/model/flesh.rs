//! The privacy view made flesh: databases in which the tables hold what a session may see.

use std::fmt::Write;

use pgwarrant_masking::{KEY_SETTING, Method, compile};
use pgwarrant_tests::{Shop, connect, server_url};
use tokio_postgres::Client;

use crate::grants::{Cell, Grant, cell, only_rows};
use crate::kinds::{Class, TYPES, quoted};
use crate::world::{Shape, World, ident};

/// What the copy of a database is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Copy {
    /// It holds what the session may see.
    Model,
    /// It holds the same, but for cells that the session may not see.
    Other,
    /// It holds the same, and is written to as the model says.
    Written,
}

/// Worlds side by side in one database, and what becomes of it.
pub struct Databases {
    /// What the tables really hold.
    pub source: Shop,
    pub copy: Shop,
    /// May read what is not blocked.
    pub reader: String,
    /// The highest oid of a type that is no relation's.
    pub last_type: u32,
}

impl Drop for Databases {
    fn drop(&mut self) {
        let role = &self.reader;
        for (database, statement) in [
            (&self.copy.database, format!("DROP OWNED BY {role}")),
            (&self.source.database, format!("DROP OWNED BY {role}; DROP ROLE {role}")),
        ] {
            let _ = std::process::Command::new("psql")
                .args(["-X", "-q", "-d", &server_url(database), "-c", &statement])
                .stderr(std::process::Stdio::null())
                .status();
        }
    }
}

impl Databases {
    /// Makes the source with all worlds' data, and copies of it to be changed.
    pub async fn new(name: &str, worlds: &[World]) -> Databases {
        let name = |part: &str| format!("model_{name}_{part}_{}", std::process::id());
        let admin = connect(&server_url("postgres")).await;
        run(&admin, &format!("CREATE DATABASE {}", name("source"))).await;
        let reader = name("reader");
        run(&admin, &format!("CREATE ROLE {reader} LOGIN")).await;
        {
            let source = connect(&server_url(&name("source"))).await;
            run(&source, TYPES).await;
            for world in worlds {
                run(&source, &world.script()).await;
                run(&source, &privileges(world)).await;
            }
        }
        copy(&admin, &name("source"), &name("copy")).await;
        let shop =
            async |part: &str| Shop { direct: connect(&server_url(&name(part))).await, database: name(part) };
        let (source, copy) = (shop("source").await, shop("copy").await);
        let last = "SELECT max(oid) FROM pg_type WHERE typnamespace = 'public'::regnamespace";
        let last_type = source.direct.query_one(last, &[]).await.expect("types in public").get(0);
        Databases { source, copy, reader, last_type }
    }

    /// Makes of one world in the copy what it is for. `key`: the proxy's, of the keyed masks. How many
    /// cells were changed.
    pub async fn prepare(&self, copy: Copy, world: &World, grants: &[Grant], key: &str) -> u64 {
        let settings = format!("SET {KEY_SETTING} = '{key}'; SET TimeZone = 'UTC'");
        run(&self.copy.direct, &settings).await;
        run(&self.source.direct, &blocked(world, grants, &self.reader)).await;
        if copy == Copy::Model {
            run(&self.copy.direct, &flesh(world, grants)).await;
            return 0;
        }
        if copy == Copy::Written {
            return 0;
        }
        let mut changed = 0;
        for statement in changes(world, grants) {
            let count = self.copy.direct.execute(&statement, &[]).await;
            changed += count.unwrap_or_else(|error| panic!("{statement}\n{error:?}"));
        }
        // The same order of rows in both, whatever was updated.
        for client in [&self.source.direct, &self.copy.direct] {
            run(client, &in_order(world)).await;
        }
        changed
    }
}

/// How many pages each of the world's relations has, which plans hang on.
pub async fn pages(client: &Client, world: &World) -> Vec<i64> {
    let mut pages = Vec::new();
    for number in 0..world.relations.len() {
        let size = format!("SELECT pg_catalog.pg_relation_size('{}')", world.qualified(number));
        pages.push(client.query_one(&size, &[]).await.expect("a relation's size").get(0));
    }
    pages
}

/// Copies a database; two copies at once of one template wait for each other.
async fn copy(admin: &Client, from: &str, to: &str) {
    for attempt in 0.. {
        match admin.batch_execute(&format!("CREATE DATABASE {to} TEMPLATE {from}")).await {
            Ok(()) => return,
            Err(error) if attempt < 100 && error.code().is_some_and(|code| code.code() == "55006") => {
                tokio::time::sleep(std::time::Duration::from_millis(50)).await;
            }
            Err(error) => panic!("could not copy {from}: {error:?}"),
        }
    }
}

pub async fn run(client: &Client, script: &str) {
    if let Err(error) = client.batch_execute(script).await {
        panic!("{script}\n{error:?}");
    }
}

fn privileges(world: &World) -> String {
    format!(
        "GRANT USAGE ON SCHEMA {0} TO shop_app; \
         GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA {0} TO shop_app;",
        world.schema
    )
}

/// The mask of a value of a column, as SQL.
fn mask(world: &World, relation: usize, column: usize, value: &str) -> String {
    let of = &world.relations[relation].columns[column];
    let null = || (Method::Null, String::new(), false);
    // A copy has the mask of what it copies, other derived columns show nothing.
    let (method, category, nulls_show) = match label_of(world, relation, column) {
        Some(label) => (label.method.clone(), label.category.clone(), label.nulls_show),
        None => null(),
    };
    let mask = compile(&method, &of.kind.sql_type(), &category, nulls_show)
        .unwrap_or_else(|error| panic!("{}: {error}", of.name));
    mask.render(value)
}

fn label_of(world: &World, relation: usize, column: usize) -> Option<&crate::labels::Label> {
    let of = &world.relations[relation].columns[column];
    match (&of.label, of.derived.as_deref()) {
        (Some(label), _) => Some(label),
        (None, Some([(relation, column)])) if of.copy => label_of(world, *relation, *column),
        _ => None,
    }
}

/// Any of some conditions on `r`.
pub fn any(conditions: &[String]) -> String {
    conditions.iter().map(|condition| format!("({condition})")).collect::<Vec<_>>().join(" OR ")
}

/// WHERE all of them.
fn filter(conditions: &[String]) -> String {
    if conditions.is_empty() { String::new() } else { format!(" WHERE {}", conditions.join(" AND ")) }
}

/// The columns that are there, by position, and what the session sees of them as SQL over `r`.
fn shown(world: &World, grants: &[Grant], relation: usize) -> Vec<(usize, String)> {
    let columns = world.relations[relation].columns.iter().enumerate();
    columns
        .filter_map(|(position, column)| {
            let own = format!("r.{}", ident(&column.name));
            let value = match cell(world, grants, relation, position) {
                Cell::Raw => own,
                Cell::Mask => mask(world, relation, position, &own),
                Cell::Rows(rows) => {
                    let mask = mask(world, relation, position, &own);
                    format!("CASE WHEN {} THEN {own} ELSE {mask} END", any(&rows))
                }
                Cell::Blocked => return None,
            };
            Some((position, value))
        })
        .collect()
}

fn only(world: &World, grants: &[Grant], relation: usize) -> Vec<String> {
    only_rows(world, grants, relation).map(|rows| format!("({})", any(&rows))).into_iter().collect()
}

/// What the session sees of a relation, or of what goes by `from` and has its columns.
pub fn seen(world: &World, grants: &[Grant], relation: usize, from: &str) -> String {
    let columns = &world.relations[relation].columns;
    let list: Vec<String> = shown(world, grants, relation)
        .into_iter()
        .map(|(position, value)| format!("{value} AS {}", ident(&columns[position].name)))
        .collect();
    format!("SELECT {} FROM {from} AS r{}", list.join(", "), filter(&only(world, grants, relation)))
}

/// Puts in the place of a world's relations tables of what the session sees.
fn flesh(world: &World, grants: &[Grant]) -> String {
    let raw = format!("raw_{}", world.schema);
    let schema = &world.schema;
    let mut script = format!("ALTER SCHEMA {schema} RENAME TO {raw}; CREATE SCHEMA {schema};\n");
    for (number, relation) in world.relations.iter().enumerate() {
        let name = world.qualified(number);
        let shown = shown(world, grants, number);
        let mut definitions: Vec<String> = shown
            .iter()
            .map(|(position, _)| &relation.columns[*position])
            .map(|column| format!("{} {}", ident(&column.name), column.kind.sql))
            .collect();
        let raw_key = |key: &usize| cell(world, grants, number, *key) == Cell::Raw;
        if !relation.key.is_empty() && relation.key.iter().all(raw_key) {
            let key: Vec<String> =
                relation.key.iter().map(|key| ident(&relation.columns[*key].name)).collect();
            definitions.push(format!("PRIMARY KEY ({})", key.join(", ")));
        }
        let only = only(world, grants, number);
        let of = format!("{raw}.{}", ident(&relation.name));
        let _ = writeln!(script, "CREATE TABLE {name} ({});", definitions.join(", "));
        let list = shown.into_iter().map(|(_, value)| value).collect::<Vec<_>>().join(", ");
        let order = if relation.key.is_empty() { "" } else { " ORDER BY id" };
        let own = if relation.shape == Shape::View { "" } else { "ONLY " };
        let _ =
            writeln!(script, "INSERT INTO {name} SELECT {list} FROM {own}{of} AS r{}{order};", filter(&only));
        if world.relations.iter().any(|other| other.parent == Some(number)) {
            // What reading the parent shows of the children, which is not what reading them shows.
            let rest = format!("{schema}.rest_of_{number}");
            let of_children = format!("r.tableoid <> {}::regclass", quoted(&of));
            let conditions = filter(&[only, vec![of_children]].concat());
            let _ = writeln!(script, "CREATE TABLE {rest} () INHERITS ({name});");
            let _ = writeln!(script, "INSERT INTO {rest} SELECT {list} FROM {of} AS r{conditions}{order};");
        }
    }
    let _ = writeln!(script, "DROP SCHEMA {raw} CASCADE;");
    script.push_str(&privileges(world));
    script
}

/// Lets the reader read what is not blocked.
fn blocked(world: &World, grants: &[Grant], reader: &str) -> String {
    let mut script = format!("GRANT USAGE ON SCHEMA {} TO {reader};\n", world.schema);
    for (number, relation) in world.relations.iter().enumerate() {
        let columns: Vec<String> = (0..relation.columns.len())
            .filter(|position| cell(world, grants, number, *position) != Cell::Blocked)
            .map(|position| ident(&relation.columns[position].name))
            .collect();
        let all = columns.len() == relation.columns.len();
        let columns = if all { String::new() } else { format!(" ({})", columns.join(", ")) };
        let _ = writeln!(script, "GRANT SELECT{columns} ON {} TO {reader};", world.qualified(number));
    }
    script
}

fn in_order(world: &World) -> String {
    let stored = world
        .relations
        .iter()
        .enumerate()
        .filter(|(_, relation)| !matches!(relation.shape, Shape::View | Shape::Partitioned));
    stored
        .map(|(number, _)| {
            let name = world.qualified(number);
            format!(
                "DO $$ BEGIN EXECUTE 'CLUSTER {name} USING ' || (SELECT pg_catalog.quote_ident(c.relname) \
                 FROM pg_index i JOIN pg_class c ON c.oid = i.indexrelid \
                 WHERE i.indrelid = '{name}'::regclass AND i.indisprimary); END $$;\n"
            )
        })
        .collect()
}

/// Another value that is much like it, as SQL; None where the type has none.
fn another(class: Class, value: &str) -> Option<String> {
    let turned = |text: &str| {
        format!(
            "translate({text}, 'abcdefghijklmnopqrstuvwxyz0123456789', 'bcdefghijklmnopqrstuvwxyza1234567890')"
        )
    };
    Some(match class {
        Class::Text | Class::Citext => {
            // What a partial mask shows stays.
            let text = format!("{value}::text");
            let middle = turned(&format!("substr({text}, 3, greatest(length({text}) - 6, 0))"));
            format!(
                "CASE WHEN length({text}) > 6 THEN left({text}, 2) || {middle} || right({text}, 4) ELSE {} END",
                turned(&text)
            )
        }
        Class::Int => format!("{value} + 1"),
        Class::Num => format!("{value} + 1"),
        Class::Bool => format!("NOT {value}"),
        Class::Date => format!("{value} + 400"),
        Class::Time | Class::TimeZone => format!("{value} + interval '400 days'"),
        Class::Uuid => format!("md5({value}::text)::uuid"),
        Class::Inet => format!("{value} + 1"),
        Class::Bytea => format!("substr(sha256({value}), 1, length({value}))"),
        Class::Mood => format!("CASE WHEN {value}::text = 'sad' THEN 'glad' ELSE 'sad' END"),
        Class::Odd => format!("CASE WHEN {value} = 'c' THEN 'A a' ELSE 'c' END"),
        Class::Json | Class::Jsonb => format!("translate({value}::text, '0123456789x', '1234567890y')"),
        Class::Texts | Class::Ints => return None,
    })
}

/// UPDATE statements that change cells which no grant shows, where the mask stays the same.
fn changes(world: &World, grants: &[Grant]) -> Vec<String> {
    let mut statements = Vec::new();
    for (number, relation) in world.relations.iter().enumerate() {
        if matches!(relation.shape, Shape::View | Shape::Partitioned) {
            continue;
        }
        for (position, column) in relation.columns.iter().enumerate() {
            let hidden = match cell(world, grants, number, position) {
                Cell::Raw => continue,
                Cell::Mask | Cell::Blocked => "true".to_owned(),
                Cell::Rows(rows) => format!("({}) IS NOT TRUE", any(&rows)),
            };
            if column.derived.is_some()
                || relation.key.contains(&position)
                || column.name == "ref"
                || decides(world, grants, number, position)
                || shown_elsewhere(world, grants, number, position)
            {
                continue;
            }
            let name = format!("r.{}", ident(&column.name));
            let type_name = column.kind.cast_name();
            let values = column.kind.values();
            // Any value, where the mask shows nothing of it, and where it shows something, one like it.
            let any = format!(
                "CASE r.id % 3 WHEN 0 THEN NULL WHEN 1 THEN {}::{type_name} ELSE {}::{type_name} END",
                quoted(&values[0]),
                quoted(&values[values.len() - 1])
            );
            for value in another(column.kind.class, &name).into_iter().chain([any]) {
                let value = format!("CAST({value} AS {type_name})");
                let masked = mask(world, number, position, &name);
                let after = mask(world, number, position, &format!("({value})"));
                statements.push(format!(
                    "UPDATE ONLY {} AS r SET {} = {value} WHERE {hidden} \
                     AND CAST({after} AS text) IS NOT DISTINCT FROM CAST({masked} AS text) \
                     AND CAST({name} AS text) IS DISTINCT FROM CAST({value} AS text)",
                    world.qualified(number),
                    ident(&column.name)
                ));
            }
        }
    }
    statements
}

/// Does a row condition hang on the column, or on one that derives from it? Also where it only
/// looks so.
fn decides(world: &World, grants: &[Grant], relation: usize, column: usize) -> bool {
    let named = |name: &str| {
        let conditions = grants.iter().filter_map(|grant| grant.rows.as_ref());
        conditions.into_iter().any(|rows| rows.text.contains(&ident(name)))
    };
    named(&world.relations[relation].columns[column].name)
        || derived_from(world, relation, column)
            .into_iter()
            .any(|(relation, column)| named(&world.relations[relation].columns[column].name))
}

/// Does a derived column show the value to this session, for some rows at least?
fn shown_elsewhere(world: &World, grants: &[Grant], relation: usize, column: usize) -> bool {
    derived_from(world, relation, column)
        .into_iter()
        .any(|(relation, column)| matches!(cell(world, grants, relation, column), Cell::Raw | Cell::Rows(_)))
}

/// The columns that derive from this one, or from the parent's that reads it too.
fn derived_from(world: &World, relation: usize, column: usize) -> Vec<(usize, usize)> {
    let mut found = vec![(relation, column)];
    let name = &world.relations[relation].columns[column].name;
    if let Some(parent) = world.relations[relation].parent
        && let Some(position) = world.relations[parent].position(name)
    {
        found.push((parent, position));
    }
    let own = found.len();
    let mut place = 0;
    while let Some(source) = found.get(place).copied() {
        for (relation, other) in world.relations.iter().enumerate() {
            for (position, column) in other.columns.iter().enumerate() {
                let derives = column.derived.iter().flatten().any(|from| *from == source);
                if derives && !found.contains(&(relation, position)) {
                    found.push((relation, position));
                }
            }
        }
        place += 1;
    }
    found.split_off(own)
}
