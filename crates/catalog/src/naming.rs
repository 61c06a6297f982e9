//! Where in SQL and PL/pgSQL source a word could name a relation, and where it cannot.
//!
//! A variable, an alias, a parameter or a column may be called as a protected relation is. A
//! relation is read only where it is named in a place that the grammar keeps for one, so a word in
//! a place that takes nothing but an expression, an alias, a target of an assignment or the start
//! of a statement names none. Only places that are known to be of those kinds count as harmless;
//! in any other, such as after FROM or after a comma whose list is not known, a word could be a
//! relation's name. The tests in `tests/` hold this against PostgreSQL's own grammar.

use crate::lex::{Token, lex};

/// Words after which nothing but an expression, an alias or an assignment's target can stand.
const BEFORE_EXPRESSION: [&str; 36] = [
    "and",
    "array",
    "as",
    "assert",
    "begin",
    "between",
    "by",
    "case",
    "declare",
    "diagnostics",
    "distinct",
    "else",
    "elseif",
    "elsif",
    "for",
    "having",
    "if",
    "ilike",
    "limit",
    "loop",
    "next",
    "not",
    "offset",
    "or",
    "perform",
    "raise",
    "return",
    "returning",
    "select",
    "set",
    "similar",
    "strict",
    "then",
    "when",
    "where",
    "while",
];

/// Words that start a list of expressions: a comma in it stands before another one.
const STARTS_LIST: [&str; 7] = ["select", "by", "set", "returning", "perform", "return", "raise"];

/// Words that end such a list, or after which it is no longer sure.
const ENDS_LIST: [&str; 14] = [
    "from", "using", "join", "of", "table", "only", "update", "insert", "delete", "merge", "lock",
    "truncate", "analyze", "vacuum",
];

/// Words before a parenthesis that opens no list of arguments or columns: what stands in it can be
/// a relation or a query.
const NO_CALLS: [&str; 44] = [
    "all",
    "analyze",
    "and",
    "any",
    "as",
    "cluster",
    "copy",
    "cross",
    "delete",
    "distinct",
    "except",
    "exists",
    "for",
    "from",
    "full",
    "in",
    "inherits",
    "inner",
    "insert",
    "intersect",
    "into",
    "join",
    "lateral",
    "left",
    "like",
    "lock",
    "merge",
    "natural",
    "not",
    "of",
    "on",
    "only",
    "or",
    "outer",
    "references",
    "right",
    "select",
    "some",
    "table",
    "truncate",
    "union",
    "update",
    "using",
    "with",
];

/// A parenthesis or bracket that is open, or the text around all of them.
#[derive(Clone, Copy)]
struct Frame {
    /// It holds arguments or columns, nothing else.
    arguments: bool,
    /// At its level a list of expressions goes on.
    list: bool,
}

/// The places of the words that could name a relation.
pub(crate) fn namings(tokens: &[Token]) -> Vec<usize> {
    let mut found = Vec::new();
    let outside = Frame { arguments: false, list: false };
    let mut frames = vec![outside];
    // Does the comma or parenthesis before this token stand before an expression?
    let mut expression = false;
    // The first part of a qualified name decides for all of it.
    let mut chain_is_harmless = false;
    for (place, token) in tokens.iter().enumerate() {
        let before = place.checked_sub(1).and_then(|place| tokens.get(place));
        if token.name().is_some() {
            let goes_on = before == Some(&Token::Punctuation('.'));
            if !goes_on {
                chain_is_harmless = expression || is_harmless(tokens, place);
            }
            if !chain_is_harmless {
                found.push(place);
            }
        }
        let frame = frames.last().copied().unwrap_or(outside);
        expression = false;
        match token {
            Token::Punctuation('(') => {
                let called = match before {
                    Some(Token::Quoted(_)) => true,
                    Some(Token::Word(word)) => !NO_CALLS.contains(&word.as_str()),
                    _ => false,
                };
                let query = tokens.get(place + 1).is_some_and(|next| {
                    ["select", "with", "values", "table", "insert", "update", "delete", "merge"]
                        .iter()
                        .any(|word| next.is_word(word))
                });
                let arguments = called && !query;
                expression = arguments;
                frames.push(Frame { arguments, list: false });
            }
            Token::Punctuation('[') => {
                expression = true;
                frames.push(Frame { arguments: true, list: false });
            }
            Token::Punctuation(')' | ']') if frames.len() > 1 => {
                frames.pop();
            }
            Token::Punctuation(',') => expression = frame.arguments || frame.list,
            Token::Punctuation(';') => set_list(&mut frames, false),
            Token::Word(word) if STARTS_LIST.contains(&word.as_str()) => {
                if let Some(frame) = frames.last_mut() {
                    // ARRAY(SELECT …), f(…) stays as it was.
                    frame.arguments &= word != "select";
                    frame.list = true;
                }
            }
            Token::Word(word) if ENDS_LIST.contains(&word.as_str()) => {
                if let Some(frame) = frames.last_mut() {
                    // extract(year FROM x), trim(BOTH FROM x): the rest is not sure.
                    frame.arguments = false;
                }
                set_list(&mut frames, false);
            }
            _ => {}
        }
    }
    found
}

fn set_list(frames: &mut [Frame], list: bool) {
    if let Some(frame) = frames.last_mut() {
        frame.list = list;
    }
}

/// Does a body that names a relation take nothing of it but columns by their names, and none of
/// these? A star, a whole row, an alias with names for the columns could be any column.
pub(crate) fn reads_other_columns_only(body: &str, relation: &str, columns: &[&str]) -> bool {
    let Ok(tokens) = lex(body) else { return false };
    let at = |place: Option<usize>| place.and_then(|place| tokens.get(place));
    let names: Vec<usize> = namings(&tokens)
        .into_iter()
        .filter(|place| tokens.get(*place).and_then(Token::name) == Some(relation))
        .collect();
    let mut aliases = vec![relation];
    for place in &names {
        let alias = match tokens.get(place + 1..).unwrap_or_default() {
            [r#as, alias, ..] if r#as.is_word("as") => alias.name(),
            [alias, ..] => alias.name(),
            [] => None,
        };
        aliases.extend(alias);
    }
    tokens.iter().enumerate().all(|(place, token)| {
        let (before, after) = (at(place.checked_sub(1)), at(Some(place + 1)));
        let open = Token::Punctuation('(');
        match (token, token.name()) {
            (_, Some(name)) if columns.contains(&name) => false,
            (Token::Word(word), _) if matches!(word.as_str(), "table" | "natural") => false,
            (_, Some(name)) if names.contains(&place) && name == relation => after != Some(&open),
            (_, Some(name)) if aliases.contains(&name) => {
                let defined = before.and_then(Token::name).is_some_and(|word| word == relation)
                    || (before.is_some_and(|word| word.is_word("as"))
                        && at(place.checked_sub(2)).and_then(Token::name) == Some(relation));
                let keyword = matches!(token, Token::Word(word) if FOLLOWS_RELATION.contains(&word.as_str()));
                keyword
                    || (defined && after != Some(&open))
                    || before == Some(&Token::Punctuation('.'))
                    || (after == Some(&Token::Punctuation('.'))
                        && at(Some(place + 2)).is_some_and(|next| next.name().is_some()))
            }
            // count(*)
            (Token::Operator(run), _) if run.contains('*') => {
                before == Some(&open) && after == Some(&Token::Punctuation(')'))
            }
            _ => true,
        }
    })
}

/// Keywords that can stand where an alias could.
const FOLLOWS_RELATION: [&str; 20] = [
    "where",
    "join",
    "left",
    "right",
    "full",
    "inner",
    "cross",
    "on",
    "using",
    "group",
    "order",
    "limit",
    "offset",
    "fetch",
    "having",
    "union",
    "except",
    "intersect",
    "loop",
    "for",
];

/// Does the word, by what stands next to it, name no relation?
fn is_harmless(tokens: &[Token], place: usize) -> bool {
    // a := 1, a => 1, a.b%TYPE, a%ROWTYPE
    let end = chain_end(tokens, place);
    match tokens.get(end..).unwrap_or_default() {
        [Token::Punctuation(':'), Token::Operator(run), ..] if run.starts_with('=') => return true,
        [Token::Operator(run), ..] if run == "=>" => return true,
        [Token::Operator(run), Token::Word(word), ..]
            if run == "%" && matches!(word.as_str(), "type" | "rowtype") =>
        {
            return true;
        }
        _ => {}
    }
    let Some(before) = place.checked_sub(1).and_then(|place| tokens.get(place)) else { return true };
    match before {
        // A statement starts with a keyword; a declaration or an assignment with a variable.
        Token::Punctuation(';' | ':') => true,
        Token::Operator(_) | Token::Number | Token::Text { .. } => true,
        Token::Word(word) if word == "into" => {
            // SELECT … INTO variable; INSERT INTO and MERGE INTO name a relation.
            place
                .checked_sub(2)
                .and_then(|place| tokens.get(place))
                .is_none_or(|verb| !verb.is_word("insert") && !verb.is_word("merge"))
        }
        Token::Word(word) => BEFORE_EXPRESSION.contains(&word.as_str()),
        _ => false,
    }
}

/// The place after the last part of a name like `a.b.c`.
fn chain_end(tokens: &[Token], mut place: usize) -> usize {
    while tokens.get(place + 1) == Some(&Token::Punctuation('.'))
        && tokens.get(place + 2).is_some_and(|next| next.name().is_some())
    {
        place += 2;
    }
    place + 1
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::lex::lex;

    fn names(text: &str, word: &str) -> bool {
        let tokens = lex(text).unwrap();
        namings(&tokens).into_iter().any(|place| tokens[place].name() == Some(word))
    }

    #[test]
    fn where_a_relation_can_stand_the_word_counts() {
        for text in [
            "SELECT * FROM c",
            "SELECT * FROM a, c",
            "SELECT * FROM (a JOIN c USING (id))",
            "SELECT * FROM ((c JOIN a ON true))",
            "SELECT * FROM public.c",
            "SELECT * FROM db.public.c x",
            "SELECT * FROM ONLY (c)",
            "SELECT * FROM ONLY c",
            "SELECT * FROM a NATURAL JOIN c",
            "SELECT f(ARRAY(SELECT x FROM a, c))",
            "SELECT f((SELECT x FROM a, LATERAL (TABLE c) y))",
            "SELECT EXISTS (TABLE c)",
            "TABLE c",
            "SELECT 1 UNION TABLE c",
            "INSERT INTO c VALUES (1)",
            "INSERT INTO public.c SELECT 1",
            "MERGE INTO c USING a ON true WHEN MATCHED THEN DELETE",
            "MERGE INTO a USING c ON true WHEN MATCHED THEN DELETE",
            "MERGE INTO a USING (c JOIN b ON true) ON true WHEN MATCHED THEN DELETE",
            "UPDATE c SET x = 1",
            "UPDATE ONLY c SET x = 1",
            "UPDATE a SET x = 1, y = 2 FROM b, c",
            "DELETE FROM c",
            "DELETE FROM a USING b, c WHERE true",
            "SELECT x FROM a ORDER BY x, y FOR UPDATE OF a, c",
            "LOCK TABLE a, c",
            "TRUNCATE a, c",
            "BEGIN FOR r IN SELECT x, y FROM c LOOP NULL; END LOOP; END",
            "BEGIN SELECT a, b INTO x, y FROM d, c; END",
            "BEGIN RETURN QUERY TABLE c; END",
            "CREATE TABLE x (LIKE c)",
            "CREATE TABLE x () INHERITS (c)",
            "CREATE TABLE x PARTITION OF c DEFAULT",
            "SELECT extract(year FROM x), y FROM a, c",
            "WITH x AS (SELECT 1, 2) SELECT * FROM x, c",
            "REFRESH MATERIALIZED VIEW c",
            "DROP TABLE IF EXISTS c",
            "SELECT * FROM a \"JOIN\", c",
        ] {
            assert!(names(text, "c"), "{text}");
        }
    }

    #[test]
    fn columns_by_name_are_told_from_whole_rows() {
        for (body, expected) in [
            ("SELECT a.attname FROM pg_attribute a WHERE a.attnum > 0", true),
            ("SELECT attname, count(*) FROM pg_catalog.pg_attribute WHERE attnum > 0 GROUP BY 1", true),
            ("SELECT c.relname FROM pg_class c JOIN pg_attribute AS a ON a.attrelid = c.oid", true),
            ("SELECT pg_attribute.attname FROM pg_attribute", true),
            ("SELECT a.attmissingval FROM pg_attribute a", false),
            ("SELECT \"attmissingval\" FROM pg_attribute", false),
            ("SELECT * FROM pg_attribute", false),
            ("SELECT a.* FROM pg_attribute a", false),
            ("SELECT a FROM pg_attribute a", false),
            ("SELECT a::text FROM pg_attribute AS a", false),
            ("SELECT row_to_json(pg_attribute) FROM pg_attribute", false),
            ("SELECT x26 FROM pg_attribute a (x1, x2)", false),
            ("TABLE pg_attribute", false),
            ("SELECT count(*) FROM (SELECT * FROM pg_attribute) s", false),
        ] {
            assert_eq!(
                reads_other_columns_only(body, "pg_attribute", &["attmissingval"]),
                expected,
                "{body}"
            );
        }
    }

    #[test]
    fn where_none_can_stand_it_does_not() {
        for text in [
            "SELECT a AS c FROM b",
            "SELECT c FROM b",
            "SELECT a, c, d FROM b",
            "SELECT a, b.c FROM b",
            "SELECT sum(c), f(a, c), f(a => c) FROM b",
            "SELECT f(c => 1)",
            "SELECT count(DISTINCT c) FROM b",
            "SELECT x FROM b WHERE c = 1 AND a.c > c OR NOT c",
            "SELECT x FROM b GROUP BY a, c ORDER BY c LIMIT 1",
            "SELECT x::c FROM b",
            "SELECT arr[c], ARRAY[a, c] FROM b",
            "UPDATE b SET c = 1, a = c + 1 WHERE b.c = 2",
            "INSERT INTO b (a, c) VALUES (1, 2) RETURNING a, c",
            "DECLARE c int; n int := 0; BEGIN c := 1; c = c + 1; IF c > 1 THEN RETURN c; END IF; END",
            "DECLARE a c%ROWTYPE; b public.c.x%TYPE; BEGIN NULL; END",
            "BEGIN SELECT count(*) INTO c FROM b; GET DIAGNOSTICS c = ROW_COUNT; RETURN NEXT c; END",
            "BEGIN SELECT count(*), 2 INTO STRICT c FROM b; END",
            "BEGIN FOR c IN SELECT * FROM b LOOP PERFORM f(c); END LOOP; END",
            "BEGIN RAISE NOTICE 'c has %', c; END",
            "BEGIN NEW.c = 1; NEW.c := 2; RETURN NEW; END",
            "<<c>> BEGIN NULL; END",
            "SELECT * FROM f(a, c)",
            "CASE WHEN c THEN c ELSE c END",
            "SELECT 'TABLE c'",
        ] {
            assert!(!names(text, "c"), "{text}");
        }
    }
}
