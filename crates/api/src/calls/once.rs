//! `/v1/requests/{id}/approval-tokens`: one approval, by a script.

use std::ops::Deref;
use std::sync::Arc;
use std::time::Duration;

use axum::extract::{FromRequestParts, State};
use axum::http::request::Parts;
use pgwarrant_grants::{RequestState, format_duration, parse_duration};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::answer::Created;
use crate::api::{self, Api, time};
use crate::caller::{By, Caller, Oneself, Scope};
use crate::calls::requests::find;
use crate::calls::tokens::must_have_tokens;
use crate::input::{Body, Number};
use crate::problem::{Problem, What};
use crate::tokens::Wanted;

const DEFAULT_LIFETIME: &str = "1 h";
const LONGEST: Duration = Duration::from_secs(24 * 60 * 60);

/// Who may approve, with a token for that or otherwise.
#[derive(Clone, Debug)]
pub struct Approver(pub Arc<Caller>);

impl Approver {
    /// # Errors
    /// Their token is good for another request alone.
    pub fn check(&self, request: u64) -> Result<(), Problem> {
        match self.0.approves_only {
            Some(only) if only != request => {
                Err(Problem::new(What::NotAllowed, format!("this token is good for request {only} alone"))
                    .hint("Make one for this request."))
            }
            _ => Ok(()),
        }
    }
}

impl Deref for Approver {
    type Target = Caller;
    fn deref(&self) -> &Caller {
        &self.0
    }
}

impl<S: Send + Sync> FromRequestParts<S> for Approver {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Problem> {
        let caller = parts.extensions.get::<Arc<Caller>>().cloned();
        let caller = caller.ok_or_else(|| Problem::sign_in("you are not signed in"))?;
        if caller.approves_only.is_none() {
            caller.check(Scope::Approve)?;
        }
        Ok(Self(caller))
    }
}

/// How long the approval may be waited for.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewApprovalToken {
    /// `1 h`, where nothing else is said; `24 h` at most.
    lifetime: Option<String>,
}

/// A token that was just made: the one time that it is told.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct ApprovalToken {
    pub id: String,
    /// What it approves.
    pub request_id: u64,
    pub created_at: String,
    pub expires_at: String,
    /// To be sent as `Authorization: Bearer …`.
    pub token: String,
}

/// Make a token that approves this request, once
///
/// It takes who has signed in, and may approve the request now. When it is used they must still be
/// allowed to.
pub async fn make(
    State(api): State<Arc<Api>>,
    by: By<Oneself>,
    Number(id): Number,
    Body(new): Body<NewApprovalToken>,
) -> Result<Created<ApprovalToken>, Problem> {
    must_have_tokens(&api, &by.who.user)?;
    let lifetime = parse_duration(new.lifetime.as_deref().unwrap_or(DEFAULT_LIFETIME))?;
    if lifetime > LONGEST {
        return Err(Problem::new(What::Invalid, "lifetime is longer than allowed")
            .hint(format!("Ask for {} or less.", format_duration(LONGEST))));
    }
    api.blocking(move |api| {
        let request = find(&api.live, &by, id)?;
        if request.state != RequestState::Pending {
            let message = format!("request {id} has already been decided");
            return Err(Problem::new(What::State, message).hint("There is nothing to approve."));
        }
        if !api.live.may_decide(&by.who, &request) || request.has_approved(&by.who) {
            let message = format!("user \"{}\" may not approve request {id}", by.who.user);
            return Err(Problem::new(What::NotAllowed, message)
                .detail(
                    "It is their own, they have approved it, or it is not among what their groups decide.",
                )
                .hint("Have somebody else make the token."));
        }
        let name = format!("approves request {id}");
        let wanted = Wanted { user: by.who.user.clone(), name, scopes: Vec::new(), lifetime, once: Some(id) };
        let (token, text) = api.tokens.make(wanted, api::now())?;
        let location = format!("/v1/tokens/{}", token.id);
        let body = ApprovalToken {
            id: token.id.clone(),
            request_id: id,
            created_at: time(token.created_at),
            expires_at: time(token.expires_at),
            token: text,
        };
        Ok(Created { location, body })
    })
    .await
}
