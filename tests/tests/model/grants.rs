//! Grants, and what they let a session see: written from DESIGN's words, without the product's code.

use tokio_postgres::Client;

use crate::kinds::Class;
use crate::random::Random;
use crate::world::{Column, Relation, Shape, World, ident};

#[derive(Clone, Debug)]
pub enum Named {
    Column(usize, usize),
    /// All protected columns of a relation.
    Relation(usize),
    Category(String),
}

#[derive(Clone, Debug)]
pub struct Grant {
    pub named: Vec<Named>,
    /// A condition on the one relation that the columns are of.
    pub rows: Option<Condition>,
    pub hide: bool,
}

/// A row condition.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Condition {
    /// In the console's grammar.
    pub text: String,
    /// The same in SQL, which differs for domains over enums.
    pub sql: String,
}

/// What a session sees of one column of one relation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Cell {
    Raw,
    /// Raw in the rows of any of these conditions, else the mask.
    Rows(Vec<String>),
    Mask,
    /// The session's database has no such column.
    Blocked,
}

impl Grant {
    pub fn columns(&self, world: &World) -> String {
        let shown = |named: &Named| match named {
            Named::Column(relation, column) => format!(
                "{}.{}",
                world.qualified(*relation),
                ident(&world.relations[*relation].columns[*column].name)
            ),
            Named::Relation(relation) => format!("{}.*", world.qualified(*relation)),
            Named::Category(name) => format!("category:{name}"),
        };
        self.named.iter().map(shown).collect::<Vec<_>>().join(", ")
    }

    /// Does it name this very column?
    fn names(&self, world: &World, relation: usize, column: usize) -> bool {
        let of = &world.relations[relation].columns[column];
        self.named.iter().any(|named| match named {
            Named::Column(other, position) => (*other, *position) == (relation, column),
            Named::Relation(other) => *other == relation && world.is_protected(relation, column),
            // A column that derives from others has no category of its own: all of them must be covered.
            Named::Category(name) => of.label.as_ref().is_some_and(|label| label.category == *name),
        })
    }

    /// The column, or the one that it inherits.
    fn covers(&self, world: &World, relation: usize, column: usize) -> bool {
        if self.names(world, relation, column) {
            return true;
        }
        let of = &world.relations[relation];
        of.parent.is_some_and(|parent| {
            let position = world.relations[parent].position(&of.columns[column].name);
            position.is_some_and(|position| self.covers(world, parent, position))
        })
    }

    fn speaks_of(&self, world: &World, relation: usize) -> bool {
        let of = &world.relations[relation];
        (0..of.columns.len()).any(|column| self.names(world, relation, column))
            || of.parent.is_some_and(|parent| self.speaks_of(world, parent))
    }

    /// Asks for it and has it approved.
    /// `actions`: as the console takes them; None: to read.
    pub async fn obtain(&self, world: &World, actions: Option<&str>, asker: &Client, approver: &Client) {
        let columns = self.columns(world);
        let others = self.rows.as_ref().map(|_| if self.hide { "hide" } else { "mask" });
        let rows = self.rows.as_ref().map(|rows| rows.text.as_str());
        let row = asker
            .query_one(
                "SELECT request_id FROM pgwarrant.request($1, rows => $2, reason => 'a model', duration => '2 h', \
                 others => $3, actions => $4)",
                &[&columns, &rows, &others, &actions],
            )
            .await
            .unwrap_or_else(|error| panic!("a request for {columns} where {rows:?}: {error:?}"));
        let request: i64 = row.get(0);
        approver
            .execute("SELECT * FROM pgwarrant.approve($1)", &[&request])
            .await
            .unwrap_or_else(|error| panic!("the request for {columns} is approved: {error:?}"));
    }
}

/// What the grants let a session see of a column.
pub fn cell(world: &World, grants: &[Grant], relation: usize, column: usize) -> Cell {
    if !world.is_protected(relation, column) || all_rows(world, grants, relation, column) {
        return Cell::Raw;
    }
    let rows: Vec<String> = grants
        .iter()
        .filter(|grant| grant.covers(world, relation, column))
        .filter_map(|grant| Some(grant.rows.as_ref()?.sql.clone()))
        .collect();
    if !rows.is_empty() {
        return Cell::Rows(rows);
    }
    if world.is_block(relation, column) { Cell::Blocked } else { Cell::Mask }
}

fn all_rows(world: &World, grants: &[Grant], relation: usize, column: usize) -> bool {
    if !world.is_protected(relation, column) {
        return true;
    }
    if grants.iter().any(|grant| grant.rows.is_none() && grant.covers(world, relation, column)) {
        return true;
    }
    let of = &world.relations[relation].columns[column];
    let inherited = world.relations[relation].parent.and_then(|parent| {
        let position = world.relations[parent].position(&of.name)?;
        Some(all_rows(world, grants, parent, position))
    });
    inherited == Some(true)
        || of.derived.as_ref().is_some_and(|sources| {
            sources.iter().all(|(relation, column)| all_rows(world, grants, *relation, *column))
        })
}

/// The conditions of the only rows that are there; None: all are.
pub fn only_rows(world: &World, grants: &[Grant], relation: usize) -> Option<Vec<String>> {
    let here: Vec<&Grant> = grants.iter().filter(|grant| grant.speaks_of(world, relation)).collect();
    let rows: Vec<String> = here.iter().filter_map(|grant| Some(grant.rows.as_ref()?.sql.clone())).collect();
    let hides = here.iter().any(|grant| grant.hide && grant.rows.is_some());
    (hides && rows.len() == here.len()).then_some(rows)
}

/// Grants as somebody may have them in this world.
pub fn grants(world: &World, random: &mut Random) -> Vec<Grant> {
    let protected: Vec<(usize, usize)> = (0..world.relations.len())
        .flat_map(|relation| {
            (0..world.relations[relation].columns.len()).map(move |column| (relation, column))
        })
        .filter(|(relation, column)| world.is_protected(*relation, *column))
        .collect();
    if protected.is_empty() {
        return Vec::new();
    }
    let count = *random.pick(&[0, 0, 1, 1, 2, 2, 3, 4]);
    (0..count).map(|_| grant(world, &protected, random)).collect()
}

fn grant(world: &World, protected: &[(usize, usize)], random: &mut Random) -> Grant {
    let (relation, column) = *random.pick(protected);
    if random.percent(15) {
        let labels: Vec<&str> = world
            .relations
            .iter()
            .flat_map(|relation| &relation.columns)
            .filter_map(|column| Some(column.label.as_ref()?.category.as_str()))
            .collect();
        return Grant {
            named: vec![Named::Category((*random.pick(&labels)).to_owned())],
            rows: None,
            hide: false,
        };
    }
    let named = match random.below(3) {
        0 => vec![Named::Relation(relation)],
        1 => vec![Named::Column(relation, column)],
        _ => {
            let here: Vec<(usize, usize)> =
                protected.iter().filter(|(other, _)| *other == relation).copied().collect();
            random.some(&here).into_iter().map(|(relation, column)| Named::Column(relation, column)).collect()
        }
    };
    let rows = random.percent(65).then(|| condition(&world.relations[relation], 2, random));
    let hide = rows.is_some() && random.percent(35);
    Grant { named, rows, hide }
}

fn condition(relation: &Relation, depth: usize, random: &mut Random) -> Condition {
    if depth > 0 && random.percent(40) {
        let (one, other) = (condition(relation, depth - 1, random), condition(relation, depth - 1, random));
        let form = random.below(3);
        let joined = |one: &str, other: &str| match form {
            0 => format!("({one}) AND ({other})"),
            1 => format!("({one}) OR {other}"),
            _ => format!("NOT ({one})"),
        };
        return Condition { text: joined(&one.text, &other.text), sql: joined(&one.sql, &other.sql) };
    }
    // By the key in the first place.
    let column = match random.percent(50) && relation.shape != Shape::View {
        true => &relation.columns[*random.pick(&relation.key)],
        false => random.pick(&relation.columns),
    };
    let name = ident(&column.name);
    let test = test(column, random);
    // An enum's operators do not take a domain over it beside a literal.
    let operand =
        if column.kind.cast_name() == "public.d_mood" { format!("{name}::text") } else { name.clone() };
    Condition { text: format!("{name}{test}"), sql: format!("{operand}{test}") }
}

/// What is asked of a column, as it follows the column's name.
fn test(column: &Column, random: &mut Random) -> String {
    let class = column.kind.class;
    let literal = |random: &mut Random| match class {
        Class::Int if column.name == "id" => random.below(30).to_string(),
        Class::Int | Class::Num | Class::Bool => (*random.pick(class.values())).to_owned(),
        _ => format!("'{}'", random.pick(class.values()).replace('\'', "''")),
    };
    let null = format!(" IS {}NULL", if random.percent(50) { "NOT " } else { "" });
    match class {
        Class::Json | Class::Jsonb | Class::Texts | Class::Ints => null,
        Class::Text | Class::Int | Class::Num | Class::Date | Class::Uuid if random.percent(40) => {
            match random.below(3) {
                0 => format!(" >= {}", literal(random)),
                1 => format!(" BETWEEN {} AND {}", literal(random), literal(random)),
                _ => format!(" < {}", literal(random)),
            }
        }
        Class::Bool if random.percent(50) => String::new(),
        _ => match random.below(5) {
            0 => null,
            1 => format!(" <> {}", literal(random)),
            2 => format!(" NOT IN ({}, {})", literal(random), literal(random)),
            3 => format!(" IN ({}, {})", literal(random), literal(random)),
            _ => format!(" = {}", literal(random)),
        },
    }
}
