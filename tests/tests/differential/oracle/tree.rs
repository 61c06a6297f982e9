//! What PostgreSQL's own grammar, as libpg_query (17) has it, sees in a text: its statements, and
//! the relations that each one names.

use std::ops::Range;

use serde_json::{Map, Value};

/// How a statement names a relation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Use {
    /// It is read, or concerned by a utility statement.
    Named,
    /// It is what an INSERT, UPDATE, DELETE or MERGE changes: no CTE hides it.
    Written,
    /// It comes to be by this statement, or lends its form to what does: no row of it is read.
    Made,
}

/// A relation that a statement names, and no CTE of that name is in scope.
#[derive(Clone, Debug)]
pub struct Reference {
    /// Empty where the statement names none.
    pub schema: String,
    pub name: String,
    pub usage: Use,
    /// The byte of the text at which it is named.
    pub location: usize,
    /// The columns and expressions that the query around it selects, where that query reads this
    /// relation alone.
    pub selects: Vec<Value>,
}

/// A statement.
#[derive(Clone, Debug)]
pub struct Parsed {
    /// Its bytes.
    pub text: Range<usize>,
    /// `SelectStmt`, …
    pub kind: String,
    pub references: Vec<Reference>,
}

/// Its statements; None: it is nothing that PostgreSQL 17 parses.
pub fn parse(text: &str) -> Option<Vec<Parsed>> {
    let parsed = pg_query::parse(text).ok()?;
    let statements = parsed.protobuf.stmts.iter().map(|statement| {
        // The crate's own walk of the tree skips some nodes; this form holds every one.
        let tree = serde_json::to_value(&statement.stmt).expect("a tree of strings and numbers");
        let kind = node(&tree).map(|(kind, _)| kind.to_owned()).unwrap_or_default();
        let mut walk = Walk::default();
        walk.value(&tree, Use::Named, &[]);
        let start = statement.stmt_location.max(0) as usize;
        // 0: the rest of the text.
        let end = if statement.stmt_len > 0 { start + statement.stmt_len as usize } else { text.len() };
        Parsed { text: start..end, kind, references: walk.references }
    });
    Some(statements.collect())
}

/// The kind and the fields of a node.
pub fn node(value: &Value) -> Option<(&str, &Map<String, Value>)> {
    let (kind, fields) = value.get("node")?.as_object()?.iter().next()?;
    Some((kind, fields.as_object()?))
}

#[derive(Default)]
struct Walk {
    /// The names of the CTEs in scope.
    ctes: Vec<String>,
    references: Vec<Reference>,
}

impl Walk {
    fn value(&mut self, value: &Value, usage: Use, selects: &[Value]) {
        match value {
            Value::Array(values) => values.iter().for_each(|value| self.value(value, usage, selects)),
            Value::Object(fields) if fields.contains_key("relpersistence") => {
                self.reference(fields, usage, selects);
            }
            Value::Object(fields) => self.fields(fields, usage, selects),
            _ => {}
        }
    }

    fn fields(&mut self, fields: &Map<String, Value>, usage: Use, selects: &[Value]) {
        // `{"node": {"InsertStmt": {…}}}` and its like; what stands in a field of its own type is
        // known by its fields.
        let kind = fields.iter().next().map(|(kind, _)| kind.as_str()).unwrap_or_default();
        if fields.len() == 1 && kind.starts_with(|first: char| first.is_ascii_uppercase()) {
            let usage_of = |field: &str| match (kind, field) {
                ("InsertStmt" | "UpdateStmt" | "DeleteStmt" | "MergeStmt", "relation") => Use::Written,
                ("CreateStmt", "relation") | ("ViewStmt", "view") | ("CreateSeqStmt", "sequence") => {
                    Use::Made
                }
                ("CompositeTypeStmt", "typevar") | ("TableLikeClause", "relation") => Use::Made,
                _ => Use::Named,
            };
            match fields[kind].as_object() {
                Some(inner) if kind == "RangeVar" => self.reference(inner, usage, selects),
                Some(inner) => self.scope(inner, &usage_of),
                None => {}
            }
            return;
        }
        // CREATE TABLE AS and SELECT INTO; the table that a partition or foreign table is made as.
        let made = fields.contains_key("table_space_name") || fields.contains_key("tableElts");
        let usage_of =
            |field: &str| if made && matches!(field, "rel" | "relation") { Use::Made } else { usage };
        if fields.contains_key("with_clause") {
            self.scope(fields, &|_| Use::Named);
        } else {
            fields.iter().for_each(|(field, value)| self.field(field, value, usage_of(field), selects));
        }
    }

    /// A node, with the CTEs that it brings.
    fn scope(&mut self, fields: &Map<String, Value>, usage_of: &dyn Fn(&str) -> Use) {
        let outer = self.ctes.len();
        if let Some(with) = fields.get("with_clause").and_then(Value::as_object) {
            let ctes = with.get("ctes").and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
            let name = |cte: &Value| Some(node(cte)?.1.get("ctename")?.as_str()?.to_owned());
            if with.get("recursive").and_then(Value::as_bool) == Some(true) {
                self.ctes.extend(ctes.iter().filter_map(name));
            }
            for cte in ctes {
                self.value(cte, Use::Named, &[]);
                self.ctes.extend(name(cte));
            }
        }
        // What the query selects matters where it reads one relation and no more.
        let alone = fields.get("from_clause").and_then(Value::as_array).is_some_and(|from| from.len() == 1);
        let selected = fields.get("target_list").and_then(Value::as_array).filter(|_| alone);
        for (field, value) in fields.iter().filter(|(field, _)| *field != "with_clause") {
            let selects = match field.as_str() {
                "from_clause" => selected.map(Vec::as_slice).unwrap_or_default(),
                _ => &[],
            };
            self.field(field, value, usage_of(field), selects);
        }
        self.ctes.truncate(outer);
    }

    fn field(&mut self, field: &str, value: &Value, usage: Use, selects: &[Value]) {
        // FOR UPDATE OF names aliases.
        if field != "locked_rels" {
            self.value(value, usage, selects);
        }
    }

    fn reference(&mut self, fields: &Map<String, Value>, usage: Use, selects: &[Value]) {
        let text = |field: &str| fields.get(field).and_then(Value::as_str).unwrap_or_default().to_owned();
        let (schema, name) = (text("schemaname"), text("relname"));
        if usage == Use::Named && schema.is_empty() && self.ctes.contains(&name) {
            return;
        }
        let location = fields.get("location").and_then(Value::as_u64).unwrap_or_default() as usize;
        self.references.push(Reference { schema, name, usage, location, selects: selects.to_vec() });
    }
}
