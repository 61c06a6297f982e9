//! Replacements, and the way back from positions in what was sent.

use pgwarrant_sql::splice::{Piece, PositionMap, Splice, apply};
use pgwarrant_sql::{ConsoleCall, Limits, Reason, lex, split};
use proptest::prelude::*;

/// Tokens, and the pieces in their place.
type Replacement<'a> = (std::ops::Range<usize>, &'a [&'a str]);

/// `apply` on the only statement, with pieces written `=text`, `@first..end` for tokens.
fn spliced(text: &str, splices: &[Replacement<'_>]) -> (String, PositionMap) {
    let tokens = lex(text, &Limits::default()).unwrap();
    let statement = split(text, &tokens).first().cloned().unwrap_or(0..0);
    let splices: Vec<_> = splices
        .iter()
        .map(|(tokens, with)| Splice {
            tokens: tokens.clone(),
            with: with
                .iter()
                .map(|piece| match piece.strip_prefix('@').and_then(|range| range.split_once("..")) {
                    Some((start, end)) => Piece::Tokens(start.parse().unwrap()..end.parse().unwrap()),
                    None => Piece::Text(piece.trim_start_matches('=').to_owned()),
                })
                .collect(),
        })
        .collect();
    apply(text, &tokens, statement, &splices, &mut |_| unreachable!()).unwrap()
}

#[test]
fn text_takes_the_place_of_tokens_and_the_rest_stays_as_written() {
    let cases: &[(&str, &[Replacement<'_>], &str)] = &[
        (
            "SELECT  email\n FROM customers -- c\n WHERE id=1",
            &[(3..4, &["(SELECT 1) AS customers"])],
            "SELECT  email\n FROM (SELECT 1) AS customers -- c\n WHERE id=1",
        ),
        // Comments around a statement and its semicolon are not its text; those inside are.
        ("/*a*/ SELECT/*b*/1 /*c*/; SELECT 2", &[], "SELECT/*b*/1"),
        // An insertion.
        ("SELECT a FROM t GROUP BY a", &[(7..7, &[", b"])], "SELECT a FROM t GROUP BY a, b"),
        ("SELECT a FROM t", &[(0..0, &["EXPLAIN"]), (4..4, &["LIMIT 1"])], "EXPLAIN SELECT a FROM t LIMIT 1"),
        // Tokens as written, comments and all.
        ("SELECT f(a /*x*/, 'b')", &[(1..7, &["g(", "@3..6", ", 1)"])], "SELECT g(a /*x*/, 'b', 1)"),
        // Nothing in their place.
        ("SELECT a.b FROM t", &[(2..4, &[])], "SELECT a FROM t"),
        // Neighbours: the space between them is written once.
        ("a b c", &[(0..1, &["x"]), (1..2, &["y"]), (2..3, &["z"])], "x y z"),
    ];
    for (text, splices, expected) in cases {
        assert_eq!(spliced(text, splices).0, *expected, "{text}");
    }
}

#[test]
fn what_is_spliced_in_never_becomes_one_token_with_its_neighbours() {
    for (text, at, ours, expected) in [
        ("SELECT(a)", 2..3, "b", "SELECT(b)"),
        ("1+1", 1..2, "e5", "1 e5 1"),
        ("a+b", 2..3, "-1", "a+ -1"),
        ("a-b", 2..3, "- 1", "a- - 1"),
        ("a*b", 0..1, "/", "/ *b"),
        ("a=b", 1..1, "x", "a x =b"),
        ("e(1)", 1..4, "'x'", "e 'x'"),
        ("'a'\n+b", 1..3, "'b'", "'a'\n/**/'b'"),
        ("'a'\n-- c\n+b", 1..3, "'b'", "'a'\n-- c\n/**/'b'"),
        ("a+'b'", 0..2, "'a'\n", "'a'\n/**/'b'"),
        // A comment is no part of an operator.
        ("a-- c\n+b", 0..1, "-", "- -- c\n+b"),
        ("a/**/+b", 0..1, "-", "- /**/ +b"),
        ("$1+1", 1..2, "0", "$1 0 1"),
        ("a.b", 1..2, "1", "a 1 b"),
        ("t.*", 0..1, "1", "1 .*"),
    ] {
        let (sent, _) = spliced(text, &[(at, &[ours])]);
        assert_eq!(sent, expected, "{text}");
    }
}

#[test]
fn positions_lead_back_to_what_the_user_wrote() {
    let text = "SELECT 'äö', nope FROM customers WHERE x = 1";
    let tokens = lex(text, &Limits::default()).unwrap();
    let at = |word: &str| tokens.iter().position(|token| token.text(text) == word).unwrap();
    let (sent, map) = spliced(
        text,
        &[(
            at("customers")..at("customers") + 1,
            &["(SELECT r.email FROM public.customers AS r) AS customers"],
        )],
    );
    let character = |text: &str, word: &str| text[..text.find(word).unwrap()].chars().count() + 1;
    for word in ["SELECT", "'äö'", "nope", "FROM", "WHERE", "x =", "1"] {
        assert_eq!(map.to_user(character(&sent, word)), character(text, word), "{word}");
    }
    // Ours: the start of what it replaced.
    for word in ["(SELECT", "r.email", "AS customers"] {
        assert_eq!(map.to_user(character(&sent, word)), character(text, "customers"), "{word}");
    }
    // PostgreSQL points one past the end where something is missing.
    assert_eq!(map.to_user(sent.chars().count() + 1), text.chars().count() + 1);
}

#[test]
fn positions_in_a_later_statement_lead_back_into_the_whole_message() {
    let text = "SELECT ä;  SELECT nope";
    let tokens = lex(text, &Limits::default()).unwrap();
    let mut whole = PositionMap::default();
    let mut sent = String::new();
    for statement in split(text, &tokens) {
        let splices = [Splice {
            tokens: statement.start + 1..statement.start + 1,
            with: vec![Piece::Text("ALL".into())],
        }];
        let (part, map) = apply(text, &tokens, statement, &splices, &mut |_| unreachable!()).unwrap();
        whole.append(sent.chars().count(), map);
        sent.push_str(&part);
        sent.push(';');
    }
    assert_eq!(sent, "SELECT ALL ä;SELECT ALL nope;");
    assert_eq!(whole.to_user(12), 8);
    assert_eq!(whole.to_user(25), 19);
}

#[test]
fn replacements_that_do_not_fit_are_refused() {
    let text = "SELECT a FROM t; SELECT b";
    let tokens = lex(text, &Limits::default()).unwrap();
    let ours = |tokens: std::ops::Range<usize>| Splice { tokens, with: vec![Piece::Text("x".into())] };
    let theirs = |range| vec![Splice { tokens: 1..2, with: vec![Piece::Tokens(range)] }];
    #[expect(clippy::reversed_empty_ranges)]
    for splices in [
        vec![ours(3..9)],
        vec![ours(2..3), ours(1..2)],
        vec![ours(1..3), ours(2..4)],
        vec![ours(3..2)],
        theirs(5..6),
        theirs(2..99),
        theirs(3..2),
    ] {
        let refused = apply(text, &tokens, 0..4, &splices, &mut |_| unreachable!()).unwrap_err();
        assert_eq!(refused.reason, Reason::NotUnderstood, "{splices:?}");
    }
}

#[test]
fn console_calls_are_answered_in_the_order_of_the_text_and_may_refuse() {
    let text = "SELECT * FROM pgwarrant.a, pgwarrant.b";
    let tokens = lex(text, &Limits::default()).unwrap();
    let call = |name: &str| {
        let name = name.to_owned();
        Piece::Console(ConsoleCall { alias: name.clone(), name, arguments: None, in_from: true })
    };
    let splices =
        [Splice { tokens: 3..6, with: vec![call("a")] }, Splice { tokens: 7..10, with: vec![call("b")] }];
    let mut asked = Vec::new();
    let (sent, _) = apply(text, &tokens, 0..10, &splices, &mut |call| {
        asked.push(call.name.clone());
        Ok(format!("(VALUES ('{}')) AS {}", call.name, call.alias))
    })
    .unwrap();
    assert_eq!(sent, "SELECT * FROM (VALUES ('a')) AS a, (VALUES ('b')) AS b");
    assert_eq!(asked, ["a", "b"]);
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 2_000, failure_persistence: None, ..ProptestConfig::default() })]

    /// Whatever one token is replaced by, the tokens around it and those of ours are what is sent.
    #[test]
    fn tokens_are_those_of_the_parts(
        words in prop::collection::vec(prop::sample::select(vec![
            "a", "1", "'b'", "\"c\"", "+", "-", "*", "/", "=", "(", ")", ",", ".", ":", "$1", "E'x'", "$$y$$", "b'1'", "<", "e",
            "1.5", ".5", "::", "@", "u", "&", "u&'z'", "n", "x",
        ]), 3..9),
        spaces in prop::collection::vec(prop::sample::select(vec![" ", "\n", "/**/", "-- c\n", " \n "]), 9),
        ours in prop::sample::select(vec!["'q'", "\"q\"", "x", "1", "-", "+", "*", "/", "=", ".5", "$2", "$$q$$", "(x)", "::t", "E'q'", ":", "."]),
        place in any::<prop::sample::Index>(),
    ) {
        // `'b'⏎'b'` is one token; words beside each other may be too.
        let text = words.iter().zip(&spaces).map(|(word, space)| format!("{word}{space}")).collect::<String>();
        let limits = Limits::default();
        let tokens = lex(&text, &limits).unwrap();
        let place = place.index(tokens.len());
        let splice = Splice { tokens: place..place + 1, with: vec![Piece::Text(ours.to_owned())] };
        let (sent, _) = apply(&text, &tokens, 0..tokens.len(), &[splice], &mut |_| unreachable!()).unwrap();
        let mut expected: Vec<&str> = tokens.iter().map(|token| token.text(&text)).collect();
        let ours_tokens = lex(ours, &limits).unwrap();
        expected.splice(place..place + 1, ours_tokens.iter().map(|token| token.text(ours)));
        let found = lex(&sent, &limits).unwrap();
        let found: Vec<&str> = found.iter().map(|token| token.text(&sent)).collect();
        prop_assert_eq!(found, expected, "{:?} -> {:?}", text, sent);
    }
}
