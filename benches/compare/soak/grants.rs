//! Grants that come and go: asked for, approved or denied, and revoked, released or left to expire.

use std::sync::atomic::Ordering;
use std::time::Duration;

use tokio::task::JoinSet;
use tokio_postgres::{Client, SimpleQueryMessage};

use super::clients::{Dice, connect, text};
use super::{OFFICES, Shared};
use crate::figure::Outcome;
use crate::grants::{approve, granted, release, request, revoke};
use crate::settings::{APPROVER, ASKER, password};

const COLUMNS: [&str; 4] = ["people.email", "people.*", "people.name, people.email", "category:contact"];

/// So many ended grants and decided requests are kept at hand: from then on, one more is one fewer.
const HISTORY: u32 = 1_000;

/// Has the proxy see as many grants as it remembers, so that it is one that has run for days.
pub async fn fill_history(shared: &Shared) -> Outcome<()> {
    let mut offices = JoinSet::new();
    for _ in 0..OFFICES {
        let shared = shared.clone();
        offices.spawn(async move {
            let briefly = async || {
                let (asker, approver) = sign_in(&shared).await?;
                for _ in 0..HISTORY / OFFICES {
                    let request = value(&asker, &request("people.email", "60 s")).await?;
                    value(&approver, &approve(&request)).await?;
                    let grant = value(&asker, &granted(&request)).await?;
                    value(&asker, &release(&grant)).await?;
                }
                Outcome::Ok(())
            };
            briefly().await.map_err(|error| format!("grants: {error}"))
        });
    }
    while let Some(done) = offices.join_next().await {
        done??;
    }
    Ok(())
}

/// Who asks, and who decides.
async fn sign_in(shared: &Shared) -> Outcome<(Client, Client)> {
    let one = |user: &str| {
        let endpoint = shared.place.endpoint.with_user(user, &password(user));
        async move { connect(&endpoint).await.map_err(|error| text(&error)) }
    };
    Ok((one(ASKER).await?, one(APPROVER).await?))
}

/// One grant after another, until it is told to stop.
pub async fn come_and_go(shared: Shared, number: u32) {
    if let Err(error) = decide(&shared, number).await {
        shared.tally.error(format!("grants: {error}"));
    }
}

async fn decide(shared: &Shared, number: u32) -> Outcome<()> {
    let (asker, approver) = sign_in(shared).await?;
    let mut dice = Dice(u64::from(number) << 32);
    while !*shared.stop.borrow() {
        let columns = COLUMNS.get(dice.below(4) as usize).copied().unwrap_or("people.email");
        let end = dice.below(4);
        let request = value(&asker, &request(columns, if end == 0 { "1 s" } else { "60 s" })).await?;
        if end == 1 && dice.below(4) == 0 {
            value(&approver, &format!("SELECT * FROM pgwarrant.deny({request}, reason => 'a benchmark')"))
                .await?;
            continue;
        }
        value(&approver, &approve(&request)).await?;
        shared.tally.grants.fetch_add(1, Ordering::Relaxed);
        let grant = value(&asker, &granted(&request)).await?;
        let life = if end == 0 { Duration::from_millis(1200) } else { Duration::from_millis(100) };
        tokio::time::sleep(life + Duration::from_millis(dice.below(1000).into())).await;
        match end {
            0 => {}
            1 => drop(value(&asker, &release(&grant)).await?),
            _ => drop(value(&approver, &revoke(&grant)).await?),
        }
        // Without one for a while, so that masked rows come too.
        tokio::time::sleep(Duration::from_millis(dice.below(3000).into())).await;
    }
    Ok(())
}

/// The first value of the first row.
async fn value(client: &Client, sql: &str) -> Outcome<String> {
    let messages = client.simple_query(sql).await.map_err(|error| text(&error))?;
    let row = messages.iter().find_map(|message| match message {
        SimpleQueryMessage::Row(row) => row.get(0),
        _ => None,
    });
    row.map(str::to_owned).ok_or_else(|| format!("no row from {sql}").into())
}
