//! How many rows relations have, as PostgreSQL's own statistics say: `pg_class.reltuples`, which
//! VACUUM and ANALYZE keep. Asked on the loader's connection, of the catalogs alone.

use std::collections::BTreeSet;
use std::time::Duration;

use pgwarrant_catalog::Oid;
use pgwarrant_grants::Estimate;
use tokio::sync::{mpsc, oneshot};

use crate::line::Rows;

/// Questions that wait; more are not answered.
const WAITING: usize = 64;
/// Of one question; the rows of more are not known.
const RELATIONS: usize = 1_000;
/// How long somebody waits who asks, while the schema is read for instance.
const PATIENCE: Duration = Duration::from_secs(2);

/// What is asked, and whom to tell.
pub struct Question {
    relations: BTreeSet<Oid>,
    answer: oneshot::Sender<Option<u64>>,
}

/// Where to ask.
#[derive(Clone, Debug)]
pub struct Counts(mpsc::Sender<Question>);

impl Counts {
    /// Also where the questions arrive.
    pub fn new() -> (Self, mpsc::Receiver<Question>) {
        let (sender, questions) = mpsc::channel(WAITING);
        (Self(sender), questions)
    }

    /// Of what a request is about. None: not known.
    pub async fn estimated(&self, estimate: Estimate) -> Option<u64> {
        match estimate {
            Estimate::AtMost(rows) => Some(rows),
            Estimate::RowsOf(relations) => self.rows_of(relations).await,
        }
    }

    /// Rows of these relations together, those of partitions and children with them. None: of one of
    /// them it is not known, as of a view or a table that was never analysed; or nobody answers.
    async fn rows_of(&self, relations: BTreeSet<Oid>) -> Option<u64> {
        if relations.is_empty() || relations.len() > RELATIONS {
            return None;
        }
        let (answer, answered) = oneshot::channel();
        self.0.try_send(Question { relations, answer }).ok()?;
        tokio::time::timeout(PATIENCE, answered).await.ok()?.ok()?
    }
}

impl Question {
    /// What PostgreSQL plans in a fraction of the time of [`Self::with_children`], and is enough for
    /// most tables.
    pub fn text(&self) -> String {
        format!(
            "SELECT pg_catalog.sum(c.reltuples::pg_catalog.float8), \
             pg_catalog.bool_and(c.reltuples OPERATOR(pg_catalog.>=) 0::pg_catalog.float4 \
             AND c.relkind OPERATOR(pg_catalog.=) ANY (ARRAY['r', 'm']::pg_catalog.\"char\"[])), \
             pg_catalog.bool_or(c.relhassubclass OR c.relkind OPERATOR(pg_catalog.=) 'p'::pg_catalog.\"char\") \
             FROM pg_catalog.pg_class AS c WHERE c.oid OPERATOR(pg_catalog.=) ANY (ARRAY[{}]::pg_catalog.oid[])",
            self.oids()
        )
    }

    /// Of an answer to [`Self::text`]: one of the relations has, or had, partitions or children.
    pub fn has_children(rows: &Rows) -> bool {
        matches!(rows.first().map(Vec::as_slice), Some([_, _, Some(children)]) if children == "t")
    }

    /// The same with the rows of partitions and children.
    pub fn with_children(&self) -> String {
        format!(
            "WITH RECURSIVE t (oid) AS (SELECT pg_catalog.unnest(ARRAY[{}]::pg_catalog.oid[]) UNION \
             SELECT i.inhrelid FROM pg_catalog.pg_inherits AS i JOIN t ON i.inhparent OPERATOR(pg_catalog.=) t.oid) \
             SELECT pg_catalog.sum(c.reltuples::pg_catalog.float8), \
             pg_catalog.bool_and(c.reltuples OPERATOR(pg_catalog.>=) 0::pg_catalog.float4 \
             AND c.relkind OPERATOR(pg_catalog.=) ANY (ARRAY['r', 'm']::pg_catalog.\"char\"[])) \
             FROM t JOIN pg_catalog.pg_class AS c ON c.oid OPERATOR(pg_catalog.=) t.oid \
             WHERE c.relkind OPERATOR(pg_catalog.<>) 'p'::pg_catalog.\"char\"",
            self.oids()
        )
    }

    fn oids(&self) -> String {
        let oids: Vec<String> = self.relations.iter().map(Oid::to_string).collect();
        oids.join(", ")
    }

    pub fn tell(self, rows: &Rows) {
        // An error means that nobody waits any more.
        _ = self.answer.send(read(rows));
    }
}

fn read(rows: &Rows) -> Option<u64> {
    let [Some(sum), Some(known), ..] = rows.first()?.as_slice() else { return None };
    let sum: f64 = sum.parse().ok().filter(|sum: &f64| sum.is_finite() && *sum >= 0.0)?;
    // As near as an estimate is; what is too large for the type is as large as it can be.
    (known == "t").then_some(sum.round() as u64)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_not_known_of_one_is_not_known() {
        let row = |sum: Option<&str>, known: Option<&str>| {
            vec![vec![sum.map(str::to_owned), known.map(str::to_owned)]]
        };
        for (rows, expected) in [
            (row(Some("200000"), Some("t")), Some(200_000)),
            (row(Some("1.5e+06"), Some("t")), Some(1_500_000)),
            (row(Some("0"), Some("t")), Some(0)),
            (row(Some("199999"), Some("f")), None),
            (row(None, None), None),
            (row(Some("NaN"), Some("t")), None),
            (row(Some("-1"), Some("t")), None),
            (Rows::new(), None),
        ] {
            assert_eq!(read(&rows), expected, "{rows:?}");
        }
    }
}
