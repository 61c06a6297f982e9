//! `pgwarrant token`

use serde_json::{Value, json};

use super::session;
use crate::args::{TokenVerb, Wanted};
use crate::call::escape;
use crate::failure::{Failure, Status};
use crate::output::{Output, line, member, note, text, time};
use crate::signed_in::Place;
use crate::table::Cell;

pub async fn make(place: &Place, verb: &TokenVerb) -> Result<Status, Failure> {
    match verb {
        TokenVerb::Create { name, wanted, user, json } => {
            let session = session(place, user.as_deref()).await?;
            let made = session.post("/v1/tokens", &body(name, wanted)).await;
            session.sign_out().await;
            let made = made?;
            let (scopes, until) = (member(&made, "scopes"), time(&made, "expires_at"));
            note(&format!(
                "token {} is good for {scopes} until {until}; it is shown this once",
                text(&made, "id")
            ));
            Output::new(json.json).outcome(&made, text(&made, "token"))?;
        }
        TokenVerb::List { list } => {
            let (items, more) = place.caller().await?.list("/v1/tokens", &[], list.limit as usize).await?;
            let head = ["ID", "SCOPES", "CREATED", "ENDS", "LAST USED", "NAME"];
            Output::new(list.json.json).list(&items, head, |token| {
                [
                    Cell::new(text(token, "id")),
                    Cell::new(member(token, "scopes")),
                    Cell::new(time(token, "created_at")),
                    Cell::new(time(token, "expires_at")),
                    Cell::new(time(token, "last_used_at")),
                    Cell::new(text(token, "name")),
                ]
            })?;
            if more {
                note("there are more; --limit says how many are shown");
            }
        }
        TokenVerb::Revoke { id, user } => {
            let session = session(place, user.as_deref()).await?;
            let ended = session.delete(&format!("/v1/tokens/{}", escape(id))).await;
            session.sign_out().await;
            ended?;
            line(&format!("token {id} has ended"))?;
        }
    }
    Ok(Status::Done)
}

/// What was not given is the server's choice.
pub fn body(name: &str, wanted: &Wanted) -> Value {
    let scopes = (!wanted.scopes.is_empty()).then_some(&wanted.scopes);
    json!({ "name": name, "scopes": scopes, "lifetime": wanted.lifetime })
}
