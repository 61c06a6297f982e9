//! What the operator says of a column.

use pgwarrant_masking::{Method, Partial, compile};

use crate::kinds::Kind;
use crate::random::Random;

#[derive(Clone, Debug)]
pub struct Label {
    pub category: String,
    pub method: Method,
    pub block: bool,
    pub nulls_show: bool,
    /// The configuration does not say `nulls_show`.
    silent: bool,
}

/// A label that fits the kind.
pub fn label(world: usize, kind: &Kind, random: &mut Random) -> Label {
    let category = format!("w{world}_{}", random.pick(&["identity", "contact", "money"]));
    loop {
        let method = method(kind, random);
        let silent = random.percent(60);
        let nulls_show = if silent { method.shows_nulls() } else { random.percent(50) };
        if compile(&method, &kind.sql_type(), &category, nulls_show).is_ok() {
            return Label { category, method, block: random.percent(7), nulls_show, silent };
        }
    }
}

fn method(kind: &Kind, random: &mut Random) -> Method {
    match random.below(9) {
        0 => Method::Redact,
        1 => Method::Null,
        2 => Method::Constant(random.pick(&kind.values()).clone()),
        3 => Method::Partial(Partial {
            first: random.below(3) as u32,
            last: 1 + random.below(2) as u32,
            fill: '*',
            width: random.percent(60).then_some(3),
        }),
        4 => Method::Email,
        5 => Method::Phone,
        6 => Method::Card,
        7 => Method::Hash,
        _ => Method::Token,
    }
}

impl Label {
    /// A `[[label]]` entry.
    pub fn toml(&self, pattern: &str) -> String {
        let mask = match &self.method {
            Method::Constant(value) => format!("{{ constant = {} }}", basic(value)),
            Method::Partial(partial) => {
                let width = partial
                    .width
                    .map_or_else(|| "keep_length = true".to_owned(), |width| format!("width = {width}"));
                let (first, last) = (partial.first, partial.last);
                format!("{{ partial = {{ first = {first}, last = {last}, {width} }} }}")
            }
            plain => format!("\"{}\"", plain.name()),
        };
        let mut entry = format!(
            "\n[[label]]\ncolumns = {}\ncategory = \"{}\"\nmask = {mask}\n",
            basic(pattern),
            self.category
        );
        if self.block {
            entry.push_str("ungranted = \"block\"\n");
        }
        if !self.silent {
            entry.push_str(&format!("nulls_show = {}\n", self.nulls_show));
        }
        entry
    }
}

/// A TOML string.
fn basic(text: &str) -> String {
    format!("\"{}\"", text.replace('\\', "\\\\").replace('"', "\\\""))
}
