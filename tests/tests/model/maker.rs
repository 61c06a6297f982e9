//! What queries are made from: names in scope, columns, literals.

use crate::kinds::{Class, quoted};
use crate::random::Random;
use crate::sql::{Node, expr};
use crate::world::{World, ident};

/// Columns by name, and of what kind they are.
type Columns = Vec<(String, Class)>;

/// Makes the queries of one world.
pub struct Maker<'a> {
    pub random: &'a mut Random,
    pub world: &'a World,
    /// By relation and column: does the session's database have it?
    pub there: &'a [Vec<bool>],
    /// The innermost last.
    pub scopes: Vec<Vec<Item>>,
    /// Common table expressions in scope: name and columns.
    pub common: Vec<(String, Vec<(String, Class)>)>,
    /// Values of `$1` and so on, where the query is to have some.
    pub parameters: Option<Vec<Parameter>>,
    /// No sub-selects.
    pub alone: bool,
    names: usize,
}

/// A parameter's class and value.
#[derive(Clone, Debug)]
pub struct Parameter {
    pub class: Class,
    pub value: String,
}

/// Something in FROM.
#[derive(Clone, Debug, Default)]
pub struct Item {
    /// As SQL.
    pub alias: String,
    /// With the schema, where that may stand before a column.
    pub qualified: Option<String>,
    /// Names as SQL.
    pub columns: Vec<(String, Class)>,
    /// Columns of the relation that this session may not use.
    pub blocked: Vec<(String, Class)>,
}

impl<'a> Maker<'a> {
    pub fn new(random: &'a mut Random, world: &'a World, there: &'a [Vec<bool>]) -> Maker<'a> {
        Maker {
            random,
            world,
            there,
            scopes: Vec::new(),
            common: Vec::new(),
            parameters: None,
            alone: false,
            names: 0,
        }
    }

    /// A new name for an alias or a column.
    pub fn name(&mut self, start: &str) -> String {
        self.names += 1;
        match self.random.below(12) {
            0 => format!("\"{} {}\"", start.to_uppercase(), self.names),
            1 => format!("email{}", self.names),
            _ => format!("{start}{}", self.names),
        }
    }

    /// A column of the class in scope.
    pub fn column(&mut self, class: Class) -> Option<Node> {
        let depth = match self.scopes.len() {
            0 => return None,
            1 => 0,
            scopes if self.random.percent(25) => self.random.below(scopes),
            scopes => scopes - 1,
        };
        let mut found: Vec<(usize, String)> = Vec::new();
        let denied = self.random.below(1000) < 4;
        for (index, item) in self.scopes[depth].iter().enumerate() {
            let columns = if denied { &item.blocked } else { &item.columns };
            found
                .extend(columns.iter().filter(|(_, of)| *of == class).map(|(name, _)| (index, name.clone())));
        }
        if found.is_empty() {
            return None;
        }
        let (index, name) = self.random.pick(&found).clone();
        let item = self.scopes[depth][index].clone();
        let bare = self.is_unique(&name) && self.random.percent(45);
        let text = match &item.qualified {
            _ if bare => name,
            Some(qualified) if self.random.percent(25) => format!("{qualified}.{name}"),
            _ => format!("{}.{name}", item.alias),
        };
        Some(expr![class; text])
    }

    fn is_unique(&self, name: &str) -> bool {
        let items = self.scopes.iter().flatten();
        let named = items.flat_map(|item| item.columns.iter().chain(&item.blocked));
        named.filter(|(other, _)| other == name).count() == 1
    }

    /// The alias of an item of the innermost scope, whose row can be used as a value.
    pub fn row(&mut self) -> Option<Item> {
        let items: Vec<Item> =
            self.scopes.last()?.iter().filter(|item| !item.columns.is_empty()).cloned().collect();
        if items.is_empty() {
            return None;
        }
        let item = self.random.pick(&items).clone();
        // A column of that name would be meant before the row.
        let hidden = self
            .scopes
            .iter()
            .flatten()
            .any(|other| other.columns.iter().chain(&other.blocked).any(|(name, _)| *name == item.alias));
        let whole = item.blocked.is_empty() || self.random.percent(4);
        (!hidden && whole).then_some(item)
    }

    pub fn leaf(&mut self, class: Class) -> Node {
        if self.random.percent(80)
            && let Some(column) = self.column(class)
        {
            return column;
        }
        self.literal(class)
    }

    pub fn literal(&mut self, class: Class) -> Node {
        let value = *self.random.pick(class.values());
        if self.random.percent(4) {
            return expr![class; format!("NULL::{}", class.sql())];
        }
        if let Some(parameters) = &mut self.parameters
            && self.random.percent(50)
        {
            parameters.push(Parameter { class, value: value.to_owned() });
            return expr![class; format!("${}::{}", parameters.len(), class.sql())];
        }
        let text = match class {
            Class::Int if !value.starts_with('-') => value.to_owned(),
            Class::Bool => value.to_owned(),
            Class::Text if self.random.percent(8) => format!("$q${value}$q$::text"),
            Class::Text if self.random.percent(8) => {
                format!("E'{}'::text", value.replace('\\', "\\\\").replace('\'', "\\'"))
            }
            _ if self.random.percent(25) => format!("CAST({} AS {})", quoted(value), class.sql()),
            _ => format!("{}::{}", quoted(value), class.sql()),
        };
        expr![class; text]
    }

    /// The columns of a relation that are there, and those that are not.
    pub fn columns_of(&self, relation: usize) -> (Columns, Columns) {
        let of = &self.world.relations[relation];
        let mut columns = (Vec::new(), Vec::new());
        for (column, there) in of.columns.iter().zip(&self.there[relation]) {
            let list = if *there { &mut columns.0 } else { &mut columns.1 };
            list.push((ident(&column.name), column.kind.class));
        }
        columns
    }

    pub fn any_class(&mut self) -> Class {
        *self.random.pick(&Class::ALL)
    }

    /// A class that a column in scope has.
    pub fn class_here(&mut self) -> Class {
        let classes: Vec<Class> = self
            .scopes
            .last()
            .into_iter()
            .flatten()
            .flat_map(|item| &item.columns)
            .map(|(_, class)| *class)
            .collect();
        if classes.is_empty() { Class::Text } else { *self.random.pick(&classes) }
    }
}
