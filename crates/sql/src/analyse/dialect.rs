//! PostgreSQL's dialect as the parser has it, with names and constants read as PostgreSQL does.
//!
//! Wherever an operand may stand, the parser first reads a type with a constant of it: from the
//! name of a column, its subscript and its alias (`tags[1] x`) too. A column that passes for a type
//! is one that nothing masks. Which words are constants' types we know before the parser does, so
//! it gets no such choice for a name; and it need not try, which is a third of its work.

use std::any::TypeId;

use sqlparser::ast::{Expr, ObjectName};
use sqlparser::dialect::{Dialect, PostgreSqlDialect, Precedence};
use sqlparser::keywords::Keyword;
use sqlparser::parser::{Parser, ParserError};
use sqlparser::tokenizer::Token;

use super::keywords::{self, Category};

const POSTGRESQL: PostgreSqlDialect = PostgreSqlDialect {};

/// [`PostgreSqlDialect`] with [`Dialect::parse_prefix`].
#[derive(Debug)]
pub(crate) struct Postgres;

/// What the dialect says besides, all of it: what is not here is the same in every dialect, or asked
/// of text and not of tokens.
macro_rules! as_the_parser_has_it {
    ($($question:ident)*) => { $(fn $question(&self) -> bool { POSTGRESQL.$question() })* };
}

impl Dialect for Postgres {
    fn dialect(&self) -> TypeId {
        POSTGRESQL.dialect()
    }

    fn parse_prefix(&self, parser: &mut Parser<'_>) -> Option<Result<Expr, ParserError>> {
        let Token::Word(word) = &parser.peek_token_ref().token else {
            return is_constant(&parser.peek_token_ref().token)
                .then(|| parser.parse_value().map(Expr::Value));
        };
        let quoted = word.quote_style.is_some();
        match &parser.peek_nth_token_ref(1).token {
            Token::LParen if quoted => Some(
                parser
                    .parse_identifier()
                    .and_then(|name| parser.parse_function(ObjectName::from(vec![name]))),
            ),
            next if is_name(quoted, &word.value, next) => {
                Some(parser.parse_identifier().map(Expr::Identifier))
            }
            _ => None,
        }
    }

    fn is_identifier_start(&self, character: char) -> bool {
        POSTGRESQL.is_identifier_start(character)
    }

    fn is_identifier_part(&self, character: char) -> bool {
        POSTGRESQL.is_identifier_part(character)
    }

    fn identifier_quote_style(&self, identifier: &str) -> Option<char> {
        POSTGRESQL.identifier_quote_style(identifier)
    }

    fn is_reserved_for_identifier(&self, keyword: Keyword) -> bool {
        POSTGRESQL.is_reserved_for_identifier(keyword)
    }

    fn is_table_alias(&self, keyword: &Keyword, parser: &mut Parser<'_>) -> bool {
        POSTGRESQL.is_table_alias(keyword, parser)
    }

    fn get_next_precedence(&self, parser: &Parser<'_>) -> Option<Result<u8, ParserError>> {
        POSTGRESQL.get_next_precedence(parser)
    }

    fn prec_value(&self, precedence: Precedence) -> u8 {
        POSTGRESQL.prec_value(precedence)
    }

    as_the_parser_has_it! {
        allow_extract_custom allow_extract_single_quotes supports_aliased_function_args
        supports_alter_column_type_using supports_alter_user_as_alter_role
        supports_array_typedef_with_brackets supports_bitwise_shift_operators
        supports_comma_separated_trim supports_comment_on supports_comment_optimizer_hint
        supports_create_index_with_clause supports_create_table_like_parenthesized
        supports_empty_projections supports_exclude_constraint
        supports_explain_with_utility_options supports_factorial_operator
        supports_filter_during_aggregation supports_geometric_types supports_group_by_expr
        supports_insert_table_alias supports_interval_options
        supports_left_associative_joins_without_parens supports_listen_notify
        supports_load_extension supports_named_fn_args_with_colon_operator
        supports_named_fn_args_with_expr_name supports_notnull_operator
        supports_order_by_using_operator supports_select_wildcard_with_alias supports_set_names
        supports_xml_expressions
    }
}

/// The constants that the parser gets to see, typed ones aside.
fn is_constant(token: &Token) -> bool {
    matches!(
        token,
        Token::Number(..)
            | Token::SingleQuotedString(_)
            | Token::NationalStringLiteral(_)
            | Token::SingleQuotedByteStringLiteral(_)
            | Token::HexStringLiteral(_)
            | Token::Placeholder(_)
    )
}

/// Is a word a name by itself where an operand may stand, by what follows it?
fn is_name(quoted: bool, word: &str, next: &Token) -> bool {
    let follows = match next {
        // A constant's type; `double precision '1'`; a call.
        Token::SingleQuotedString(_) | Token::LParen => false,
        Token::Word(next) => quoted || next.quote_style.is_some() || next.keyword == Keyword::AS,
        _ => true,
    };
    // Words of the grammar that an operand may begin with are reserved, or no columns' names.
    follows && (quoted || keywords::category(word) == Some(Category::Unreserved))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::analyse::normalise::normalise;
    use crate::analyse::source::Source;
    use crate::{Limits, lexer};

    /// What each statement of the case files is to the parser with a dialect.
    fn trees(dialect: &dyn Dialect) -> Vec<(String, Result<String, ParserError>)> {
        let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/cases");
        let mut trees = Vec::new();
        for file in std::fs::read_dir(folder).expect("the case files") {
            let cases = std::fs::read_to_string(file.expect("a file").path()).expect("its text");
            for case in cases.split("\n## ").filter_map(|case| case.split("\n=>").next()) {
                let text = case.split_once('\n').map_or("", |(_, text)| text);
                let Ok(tokens) = lexer::lex(text, &Limits::default()) else { continue };
                let keywords = keywords::of_tokens(text, &tokens);
                for range in lexer::split(text, &tokens) {
                    let source = Source { text, tokens: &tokens, keywords: &keywords, range };
                    let parser = Parser::new(dialect).with_recursion_limit(500);
                    let mut parser = parser.with_tokens_with_locations(normalise(&source, None).0);
                    let tree = parser.parse_statement().map(|tree| format!("{tree:?}"));
                    trees.push((source.text[source.bytes(source.range.clone())].to_owned(), tree));
                }
            }
        }
        trees
    }

    #[test]
    fn statements_are_what_they_are_in_the_parsers_own_dialect_but_for_names_as_types() {
        let mut compared = 0;
        for ((text, ours), (_, theirs)) in trees(&Postgres).into_iter().zip(trees(&POSTGRESQL)) {
            let Ok(theirs) = theirs else { continue };
            let ours = ours.expect(&text);
            let misread = theirs.contains("value: DoubleQuotedString(");
            assert!(misread || ours == theirs, "{text}\n{ours}\n{theirs}");
            assert!(!ours.contains("value: DoubleQuotedString("), "{text}");
            compared += 1;
        }
        assert!(compared > 500, "{compared}");
    }
}
