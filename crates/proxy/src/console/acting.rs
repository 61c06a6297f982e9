//! What the functions of the schema `pgwarrant` do.

use pgwarrant_grants::{Context, Grant, Outcome, Request, RequestId, parse_verdict};
use pgwarrant_sql::{Reason, Refusal};
use serde_json::json;

use super::arguments::Arguments;
use super::relations::time;
use super::{Console, Row, refused};
use crate::refuse;

impl Console {
    /// Acts. Giving waits for the disk. `estimated_rows`: of what is asked for.
    pub fn act(
        &self,
        name: &str,
        arguments: &Arguments,
        estimated_rows: Option<u64>,
    ) -> Result<Vec<Row>, Refusal> {
        let (live, who) = (&self.live, self.who());
        let context = Context { estimated_rows, ..self.identity.context() };
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
                let (id, verdict) = (arguments.number("grant_id")?, arguments.text("verdict"));
                let justified = parse_verdict(&verdict.unwrap_or_default()).map_err(refused)?;
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
        let explained =
            self.live.explain(self.who(), id, &self.identity.database, &self.catalogue).map_err(refused)?;
        let (request, then) = (&explained.request, explained.replay.then.as_ref());
        let words = request.words();
        let persons = words.iter().map(
            |word| json!({ "by": word.by, "at": time(word.at), "reason": word.reason, "from": word.from }),
        );
        let answers = request.conditions.iter().flat_map(|conditions| &conditions.answers).map(|answer| {
            json!({
                "condition": answer.name,
                "at": time(answer.at),
                "said": answer.said.text(),
                "reason": answer.reason,
            })
        });
        let decided_by: Vec<serde_json::Value> = persons.chain(answers).collect();
        Ok(vec![
            Some(id.to_string()),
            Some(request.state.text().to_owned()),
            explained.ruling().map(str::to_owned),
            list(&request.why.policies, ", "),
            list(&request.why.reasons, " "),
            then.and_then(|then| serde_json::to_string(&then.facts).ok()),
            Some(serde_json::Value::from(decided_by).to_string()),
            Some(explained.today().to_owned()),
            list(&explained.why_today().policies, ", "),
            Some(explained.summary()),
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

fn unknown(name: &str) -> Refusal {
    refuse::refusal(Reason::Console, "42883", format!("function pgwarrant.{name} does not exist"), None, None)
}
