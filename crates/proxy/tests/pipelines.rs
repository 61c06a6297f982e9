//! What the proxy does with the protocol is what the server itself would have done.

mod support;

use support::Fixture;

/// Scripts that touch nothing protected: the answers must be the server's own, message by message.
const SCRIPTS: &[(&str, &str)] = &[
    ("simple queries", "Q SELECT 1 | Q SELECT 2; SELECT 3 | Q ; | Q SELECT 1; SELECT 1/0; SELECT 3"),
    ("extended", "P - SELECT 1 | B - - | DP - | E - | S"),
    ("extended without a description", "P - SELECT 1 | B - - | E - | S"),
    ("flush without sync", "P - SELECT 1 | H | W 1 | B - - | H | W 2 | E - | H | W C | S"),
    (
        "description of a statement, flushed",
        "P a SELECT 1 | DS a | H | W T | B - a | E - | H | W C | CS a | S",
    ),
    (
        "error in the middle",
        "P - SELECT 1/0 | B - - | E - | P - SELECT 1 | B - - | E - | S | P - SELECT 2 | B - - | E -",
    ),
    ("a name that is taken", "P a SELECT 1 | S | W Z | P a SELECT 2 | S | B - a | E - | S"),
    (
        "a Parse that was skipped after an error",
        "P - SELECT 7 | S | W Z | P x selec | P - SELECT 8 | S | B - - | E - | S",
    ),
    (
        "the unnamed statement replaced under a bound portal",
        "P - SELECT 1 | B p - | P - SELECT 2 | E p | B q - | E q | S",
    ),
    ("a portal after its transaction", "P - SELECT 1 | B p - | S | E p | S"),
    (
        "a portal read in parts",
        "Q BEGIN | P - SELECT generate_series(1,5) | B p - | E p 2 | S | W Z | E p 2 | S | E p 2 | S | Q COMMIT | E p",
    ),
    ("row limits in one pipeline", "P - SELECT generate_series(1,5) | B p - | E p 2 | E p 2 | E p 0 | S"),
    (
        "names that nobody made",
        "B - nope | E - | S | E nope | S | DP nope | S | DS nope | S | CS nope | CP nope | S",
    ),
    ("a query in a pipeline", "P - SELECT 1 | B - - | Q SELECT 2 | E - | S"),
    ("a query after an error", "P - selec | Q SELECT 2 | S | Q SELECT 3"),
    (
        "a failed transaction",
        "Q BEGIN | Q SELECT 1/0 | Q SELECT 1 | P - SELECT 1 | S | P - ROLLBACK | B - - | E - | S | Q SELECT 2",
    ),
    ("COPY in", "Q CREATE TEMP TABLE z(a int) | Q COPY z FROM STDIN | W G | d 1 | d 2 | c | Q TABLE z"),
    (
        "COPY in that the client fails",
        "Q CREATE TEMP TABLE z(a int) | Q COPY z FROM STDIN | W G | d 1 | f | Q TABLE z",
    ),
    (
        "COPY in that the server fails",
        "Q CREATE TEMP TABLE z(a int) | Q COPY z FROM STDIN | W G | d x | c | Q TABLE z",
    ),
    (
        "COPY in, extended",
        "Q CREATE TEMP TABLE z(a int) | P - COPY z FROM STDIN | B - - | E - | S | W G | d 1 | c | S | Q TABLE z",
    ),
    (
        "COPY in, data sent before they are asked for",
        "Q CREATE TEMP TABLE z(a int) | P - COPY z FROM STDIN | B - - | E - | d 1 | c | S | Q TABLE z",
    ),
    (
        "COPY out",
        "Q COPY (SELECT generate_series(1,3)) TO STDOUT | P - COPY (SELECT 1) TO STDOUT | B - - | E - | S",
    ),
    ("data without a COPY", "d x | c | Q SELECT 1"),
    ("PREPARE", "Q PREPARE a AS SELECT 5 | Q EXECUTE a | Q DEALLOCATE a | Q EXECUTE a"),
    ("PREPARE and EXECUTE in one message", "Q PREPARE b AS SELECT 5; EXECUTE b; DEALLOCATE b; EXECUTE b"),
    (
        "PREPARE that fails",
        "Q PREPARE d AS selec | Q EXECUTE d | Q PREPARE a AS SELECT 1 | Q PREPARE a AS SELECT 2 | Q EXECUTE a",
    ),
    (
        "DEALLOCATE ALL",
        "P x SELECT 1 | S | Q PREPARE y AS SELECT 2 | Q DEALLOCATE ALL | B - x | E - | S | Q EXECUTE y",
    ),
    (
        "both kinds of names are one",
        "P x SELECT 42 | S | Q EXECUTE x | Q PREPARE y AS SELECT 43 | B - y | DP - | E - | S",
    ),
    (
        "cursors",
        "Q BEGIN | Q DECLARE c CURSOR FOR SELECT generate_series(1,4) | Q FETCH 2 FROM c | P - FETCH 1 FROM c | B - - | E - | S | Q CLOSE c | Q FETCH 1 FROM c",
    ),
    (
        "a cursor after its transaction",
        "Q BEGIN | Q DECLARE c CURSOR WITH HOLD FOR SELECT 1 | Q COMMIT | Q FETCH 1 FROM c | Q CLOSE c",
    ),
    (
        "a portal is a cursor",
        "Q BEGIN | P - SELECT generate_series(1,4) | B pp - | Q FETCH 2 FROM pp | E pp 1 | S | Q COMMIT",
    ),
    (
        "settings in a pipeline",
        "P - SET search_path = pg_catalog | B - - | E - | P - SELECT current_schemas(false)::text | B - - | E - | S | Q SHOW search_path",
    ),
    (
        "settings rolled back",
        "Q BEGIN | Q SET search_path = pg_catalog | Q ROLLBACK | Q SELECT current_schemas(false)::text",
    ),
    (
        "settings of a message that failed",
        "Q SET search_path = pg_catalog; SELECT 1/0 | Q SELECT current_schemas(false)::text",
    ),
    ("notifications", "Q LISTEN ch | Q NOTIFY ch, 'x'"),
    ("savepoints", "Q BEGIN | Q SAVEPOINT a | Q selec | Q ROLLBACK TO a | Q SELECT 1 | Q COMMIT"),
    (
        "the end of a transaction within a pipeline",
        "Q BEGIN | P - SELECT 1 | B p - | P c COMMIT | B - c | E - | E p | S | Q SELECT 1",
    ),
    (
        "a prepared FETCH is described before it runs",
        "Q BEGIN | Q DECLARE c CURSOR FOR SELECT city FROM customers | P f FETCH 1 FROM c | DS f | S | W Z | W Z | W Z | B - f | DP - | E - | S",
    ),
    ("positions count characters", "Q SELECT 'é', nope | P - SELECT 'é', nope"),
    ("nothing but Sync and Flush", "S | S | H | S"),
];

#[tokio::test(flavor = "multi_thread")]
async fn pipelines_are_answered_as_the_server_answers_them() {
    let fixture = Fixture::start("pipelines").await;
    for (name, script) in SCRIPTS {
        let expected = fixture.direct().await.script_to_end(script).await;
        let found = fixture.ada().await.script_to_end(script).await;
        assert_eq!(found, expected, "{name}: {script}");
    }
    fixture.end().await;
}

/// The steps that random scripts are made of.
const STATEMENTS: &[&str] = &[
    "SELECT 1",
    "SELECT nope",
    "SELECT 1/0",
    "SELECT generate_series(1,4)",
    "BEGIN",
    "COMMIT",
    "ROLLBACK",
    "SAVEPOINT s",
    "ROLLBACK TO s",
    "SET search_path = pg_catalog",
    "SET LOCAL search_path = pg_catalog",
    "RESET search_path",
    "SELECT current_schemas(false)::text",
    "PREPARE a AS SELECT 11",
    "PREPARE b AS SELECT 12",
    "EXECUTE a",
    "EXECUTE b",
    "DEALLOCATE a",
    "DEALLOCATE ALL",
    "DECLARE a CURSOR FOR SELECT generate_series(5,8)",
    "FETCH 1 FROM a",
    "CLOSE a",
    "COPY (SELECT 3) TO STDOUT",
    "SELECT 1; SELECT 1/0; SELECT 3",
    "BEGIN; SELECT 5",
    "COMMIT; SELECT 6",
    "DISCARD ALL",
    "SELECT count(*) FROM customers",
    "SELECT id, city FROM customers WHERE id = 2",
];

/// Numbers that are the same in every run (xorshift).
struct Numbers(u64);

impl Numbers {
    fn below(&mut self, bound: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 >> 11) as usize % bound
    }

    fn script(&mut self) -> String {
        let steps = 3 + self.below(12);
        (0..steps).map(|_| self.step()).collect::<Vec<_>>().join(" | ")
    }

    fn step(&mut self) -> String {
        let name = ["-", "a", "b"][self.below(3)];
        let other = ["-", "a", "b"][self.below(3)];
        // EXECUTE runs queries only, by intent, so a Parse message prepares nothing else under a name.
        let statement = STATEMENTS[self.below(STATEMENTS.len())];
        let query = ["SELECT 1", "SELECT 2", "SELECT nope", "SELECT generate_series(1,3)"][self.below(4)];
        match self.below(20) {
            0..=5 => format!("Q {statement}"),
            6..=7 => format!("P - {statement}"),
            8..=9 => format!("P {name} {query}"),
            10..=12 => format!("B {name} {other}"),
            13..=14 => format!("E {name} {}", self.below(3)),
            15 => format!("DS {name}"),
            16 => format!("DP {name}"),
            17 => format!("C{} {name}", ["S", "P"][self.below(2)]),
            18 => "H".to_owned(),
            _ => "S".to_owned(),
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn random_pipelines_are_answered_as_the_server_answers_them() {
    let fixture = Fixture::start("random").await;
    let mut numbers = Numbers(0x9e37_79b9_7f4a_7c15);
    for _ in 0..150 {
        let script = numbers.script();
        let expected = fixture.direct().await.script_to_end(&script).await;
        let found = fixture.ada().await.script_to_end(&script).await;
        assert_eq!(found, expected, "{script}");
    }
    fixture.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_refusal_fails_where_the_statement_stands_and_nothing_else_does() {
    let fixture = Fixture::start("refusals").await;
    let refused = "DO $$BEGIN END$$";
    let shape = |seen: &[String]| -> String {
        let letters = seen.iter().map(|message| message.get(..1).unwrap_or_default());
        letters.collect::<Vec<_>>().join("")
    };
    for (name, script, expected) in [
        ("alone", format!("Q {refused} | W Z"), "EZ"),
        ("the second of three", format!("Q SELECT 1; {refused}; SELECT 2 | W Z"), "TDCEZ"),
        (
            "between good ones in a pipeline",
            format!(
                "P - SELECT 1 | B - - | E - | P - {refused} | B - - | E - | S | W Z | P - SELECT 1 | B - - | E - | S | W Z"
            ),
            "12DCEZ12DCZ",
        ),
        (
            "in a transaction, which fails",
            format!("Q BEGIN | W Z | Q {refused} | W Z | Q SELECT 1 | W Z | Q ROLLBACK | W Z"),
            "CZEZEZCZ",
        ),
        ("flushed", format!("P - {refused} | H | W E | S | W Z"), "EZ"),
    ] {
        let seen = fixture.ada().await.script(&script).await;
        assert_eq!(shape(&seen), expected, "{name}: {seen:?}");
        let error = seen.iter().find(|message| message.starts_with('E')).expect("an error");
        assert!(error.starts_with("E ERROR · 42501 · ") && !error.contains("refused "), "{name}: {error}");
    }
    fixture.end().await;
}
