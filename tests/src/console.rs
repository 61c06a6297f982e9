//! Asking and approving, as people do from their clients.

use tokio_postgres::Client;

/// Asks for `columns`; the request's number.
pub async fn ask(asker: &Client, columns: &str, rows: Option<&str>, duration: &str) -> i64 {
    let reason = "ticket 1: a test";
    asker
        .query_one(
            "SELECT request_id FROM pgwarrant.request($1, rows => $2, reason => $3, duration => $4)",
            &[&columns, &rows, &reason, &duration],
        )
        .await
        .unwrap_or_else(|error| panic!("the request is taken: {error:?}"))
        .get(0)
}

/// Asks for `columns` and has it approved; the grant's number.
pub async fn grant(asker: &Client, approver: &Client, columns: &str, rows: Option<&str>) -> i64 {
    let request = ask(asker, columns, rows, "10 min").await;
    approver
        .execute("SELECT * FROM pgwarrant.approve($1)", &[&request])
        .await
        .unwrap_or_else(|error| panic!("the request is approved: {error:?}"));
    asker
        .query_one("SELECT grant_id FROM pgwarrant.requests WHERE id = $1", &[&request])
        .await
        .unwrap_or_else(|error| panic!("the grant is listed: {error:?}"))
        .get(0)
}
