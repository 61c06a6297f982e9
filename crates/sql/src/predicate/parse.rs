//! The grammar of row predicates.

use pgwarrant_catalog::{Column as CatalogColumn, Relation};
use pgwarrant_masking::{BaseType, SqlType};

use super::value::{Literal, type_name, value};
use super::{Column, Comparison, Condition, Operand, Predicate, PredicateError, Value};
use crate::lexer::{Token, TokenKind, lex};
use crate::statement::Limits;

/// A predicate is for people to read and decide on.
const LIMITS: Limits = Limits { statement_bytes: 8 * 1024, statement_tokens: 2_000, nesting: 32 };
/// Literals in a predicate.
const TERMS: usize = 256;

/// Words of the grammar; a column with such a name is written in quotes.
pub(super) const KEYWORDS: [&str; 10] =
    ["and", "or", "not", "is", "in", "between", "null", "true", "false", "unknown"];

const FORMS: &str = "Compare a column with a literal (=, <>, <, <=, >, >=, IN, BETWEEN, IS NULL) and join such \
                     conditions with AND, OR, NOT and parentheses.";

/// Parses `text` and checks it against `relation`: every name is one of its columns, every literal
/// one of the column's type.
pub fn parse(text: &str, relation: &Relation) -> Result<Predicate, PredicateError> {
    let tokens = lex(text, &LIMITS).map_err(|problem| {
        let hint =
            Some("Write a shorter condition.".to_owned()).filter(|_| text.len() > LIMITS.statement_bytes);
        PredicateError { message: problem.message, hint, position: problem.position }
    })?;
    let mut parser = Parser { text, tokens: &tokens, next: 0, relation, depth: 0, terms: 0 };
    let condition = parser.any()?;
    if parser.next < tokens.len() {
        return Err(parser.unexpected());
    }
    let mut columns = Vec::new();
    condition.collect(&mut columns);
    columns.sort_unstable();
    columns.dedup();
    Ok(Predicate { condition, columns })
}

struct Parser<'a> {
    text: &'a str,
    tokens: &'a [Token],
    next: usize,
    relation: &'a Relation,
    depth: usize,
    terms: usize,
}

type Parsed<T> = Result<T, PredicateError>;

impl<'a> Parser<'a> {
    fn any(&mut self) -> Parsed<Condition> {
        let first = self.all()?;
        if !self.at_keyword("or") {
            return Ok(first);
        }
        let mut parts = Vec::new();
        flatten(first, &mut parts, false);
        while self.take_keyword("or") {
            flatten(self.all()?, &mut parts, false);
        }
        Ok(Condition::Any(parts))
    }

    fn all(&mut self) -> Parsed<Condition> {
        let first = self.not()?;
        if !self.at_keyword("and") {
            return Ok(first);
        }
        let mut parts = Vec::new();
        flatten(first, &mut parts, true);
        while self.take_keyword("and") {
            flatten(self.not()?, &mut parts, true);
        }
        Ok(Condition::All(parts))
    }

    fn not(&mut self) -> Parsed<Condition> {
        let nests = self.at_keyword("not") || self.at_punct("(");
        if !nests {
            return self.test();
        }
        self.depth += 1;
        if self.depth > LIMITS.nesting {
            return Err(
                self.error("condition is nested too deeply", Some("Write it with fewer parentheses."))
            );
        }
        let condition = if self.take_keyword("not") {
            Condition::Not(Box::new(self.not()?))
        } else {
            self.next += 1;
            let inner = self.any()?;
            self.expect(")")?;
            inner
        };
        self.depth -= 1;
        Ok(condition)
    }

    /// A condition on one column.
    fn test(&mut self) -> Parsed<Condition> {
        let start = self.next;
        let found = self.column()?;
        let column =
            Column { attnum: found.attnum, name: found.name.clone(), operand: operand(&found.column_type) };
        if let Some(comparison) = self.comparison() {
            if !matches!(comparison, Comparison::Equal | Comparison::NotEqual) {
                self.ordered(&column, start)?;
            }
            let value = self.value(found, &column, start)?;
            return Ok(Condition::Compare(column, comparison, value));
        }
        if self.take_keyword("is") {
            return self.is(found, column);
        }
        let negated = self.take_keyword("not");
        if self.take_keyword("in") {
            self.expect("(")?;
            let mut values = vec![self.value(found, &column, start)?];
            while self.take_punct(",") {
                values.push(self.value(found, &column, start)?);
            }
            self.expect(")")?;
            return Ok(Condition::In { column, negated, values });
        }
        if self.take_keyword("between") {
            self.ordered(&column, start)?;
            let low = self.value(found, &column, start)?;
            if !self.take_keyword("and") {
                return Err(self.unexpected());
            }
            let high = self.value(found, &column, start)?;
            return Ok(Condition::Between { column, negated, low, high });
        }
        if negated || !self.ends_here() {
            return Err(self.unexpected());
        }
        if found.column_type.base != BaseType::Boolean || found.column_type.array {
            let message = format!("column \"{}\" is not boolean", found.name);
            return Err(self.error_at(start, message, Some("Compare it with a literal.")));
        }
        Ok(Condition::Holds(column))
    }

    fn is(&mut self, found: &CatalogColumn, column: Column) -> Parsed<Condition> {
        let negated = self.take_keyword("not");
        let start = self.next;
        let Some(what) = [("null", "NULL"), ("true", "TRUE"), ("false", "FALSE"), ("unknown", "UNKNOWN")]
            .into_iter()
            .find_map(|(keyword, what)| self.take_keyword(keyword).then_some(what))
        else {
            return Err(self.unexpected());
        };
        if what != "NULL" && (found.column_type.base != BaseType::Boolean || found.column_type.array) {
            let message = format!("column \"{}\" is not boolean", found.name);
            return Err(self.error_at(start, message, Some("Use IS NULL, or compare it with a literal.")));
        }
        Ok(Condition::Is { column, negated, what })
    }

    /// `column`, `relation.column` or `schema.relation.column`.
    fn column(&mut self) -> Parsed<&'a CatalogColumn> {
        let start = self.next;
        let mut names = Vec::new();
        loop {
            let Some(token) = self.tokens.get(self.next) else { return Err(self.unexpected()) };
            let keyword = KEYWORDS.iter().any(|keyword| token.is_keyword(self.text, keyword));
            let name = token.identifier(self.text).filter(|_| !keyword || !names.is_empty());
            let Some(name) = name else {
                let constant = token.kind.is_literal() || keyword;
                let hint = if constant { "Write the column first, then the literal." } else { FORMS };
                return Err(self.unexpected_with(hint));
            };
            names.push(name.into_owned());
            self.next += 1;
            if !self.take_punct(".") {
                break;
            }
        }
        if self.at_punct("(") {
            return Err(self.error_at(
                start,
                "functions cannot be used in a row condition".to_owned(),
                Some(FORMS),
            ));
        }
        let relation = self.relation;
        let (name, qualifier) = names.split_last().ok_or_else(|| self.unexpected())?;
        let ours = match qualifier {
            [] => true,
            [table] => *table == relation.name,
            [schema, table] => *schema == relation.schema && *table == relation.name,
            _ => false,
        };
        match relation.column(name).filter(|_| ours) {
            Some(column) => Ok(column),
            None => {
                let names = names.iter().map(|part| super::name(part, &[])).collect::<Vec<_>>().join(".");
                let columns =
                    relation.columns.iter().take(30).map(|column| super::name(&column.name, &KEYWORDS));
                let hint = format!("\"{}\" has {}.", relation.name, columns.collect::<Vec<_>>().join(", "));
                Err(self.error_at(
                    start,
                    format!("column {names} of \"{}\" does not exist", relation.name),
                    Some(&hint),
                ))
            }
        }
    }

    fn comparison(&mut self) -> Option<Comparison> {
        let token = self.tokens.get(self.next).filter(|token| token.kind == TokenKind::Operator)?;
        let comparison = match token.text(self.text) {
            "=" => Comparison::Equal,
            "<>" | "!=" => Comparison::NotEqual,
            "<" => Comparison::Less,
            "<=" => Comparison::LessOrEqual,
            ">" => Comparison::Greater,
            ">=" => Comparison::GreaterOrEqual,
            _ => return None,
        };
        self.next += 1;
        Some(comparison)
    }

    /// A literal to compare `column` with.
    fn value(&mut self, found: &CatalogColumn, column: &Column, start: usize) -> Parsed<Value> {
        if let Operand::None(type_name) = &column.operand {
            let message = format!(
                "column \"{}\" of type {type_name} cannot be compared in a row condition",
                column.name
            );
            return Err(self.error_at(start, message, Some("Use another column, or IS NULL.")));
        }
        self.terms += 1;
        if self.terms > TERMS {
            let message = format!("row condition has more than {TERMS} literals");
            return Err(self.error_at(self.next, message, Some("Ask for fewer rows at a time.")));
        }
        let first = self.next;
        let sign = self.tokens.get(self.next).map_or("", |token| match token.text(self.text) {
            sign @ ("-" | "+") if token.kind == TokenKind::Operator => sign,
            _ => "",
        });
        self.next += usize::from(!sign.is_empty());
        let Some(token) = self.tokens.get(self.next) else { return Err(self.unexpected()) };
        let raw = token.text(self.text);
        let negative = if sign == "-" { "-" } else { "" };
        let literal = match token.kind {
            TokenKind::Integer | TokenKind::Float => Literal::Number(format!("{negative}{raw}")),
            kind if kind.is_string() && sign.is_empty() => match token.string_value(self.text) {
                Some(text) => Literal::String(text),
                None => return Err(self.unexpected()),
            },
            _ if !sign.is_empty() => return Err(self.unexpected()),
            _ if token.is_keyword(self.text, "true") => Literal::Boolean(true),
            _ if token.is_keyword(self.text, "false") => Literal::Boolean(false),
            _ if token.is_keyword(self.text, "null") => {
                return Err(self.unexpected_with("No comparison with NULL is true: use IS NULL."));
            }
            _ => return Err(self.unexpected_with("Write a literal, a string in single quotes.")),
        };
        self.next += 1;
        value(&literal, &found.column_type)
            .map_err(|(message, hint)| self.error_at(first, message, Some(hint)))
    }

    /// Has the column's type an order that `pg_catalog`'s operators know?
    fn ordered(&self, column: &Column, start: usize) -> Parsed<()> {
        match column.operand {
            Operand::Typed(_) | Operand::None(_) => Ok(()),
            Operand::Text | Operand::CaseFolded => {
                let message = format!("column \"{}\" can only be compared for equality", column.name);
                Err(self.error_at(start, message, Some("Use = or IN.")))
            }
        }
    }

    fn ends_here(&self) -> bool {
        self.next >= self.tokens.len()
            || self.at_punct(")")
            || self.at_keyword("and")
            || self.at_keyword("or")
    }

    fn at_keyword(&self, keyword: &str) -> bool {
        self.tokens.get(self.next).is_some_and(|token| token.is_keyword(self.text, keyword))
    }

    fn take_keyword(&mut self, keyword: &str) -> bool {
        let found = self.at_keyword(keyword);
        self.next += usize::from(found);
        found
    }

    fn at_punct(&self, punctuation: &str) -> bool {
        self.tokens.get(self.next).is_some_and(|token| token.is_punct(self.text, punctuation))
    }

    fn take_punct(&mut self, punctuation: &str) -> bool {
        let found = self.at_punct(punctuation);
        self.next += usize::from(found);
        found
    }

    fn expect(&mut self, punctuation: &str) -> Parsed<()> {
        if self.take_punct(punctuation) { Ok(()) } else { Err(self.unexpected()) }
    }

    fn unexpected(&self) -> PredicateError {
        self.unexpected_with(FORMS)
    }

    fn unexpected_with(&self, hint: &str) -> PredicateError {
        let message = match self.tokens.get(self.next) {
            Some(token) => {
                format!("syntax error at or near \"{}\" in a row condition", token.text(self.text))
            }
            None => "syntax error at end of a row condition".to_owned(),
        };
        self.error_at(self.next, message, Some(hint))
    }

    fn error(&self, message: &str, hint: Option<&str>) -> PredicateError {
        self.error_at(self.next, message.to_owned(), hint)
    }

    fn error_at(&self, token: usize, message: String, hint: Option<&str>) -> PredicateError {
        let position = self.tokens.get(token).map_or(self.text.len(), |token| token.start as usize);
        PredicateError { message, hint: hint.map(str::to_owned), position }
    }
}

/// Adds a condition to the parts of an AND (`all`) or OR; that of a part of the same kind are
/// parts of the whole.
fn flatten(condition: Condition, parts: &mut Vec<Condition>, all: bool) {
    match condition {
        Condition::All(inner) if all => parts.extend(inner),
        Condition::Any(inner) if !all => parts.extend(inner),
        other => parts.push(other),
    }
}

fn operand(column_type: &SqlType) -> Operand {
    if column_type.array {
        return Operand::None(column_type.sql.clone());
    }
    match (column_type.base, type_name(column_type.base_oid)) {
        (_, Some(built_in)) => Operand::Typed(built_in.to_owned()),
        (BaseType::Enum, None) if column_type.domain => Operand::Text,
        (BaseType::Enum, None) => Operand::Typed(column_type.sql.clone()),
        // Of the text types only citext has no fixed oid.
        (BaseType::Text, None) => Operand::CaseFolded,
        _ => Operand::None(column_type.sql.clone()),
    }
}
