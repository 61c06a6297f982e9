//! What the functions of the schema `pgwarrant` do.

use pgwarrant_grants::{Grant, Outcome, Request, RequestId};
use pgwarrant_sql::{Reason, Refusal};
use serde_json::json;

use super::arguments::Arguments;
use super::relations::time;
use super::{Console, Row, refused};
use crate::refuse;

impl Console {
    /// Acts. Giving waits for the disk.
    pub fn act(&self, name: &str, arguments: &Arguments) -> Result<Vec<Row>, Refusal> {
        let (live, who, context) = (&self.live, self.who(), self.identity.context());
        let reason = arguments.text("reason");
        let row = match name {
            "request" => {
                let ask = arguments.ask();
                asked(
                    live.request(who, &self.identity.database, &self.catalogue, ask, &context)
                        .map_err(refused)?,
                )
            }
            "extend" => {
                let (id, ask) = (arguments.number("grant_id")?, arguments.ask_more());
                asked(live.extend(who, id, &self.catalogue, ask, &context).map_err(refused)?)
            }
            "approve" => {
                let id = arguments.number("request")?;
                let Outcome { request, grant } =
                    live.approve(who, id, reason.as_deref(), &context).map_err(refused)?;
                let message = grant.map_or_else(|| request.summary(), |grant| grant.summary());
                decided(&request, message)
            }
            "deny" => {
                let id = arguments.number("request")?;
                let request = live.deny(who, id, reason.as_deref(), &context).map_err(refused)?;
                decided(&request, request.summary())
            }
            "withdraw" => {
                let id = arguments.number("request")?;
                let request = live.withdraw(who, id, reason.as_deref(), &context).map_err(refused)?;
                decided(&request, request.summary())
            }
            "review" => {
                let (id, justified) = (arguments.number("grant_id")?, justified(arguments)?);
                let comment = reason.unwrap_or_default();
                let grant = live.review(who, id, justified, &comment, &context).map_err(refused)?;
                let said = if justified { "justified" } else { "not justified" };
                of_grant(&grant, format!("grant {} was reviewed: {said}", grant.id))
            }
            "revoke" | "release" => {
                let id = arguments.number("grant_id")?;
                let ended = match name {
                    "revoke" => live.revoke(who, id, reason.as_deref()),
                    _ => live.release(who, id),
                };
                let grant = ended.map_err(refused)?;
                of_grant(&grant, grant.summary())
            }
            "explain" => self.explain(arguments.number("request")?)?,
            _ => return Err(unknown(name)),
        };
        Ok(vec![row])
    }

    /// Why a request was decided as it was, and what it would get today.
    fn explain(&self, id: RequestId) -> Result<Row, Refusal> {
        let theirs = self.live.requests_for(self.who()).into_iter();
        let mut theirs = theirs.filter(|request| request.database == *self.identity.database);
        let request = theirs.find(|request| request.id == id).ok_or_else(|| {
            refuse::refusal(
                Reason::Console,
                "42704",
                format!("there is no request {id} that you may see"),
                None,
                Some("SELECT * FROM pgwarrant.requests lists them."),
            )
        })?;
        let replay = self.live.replay(id, &self.catalogue, None).map_err(refused)?;
        let approvals: Vec<serde_json::Value> = request
            .approvals
            .iter()
            .map(|approval| {
                json!({ "by": approval.by, "at": time(approval.at), "reason": approval.reason, "from": approval.from })
            })
            .collect();
        let decision = request.decision.as_ref().filter(|decision| decision.by.is_some());
        let decided_by = match decision {
            Some(decision) if approvals.is_empty() => vec![
                json!({ "by": decision.by, "at": time(decision.at), "reason": decision.reason, "from": decision.from }),
            ],
            _ => approvals,
        };
        let then = replay.then.as_ref();
        let ruling = then.map(|then| then.ruling.text().to_owned());
        let facts = then.and_then(|then| serde_json::to_string(&then.facts).ok());
        let today = replay.now.why();
        let message = match &ruling {
            Some(ruling) => format!("{}; ruled {ruling}, today {}", request.summary(), replay.now.text()),
            None => format!("{}; today {}", request.summary(), replay.now.text()),
        };
        Ok(vec![
            Some(id.to_string()),
            Some(request.state.text().to_owned()),
            ruling,
            list(&request.why.policies, ", "),
            list(&request.why.reasons, " "),
            facts,
            Some(serde_json::Value::from(decided_by).to_string()),
            Some(replay.now.text().to_owned()),
            list(&today.policies, ", "),
            Some(message),
        ])
    }
}

/// None where there is none.
pub fn list(texts: &[String], separator: &str) -> Option<String> {
    (!texts.is_empty()).then(|| texts.join(separator))
}

fn asked(outcome: Outcome) -> Row {
    let Outcome { request, grant } = outcome;
    let message = match &grant {
        Some(grant) => format!("{}; {}", request.summary(), grant.summary()),
        None => request.summary(),
    };
    vec![
        Some(request.id.to_string()),
        Some(request.state.text().to_owned()),
        request.grant.map(|grant| grant.to_string()),
        Some(message),
    ]
}

fn decided(request: &Request, message: String) -> Row {
    vec![Some(request.id.to_string()), Some(request.state.text().to_owned()), Some(message)]
}

fn of_grant(grant: &Grant, message: String) -> Row {
    vec![Some(grant.id.to_string()), Some(grant.state_text().to_owned()), Some(message)]
}

fn justified(arguments: &Arguments) -> Result<bool, Refusal> {
    let given = arguments.text("verdict").unwrap_or_default();
    match given.trim().to_ascii_lowercase().as_str() {
        "justified" => Ok(true),
        "not justified" | "unjustified" => Ok(false),
        other => Err(refuse::refusal(
            Reason::Console,
            "22023",
            format!("verdict '{}' is not known", other.escape_debug()),
            None,
            Some("Write 'justified' or 'not justified'."),
        )),
    }
}

fn unknown(name: &str) -> Refusal {
    refuse::refusal(Reason::Console, "42883", format!("function pgwarrant.{name} does not exist"), None, None)
}
