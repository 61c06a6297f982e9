//! Random writes, and the same as the model says it: on the rows that grants cover, with values
//! and conditions over what the session sees.

use crate::bench::Place;
use crate::flesh::{any, seen};
use crate::grants::{Cell, cell};
use crate::maker::{Item, Maker};
use crate::random::Random;
use crate::sql::{Node, Part, sql};
use crate::world::{Shape, ident};

/// A write through the proxy, and what must come of it.
#[derive(Clone, Debug)]
pub struct Write {
    pub relation: usize,
    /// As the user sends it.
    pub text: String,
    /// As the owner of the tables does it, RETURNING's rows included.
    pub expected: String,
    /// Grants do not cover it: it must be refused.
    pub refused: bool,
    /// It assigns columns that some grant's rows may hang on, or from columns that show for other
    /// rows than those which are written: it may be refused.
    pub doubtful: bool,
}

const ROW: &str = "x";

/// A write to some table of the place that has none above or below it; None where there is none.
pub fn write(place: &Place, random: &mut Random) -> Option<Write> {
    let world = &place.world;
    let fits = |number: &usize| {
        let relation = &world.relations[*number];
        relation.shape == Shape::Table
            && !world.relations.iter().any(|other| other.parent == Some(*number))
            && relation.key.iter().all(|key| !world.is_protected(*number, *key))
            && place.there[*number].iter().all(|there| *there)
    };
    let tables: Vec<usize> = (0..world.relations.len()).filter(fits).collect();
    if tables.is_empty() {
        return None;
    }
    let relation = *random.pick(&tables);
    let mut maker = Maker::new(random, world, &place.there);
    maker.alone = true;
    let (columns, _) = maker.columns_of(relation);
    maker.scopes.push(vec![Item { alias: ROW.to_owned(), columns, ..Item::default() }]);
    Some(match maker.random.below(3) {
        0 => delete(place, relation, &mut maker),
        _ => update(place, relation, &mut maker),
    })
}

fn update(place: &Place, relation: usize, maker: &mut Maker<'_>) -> Write {
    let of = &place.world.relations[relation];
    let free: Vec<usize> = (0..of.columns.len())
        .filter(|column| {
            !of.key.contains(column)
                && of.columns[*column].derived.is_none()
                && of.columns[*column].name != "ref"
        })
        .collect();
    let assigned = maker.random.some(&free);
    let values: Vec<(usize, String)> = assigned
        .iter()
        .map(|column| {
            let kind = of.columns[*column].kind;
            let value = match maker.random.percent(50) {
                true => maker.literal(kind.class),
                false => maker.expression(kind.class, 1),
            };
            (*column, format!("CAST({} AS {})", value.text(), kind.cast_name()))
        })
        .collect();
    let condition = maker.condition(1).text();
    let returned = returning(maker);
    let set: Vec<String> = values
        .iter()
        .map(|(column, value)| format!("{} = {value}", ident(&of.columns[*column].name)))
        .collect();
    let new: Vec<String> =
        values.iter().enumerate().map(|(place, (_, value))| format!("{value} AS new_{place}")).collect();
    let put: Vec<String> = values
        .iter()
        .enumerate()
        .map(|(place, (column, _))| format!("{} = n.new_{place}", ident(&of.columns[*column].name)))
        .collect();
    let (confined, refused) = confined(place, relation, &assigned);
    let table = place.world.qualified(relation);
    let text = format!("UPDATE {table} AS {ROW} SET {} WHERE {condition}{returned}", set.join(", "));
    let expected = expected(
        place,
        relation,
        &format!("{}, {}", keys(place, relation, ROW), new.join(", ")),
        &condition,
        &format!(
            "UPDATE {table} AS r SET {} FROM n WHERE {}{confined} RETURNING r.*",
            put.join(", "),
            same_key(place, relation)
        ),
        &returned,
    );
    Write { relation, text, expected, refused, doubtful: true }
}

fn delete(place: &Place, relation: usize, maker: &mut Maker<'_>) -> Write {
    let condition = maker.condition(2).text();
    let returned = returning(maker);
    let all: Vec<usize> = (0..place.world.relations[relation].columns.len()).collect();
    let (confined, refused) = confined(place, relation, &all);
    let table = place.world.qualified(relation);
    let text = format!("DELETE FROM {table} AS {ROW} WHERE {condition}{returned}");
    let expected = expected(
        place,
        relation,
        &keys(place, relation, ROW),
        &condition,
        &format!(
            "DELETE FROM {table} AS r USING n WHERE {}{confined} RETURNING r.*",
            same_key(place, relation)
        ),
        &returned,
    );
    Write { relation, text, expected, refused, doubtful: false }
}

fn returning(maker: &mut Maker<'_>) -> String {
    let list = (0..1 + maker.random.below(3))
        .map(|_| {
            let value = match maker.random.below(4) {
                0 => sql![format!("{ROW}::text")],
                _ => maker.anything(1),
            };
            sql!["(", value, ")::text"]
        })
        // In RETURNING it comes as one column, the row.
        .filter(|value| !value.text().contains("ROW("))
        .chain([sql![format!("{ROW}.id")]])
        .collect();
    let list: Node = sql![" RETURNING ", Part::List(list, ", ")];
    list.text()
}

/// The condition on a row `r` of the table that grants set for writing these columns; and does any
/// of them have no grant at all?
fn confined(place: &Place, relation: usize, columns: &[usize]) -> (String, bool) {
    let mut text = String::new();
    let mut refused = false;
    for column in columns {
        match cell(&place.world, &place.grants, relation, *column) {
            Cell::Raw => {}
            Cell::Rows(rows) => text.push_str(&format!(" AND ({})", any(&rows))),
            Cell::Mask | Cell::Blocked => refused = true,
        }
    }
    // Names without a qualifier in it are the table's: those of `n` are none of its columns'.
    (text, refused)
}

fn keys(place: &Place, relation: usize, row: &str) -> String {
    let of = &place.world.relations[relation];
    let keys = of.key.iter().enumerate();
    keys.map(|(place, key)| format!("{row}.{} AS key_{place}", ident(&of.columns[*key].name)))
        .collect::<Vec<_>>()
        .join(", ")
}

fn same_key(place: &Place, relation: usize) -> String {
    let of = &place.world.relations[relation];
    let keys = of.key.iter().enumerate();
    keys.map(|(place, key)| format!("r.{} = n.key_{place}", ident(&of.columns[*key].name)))
        .collect::<Vec<_>>()
        .join(" AND ")
}

/// The owner's statement: the rows that are meant, `n`, from what the session sees; the write; and
/// of the written rows what the session sees again.
fn expected(
    place: &Place,
    relation: usize,
    new: &str,
    condition: &str,
    write: &str,
    returned: &str,
) -> String {
    let table = place.world.qualified(relation);
    let before = seen(&place.world, &place.grants, relation, &table);
    let after = seen(&place.world, &place.grants, relation, "written");
    let list = returned.strip_prefix(" RETURNING ").unwrap_or("1");
    format!(
        "WITH s AS MATERIALIZED ({before}), n AS MATERIALIZED (SELECT {new} FROM s AS {ROW} WHERE {condition}), \
         written AS ({write}) SELECT {list} FROM ({after}) AS {ROW}"
    )
}

/// All that a table holds, in the order of its key.
pub fn contents(place: &Place, relation: usize) -> String {
    let of = &place.world.relations[relation];
    let keys: Vec<String> = of.key.iter().map(|key| ident(&of.columns[*key].name)).collect();
    format!("SELECT * FROM {} ORDER BY {}", place.world.qualified(relation), keys.join(", "))
}
