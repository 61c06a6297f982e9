//! Calls: of functions that could reach protected data, of settings, of the console.

use pgwarrant_catalog::FunctionSafety;
use sqlparser::ast::Ident;

use super::account::Role;
use super::walk::Walk;
use super::{console_calls, export, keywords, refuse, settings};
use crate::{Refusal, TokenKind, screen};

impl Walk<'_> {
    /// Judges the call of a function by its name and how many arguments it is given. True: a console call, which was replaced with its
    /// arguments.
    pub(crate) fn call(&mut self, name: &[&Ident], arguments: usize, in_from: bool) -> Result<bool, Refusal> {
        let Some((last, schemas)) = name.split_last() else { return Ok(false) };
        let token = self.token(last)?;
        let schema = schemas.last().map(|schema| schema.value.as_str());
        if schema == Some("pgwarrant") {
            let first = name.first().map_or(Ok(token), |first| self.token(first))?;
            console_calls::call(self, first, token, in_from)?;
            return Ok(true);
        }
        self.account.set(token, Role::Function);
        for schema in schemas {
            self.role(schema, Role::Schema)?;
        }
        if self.facts.grammar_functions.contains(&token) {
            return Ok(false);
        }
        let byte = self.source.byte(token);
        if (export::keeps(&last.value) || self.context.catalogue.writers.contains(&last.value))
            && !export::are_constant(self.source, token + 1)
        {
            self.stores = true;
        }
        let setting = screen::is_setting_function(&last.value);
        if setting {
            let settings::Call { effect, splices } = settings::call(self.source, token, &last.value)?;
            self.literals_decide = true;
            self.effects.extend(effect);
            self.splices.extend(splices);
        }
        match self.context.catalogue.call(&last.value, arguments) {
            FunctionSafety::Unknown if setting => Ok(false),
            FunctionSafety::Safe => Ok(false),
            FunctionSafety::Unsafe { pg_catalog_safe: true, .. } if schema == Some("pg_catalog") => Ok(false),
            FunctionSafety::Unsafe { culprit, pg_catalog_safe } => {
                let refusal = refuse::unsafe_call(&format!("function {}", last.value), &culprit, byte);
                Err(match pg_catalog_safe && schema.is_none() {
                    true => refusal.hint(format!(
                        "If you mean PostgreSQL's own function, write pg_catalog.{}.",
                        super::text::name(&last.value)
                    )),
                    false => refusal,
                })
            }
            FunctionSafety::Unknown => {
                let unquoted =
                    self.source.token(token).is_some_and(|token| token.kind == TokenKind::Identifier);
                match schema.is_none() && unquoted && keywords::is_grammar(&last.value) {
                    true => Ok(false),
                    false => Err(refuse::unknown_function(&last.value, byte)),
                }
            }
        }
    }
}
