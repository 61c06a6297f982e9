//! `pgwarrant session`

use crate::args::SessionVerb;
use crate::failure::{Failure, Status};
use crate::output::{Output, line, member, note, text, time};
use crate::signed_in::Place;
use crate::table::Cell;

pub async fn make(place: &Place, verb: &SessionVerb) -> Result<Status, Failure> {
    let caller = place.caller().await?;
    match verb {
        SessionVerb::List { user, database, list } => {
            let query = [("user", user.clone()), ("database", database.clone())];
            let (items, more) = caller.list("/v1/sessions", &query, list.limit as usize).await?;
            let head =
                ["NUMBER", "USER", "DATABASE", "ROLE", "ADDRESS", "TLS", "SIGN-IN", "SINCE", "APPLICATION"];
            Output::new(list.json.json).list(&items, head, |session| {
                [
                    Cell::new(member(session, "number")),
                    Cell::new(text(session, "user")),
                    Cell::new(text(session, "database")),
                    Cell::new(text(session, "role")),
                    Cell::new(text(session, "address")),
                    Cell::new(member(session, "tls")),
                    Cell::new(text(session, "sign_in")),
                    Cell::new(time(session, "since")),
                    Cell::new(text(session, "application")),
                ]
            })?;
            if more {
                note("there are more; --limit says how many are shown");
            }
        }
        SessionVerb::Kill { number } => {
            caller.delete(&format!("/v1/sessions/{number}")).await?;
            line(&format!("session {number} ends"))?;
        }
    }
    Ok(Status::Done)
}
