//! Proves: statements that nobody wrote on purpose disclose nothing either. Words of the attacks are
//! cut, doubled, swapped and mixed, from a fixed seed, and every answer is searched for protected
//! values.

mod support;

use std::time::Duration;

use pgwarrant_sql::{Limits, lex};
use pgwarrant_tests::{Proxy, Shop};
use tokio_postgres::{Client, SimpleQueryMessage};

const STATEMENTS: usize = 4000;
/// Settings and roles that a statement changed do not stay for longer than this many statements.
const PER_SESSION: usize = 100;

/// A small generator of pseudo-random numbers (xorshift64*), the same for everybody.
struct Dice(u64);

impl Dice {
    fn below(&mut self, limit: usize) -> usize {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        (self.0.wrapping_mul(0x2545_F491_4F6C_DD1D) >> 33) as usize % limit
    }
}

fn words(statement: &str) -> Vec<String> {
    match lex(statement, &Limits::default()) {
        Ok(tokens) => tokens.iter().map(|token| token.text(statement).to_owned()).collect(),
        Err(_) => vec![statement.to_owned()],
    }
}

/// Names that fit in many places, so that a good part of the statements still runs.
const NAMES: &[&str] = &[
    "customers",
    "orders",
    "products",
    "payments",
    "customer_directory",
    "page_views",
    "revenue_by_city",
    "c",
    "o",
    "id",
    "name",
    "email",
    "phone",
    "ssn",
    "birth_date",
    "address",
    "city",
    "country",
    "last_ip",
    "card_number",
    "max",
    "min",
    "count",
    "upper",
    "lower",
    "length",
    "email_of",
    "row_to_json",
    "to_jsonb",
    "md5",
];

/// Puts another name in the place of one; nearly every other word of SQL stays where it is.
fn rename(dice: &mut Dice, statement: &mut [String]) {
    let named: Vec<usize> =
        (0..statement.len()).filter(|at| NAMES.contains(&statement[*at].to_lowercase().as_str())).collect();
    if !named.is_empty() {
        NAMES[dice.below(NAMES.len())].clone_into(&mut statement[named[dice.below(named.len())]]);
    }
}

fn mutate(dice: &mut Dice, corpus: &[Vec<String>]) -> String {
    let mut statement = corpus[dice.below(corpus.len())].clone();
    let other = &corpus[dice.below(corpus.len())];
    if dice.below(3) > 0 {
        rename(dice, &mut statement);
        return statement.join(" ");
    }
    for _ in 0..=dice.below(3) {
        if statement.is_empty() {
            break;
        }
        let at = dice.below(statement.len());
        match dice.below(6) {
            0 => drop(statement.remove(at)),
            1 => statement.insert(at, statement[at].clone()),
            2 => {
                let with = dice.below(statement.len());
                statement.swap(at, with);
            }
            3 => statement[at] = other[dice.below(other.len())].clone(),
            4 => {
                let from = dice.below(other.len());
                let until = (from + 1 + dice.below(8)).min(other.len());
                statement.splice(at..at, other[from..until].iter().cloned());
            }
            _ => statement.truncate(at.max(2)),
        }
    }
    statement.join(" ")
}

async fn session(proxy: &Proxy) -> Client {
    let client = proxy.connect("ada").await;
    client.batch_execute("SET statement_timeout = '2s'").await.expect("a setting of the session's own");
    client
}

/// Everything that came back, as one text.
async fn answer(client: &Client, statement: &str) -> String {
    match client.simple_query(statement).await {
        Ok(messages) => {
            let mut text = String::new();
            for message in &messages {
                if let SimpleQueryMessage::Row(row) = message {
                    for (index, column) in row.columns().iter().enumerate() {
                        text.push_str(column.name());
                        text.push(' ');
                        text.push_str(row.get(index).unwrap_or_default());
                        text.push('\n');
                    }
                }
            }
            text
        }
        Err(error) => format!("{error:?}"),
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn mutated_statements_disclose_nothing() {
    let shop = Shop::new().await;
    let proxy = Proxy::start(&shop);
    let secrets = support::secrets(&shop, &proxy).await;
    let corpus: Vec<Vec<String>> = ["attacks.sql", "harmless.sql"]
        .iter()
        .flat_map(|file| support::statements(file))
        // A COPY turns the connection round, and this client's simple protocol does not know it.
        .filter(|statement| !statement.to_uppercase().contains("COPY"))
        .flat_map(|statement| statement.split("; ").map(words).collect::<Vec<_>>())
        .filter(|words| words.len() > 2)
        .collect();
    let mut dice = Dice(0x5EED_0F5A_17B0_0C5E);
    let (mut answered, mut ended) = (0, Vec::new());
    let mut client = session(&proxy).await;
    for number in 0..STATEMENTS {
        let statement = mutate(&mut dice, &corpus);
        if number % PER_SESSION == 0 || client.is_closed() {
            client = session(&proxy).await;
        }
        let answer = tokio::time::timeout(Duration::from_secs(20), answer(&client, &statement))
            .await
            .unwrap_or_else(|_| panic!("no answer to statement {number}: {statement}"));
        answered += usize::from(!answer.contains("DbError"));
        if let Some(secret) = support::disclosed(&answer, &statement, &secrets) {
            panic!("statement {number} disclosed {secret:?}: {statement}\n{answer}");
        }
        if answer.contains("FATAL") || client.is_closed() {
            ended.push(format!("{statement}\n  {answer}"));
        }
    }
    assert!(answered > STATEMENTS / 10, "only {answered} statements ran: the hunt is blunt");
    assert!(ended.is_empty(), "{} statements ended their session:\n{}", ended.len(), ended.join("\n"));
    assert!(!proxy.log().contains("panicked"), "{}", proxy.log());
}
