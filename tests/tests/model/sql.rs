//! Generated SQL as a tree that can be made smaller.

use crate::kinds::{Class, quoted};

/// A piece of SQL.
#[derive(Clone, Debug, Default)]
pub struct Node {
    /// Expressions have one.
    pub class: Option<Class>,
    pub parts: Vec<Part>,
}

#[derive(Clone, Debug)]
pub enum Part {
    Text(String),
    Node(Node),
    /// The statement stands without it.
    Optional(Node),
    /// One of them at least, and what stands between.
    List(Vec<Node>, &'static str),
}

impl From<&str> for Part {
    fn from(text: &str) -> Part {
        Part::Text(text.to_owned())
    }
}

impl From<String> for Part {
    fn from(text: String) -> Part {
        Part::Text(text)
    }
}

impl From<Node> for Part {
    fn from(node: Node) -> Part {
        Part::Node(node)
    }
}

/// A node without a class.
macro_rules! sql {
    ($($part:expr),* $(,)?) => {
        $crate::sql::Node { class: None, parts: vec![$($crate::sql::Part::from($part)),*] }
    };
}

/// An expression.
macro_rules! expr {
    ($class:expr; $($part:expr),* $(,)?) => {
        $crate::sql::Node { class: Some($class), parts: vec![$($crate::sql::Part::from($part)),*] }
    };
}

pub(crate) use {expr, sql};

impl Node {
    pub fn text(&self) -> String {
        let mut text = String::new();
        self.write(&mut text);
        text
    }

    fn write(&self, text: &mut String) {
        for part in &self.parts {
            match part {
                Part::Text(part) => text.push_str(part),
                Part::Node(node) | Part::Optional(node) => node.write(text),
                Part::List(nodes, between) => {
                    for (index, node) in nodes.iter().enumerate() {
                        text.push_str(if index > 0 { between } else { "" });
                        node.write(text);
                    }
                }
            }
        }
    }

    /// The same with one thing left out or put simpler, the greatest changes first. Not all of
    /// them need be SQL that makes sense.
    pub fn smaller(&self) -> Vec<Node> {
        let mut found = Vec::new();
        for (index, part) in self.parts.iter().enumerate() {
            match part {
                Part::Text(_) => {}
                Part::Optional(_) => found.push(self.with(index, None)),
                Part::Node(node) => {
                    found.extend(
                        node.simpler().into_iter().map(|node| self.with(index, Some(Part::Node(node)))),
                    );
                }
                Part::List(nodes, between) => {
                    for left_out in 0..nodes.len() {
                        let mut rest = nodes.clone();
                        rest.remove(left_out);
                        if !rest.is_empty() {
                            found.push(self.with(index, Some(Part::List(rest, between))));
                        }
                    }
                    for (place, node) in nodes.iter().enumerate() {
                        for simpler in node.simpler() {
                            let mut changed = nodes.clone();
                            changed[place] = simpler;
                            found.push(self.with(index, Some(Part::List(changed, between))));
                        }
                    }
                }
            }
        }
        for (index, part) in self.parts.iter().enumerate() {
            match part {
                Part::Text(_) => {}
                Part::Node(node) => {
                    found.extend(
                        node.smaller().into_iter().map(|node| self.with(index, Some(Part::Node(node)))),
                    );
                }
                Part::Optional(node) => {
                    found.extend(
                        node.smaller().into_iter().map(|node| self.with(index, Some(Part::Optional(node)))),
                    );
                }
                Part::List(nodes, between) => {
                    for (place, node) in nodes.iter().enumerate() {
                        for smaller in node.smaller() {
                            let mut changed = nodes.clone();
                            changed[place] = smaller;
                            found.push(self.with(index, Some(Part::List(changed, between))));
                        }
                    }
                }
            }
        }
        found
    }

    fn with(&self, index: usize, part: Option<Part>) -> Node {
        let mut changed = self.clone();
        match part {
            Some(part) => changed.parts[index] = part,
            None => drop(changed.parts.remove(index)),
        }
        changed
    }

    /// What may stand in an expression's place: a literal, or an expression in it of its class.
    fn simpler(&self) -> Vec<Node> {
        let Some(class) = self.class else { return Vec::new() };
        let mut found = Vec::new();
        self.inside(class, &mut found);
        let value = class.values()[0];
        let literal = expr![class; format!("{}::{}", quoted(value), class.sql())];
        if self.text() != literal.text() && !self.is_column() {
            found.push(literal);
        }
        found
    }

    fn is_column(&self) -> bool {
        self.parts.iter().all(|part| matches!(part, Part::Text(_)))
    }

    fn inside(&self, class: Class, found: &mut Vec<Node>) {
        for part in &self.parts {
            let nodes = match part {
                Part::Text(_) => continue,
                Part::Node(node) | Part::Optional(node) => std::slice::from_ref(node),
                Part::List(nodes, _) => nodes,
            };
            for node in nodes {
                if node.class == Some(class) {
                    found.push(node.clone());
                }
                node.inside(class, found);
            }
        }
    }
}
