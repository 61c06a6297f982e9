//! Statements that a grammar makes up: seeded, over a given schema, from plain queries to ones that
//! are no SQL any more, written in every way that PostgreSQL's lexer allows.
//!
//! Two halves that know nothing of each other: `query`, `expression`, `from`, `write` and `utility`
//! choose what is said, as lexemes; `spell` chooses how it is written. `mutate` stands between.

mod dice;
mod expression;
mod from;
mod lexeme;
mod mutate;
mod query;
mod schema;
mod spell;
mod utility;
mod write;

pub use dice::Dice;
pub use schema::{Column, Kind, Relation, Schema};

use lexeme::{Lexeme, lexemes};
use spell::{Hand, spell};

/// What a generator may say.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Range {
    /// Every kind of statement, several in one message now and then, and texts that are no SQL.
    Everything,
    /// Queries and writes that can be rolled back and say the same whenever they run.
    Repeatable,
}

/// A source of statements.
pub struct Generator<'s> {
    schema: &'s Schema,
    range: Range,
    dice: Dice,
    out: Vec<Lexeme>,
    /// What FROM brings, innermost last.
    scopes: Vec<Vec<Source>>,
    /// Common table expressions in scope.
    ctes: Vec<Source>,
    /// Names given so far, so that each is another.
    named: usize,
    /// How much deeper this may nest.
    room: usize,
    /// The relations that this statement is mostly about: few, so that their names meet.
    about: Vec<Relation>,
}

/// What a name in FROM stands for.
#[derive(Clone, Debug)]
struct Source {
    name: String,
    columns: Vec<Column>,
}

/// How deeply a statement's queries and expressions nest, at the least and at the most.
const DEPTH: (usize, usize) = (1, 6);

impl<'s> Generator<'s> {
    pub fn new(seed: u64, schema: &'s Schema, range: Range) -> Generator<'s> {
        let dice = Dice::new(seed);
        Generator {
            schema,
            range,
            dice,
            out: Vec::new(),
            scopes: Vec::new(),
            ctes: Vec::new(),
            named: 0,
            room: 0,
            about: Vec::new(),
        }
    }

    /// The next message: a statement, or several.
    pub fn message(&mut self) -> String {
        let statements = match self.range {
            Range::Everything if self.dice.one_in(12) => 1 + self.dice.below(3),
            _ => 1,
        };
        let mut all = Vec::new();
        for number in 0..statements {
            if number > 0 {
                all.push(Lexeme::Mark(";".to_owned()));
            }
            all.extend(self.statement());
        }
        let hand = match (self.range, self.dice.below(10)) {
            (_, 0..=3) => Hand::Plain,
            (Range::Everything, 8..) => Hand::Wild,
            _ => Hand::Odd,
        };
        let mutated = match self.range {
            Range::Everything => self.dice.one_in(5),
            Range::Repeatable => self.dice.one_in(20),
        };
        if mutated {
            let other = self.statement();
            mutate::mutate(&mut all, &other, &mut self.dice);
        }
        spell(&all, hand, &mut self.dice)
    }

    fn statement(&mut self) -> Vec<Lexeme> {
        let room = DEPTH.0 + self.dice.below(DEPTH.1 - DEPTH.0 + 1);
        (self.scopes, self.ctes, self.named, self.room) = (Vec::new(), Vec::new(), 0, room);
        self.about =
            (0..=self.dice.below(3)).map(|_| self.dice.pick(&self.schema.relations).clone()).collect();
        match (self.range, self.dice.below(20)) {
            (_, 0..=2) => self.write(),
            (Range::Everything, 3..=6) => self.utility(),
            (Range::Repeatable, 3) => {
                self.say("EXPLAIN ( COSTS off )");
                self.any_query();
            }
            _ => self.any_query(),
        }
        std::mem::take(&mut self.out)
    }

    /// Words, marks, operators, numbers.
    fn say(&mut self, part: &str) {
        self.out.extend(lexemes(part));
    }

    /// One of several ways.
    fn say_one(&mut self, parts: &[&str]) {
        let part = *self.dice.pick(parts);
        self.say(part);
    }

    fn name(&mut self, name: &str) {
        self.out.push(Lexeme::Name(name.to_owned()));
    }

    fn text(&mut self, text: &str) {
        self.out.push(Lexeme::Text(text.to_owned()));
    }

    /// A name that nothing has yet.
    fn fresh(&mut self, prefix: &str) -> String {
        self.named += 1;
        match self.range {
            // Another name for what is already there is where meaning goes astray.
            Range::Everything if self.dice.one_in(5) => self.relation().name,
            _ if self.dice.one_in(12) => format!("{prefix} \"{}\"", self.named),
            _ => format!("{prefix}{}", self.named),
        }
    }

    /// Any relation, mostly one of those that the statement is about.
    fn relation(&mut self) -> Relation {
        match self.dice.one_in(5) || self.about.is_empty() {
            true => self.dice.pick(&self.schema.relations).clone(),
            false => self.dice.pick(&self.about).clone(),
        }
    }

    /// `(`, what `inner` says, `)`
    fn in_parentheses(&mut self, inner: impl FnOnce(&mut Self)) {
        self.say("(");
        inner(self);
        self.say(")");
    }

    /// `count` times `each`, with commas between.
    fn list(&mut self, count: usize, mut each: impl FnMut(&mut Self, usize)) {
        for number in 0..count {
            if number > 0 {
                self.say(",");
            }
            each(self, number);
        }
    }

    /// Goes a level deeper, where there is room.
    fn deeper<T>(&mut self, inner: impl FnOnce(&mut Self) -> T) -> T {
        self.room = self.room.saturating_sub(1);
        let value = inner(self);
        self.room += 1;
        value
    }

    fn kinds(&mut self, most: usize) -> Vec<Kind> {
        (0..=self.dice.below(most)).map(|_| *self.dice.pick(&Kind::ALL)).collect()
    }
}
