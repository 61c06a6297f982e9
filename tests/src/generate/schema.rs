//! What statements are made up over.

use std::collections::BTreeSet;

use tokio_postgres::Client;

/// What an expression of a column's type may be combined with.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Kind {
    Integer,
    Number,
    Text,
    Boolean,
    /// `timestamptz`, and `date`, which goes into it.
    Time,
    /// `jsonb`
    Json,
    /// Anything else: only what any type can do.
    Other,
}

impl Kind {
    pub const ALL: [Kind; 7] =
        [Kind::Integer, Kind::Number, Kind::Text, Kind::Boolean, Kind::Time, Kind::Json, Kind::Other];

    /// Of a type by its name in `pg_type`.
    pub fn of(type_name: &str) -> Kind {
        match type_name {
            "int2" | "int4" | "int8" => Kind::Integer,
            "numeric" | "float4" | "float8" => Kind::Number,
            "text" | "varchar" | "bpchar" | "name" => Kind::Text,
            "bool" => Kind::Boolean,
            "timestamptz" | "timestamp" | "date" => Kind::Time,
            "jsonb" => Kind::Json,
            _ => Kind::Other,
        }
    }
}

#[derive(Clone, Debug)]
pub struct Column {
    pub name: String,
    pub kind: Kind,
}

#[derive(Clone, Debug)]
pub struct Relation {
    pub schema: String,
    pub name: String,
    pub columns: Vec<Column>,
    /// May a statement write to it?
    pub writable: bool,
}

/// The relations that statements name.
#[derive(Clone, Debug, Default)]
pub struct Schema {
    pub relations: Vec<Relation>,
}

impl Schema {
    /// All tables, partitions and views of the database but the system's.
    pub async fn live(client: &Client) -> Schema {
        let rows = client
            .query(
                "SELECT n.nspname::text, c.relname::text, a.attname::text, \
                        coalesce(b.typname, t.typname)::text, c.relkind IN ('r', 'p') \
                   FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace \
                   JOIN pg_attribute a ON a.attrelid = c.oid JOIN pg_type t ON t.oid = a.atttypid \
                   LEFT JOIN pg_type b ON b.oid = nullif(t.typbasetype, 0) \
                  WHERE c.relkind IN ('r', 'p', 'v', 'm') AND a.attnum > 0 AND NOT a.attisdropped \
                    AND n.nspname NOT IN ('pg_catalog', 'information_schema', 'pg_toast') \
                  ORDER BY n.nspname, c.relname, a.attnum",
                &[],
            )
            .await
            .expect("the columns of all relations");
        let mut schema = Schema::default();
        for row in rows {
            let (in_schema, name): (String, String) = (row.get(0), row.get(1));
            let column = Column { name: row.get(2), kind: Kind::of(row.get(3)) };
            match schema.relations.last_mut() {
                Some(last) if last.schema == in_schema && last.name == name => last.columns.push(column),
                _ => schema.relations.push(Relation {
                    schema: in_schema,
                    name,
                    columns: vec![column],
                    writable: row.get(4),
                }),
            }
        }
        schema
    }

    /// The names of all schemas.
    pub fn schemas(&self) -> Vec<String> {
        let names: BTreeSet<&String> = self.relations.iter().map(|relation| &relation.schema).collect();
        names.into_iter().cloned().collect()
    }
}
