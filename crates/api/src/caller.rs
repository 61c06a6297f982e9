//! Who calls, and what their credential is good for.

use std::marker::PhantomData;
use std::net::SocketAddr;
use std::ops::Deref;
use std::sync::Arc;

use axum::extract::FromRequestParts;
use axum::http::request::Parts;
use pgwarrant_grants::{Context, Principal, WallMs};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::problem::{Problem, What};
use crate::secret::Digest;

/// What a credential is good for, within what its user may do.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum Scope {
    /// To look.
    Read,
    /// To ask, take back and release what is one's own, and end one's own sessions.
    Request,
    /// To decide, revoke and review, and end others' sessions.
    Approve,
}

impl Scope {
    pub const ALL: [Scope; 3] = [Scope::Read, Scope::Request, Scope::Approve];

    pub fn text(self) -> &'static str {
        match self {
            Scope::Read => "read",
            Scope::Request => "request",
            Scope::Approve => "approve",
        }
    }
}

/// The two ends of the connection.
#[derive(Clone, Copy, Debug)]
pub struct Ends {
    pub peer: SocketAddr,
    pub local: SocketAddr,
    pub tls: bool,
}

/// How they showed who they are.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Via {
    /// The cookie of a session that began with a password.
    Browser(Digest),
    /// One of our own tokens.
    Token { id: String },
    /// A token of an issuer.
    Bearer,
    /// A signed message of an `[[inbound]]`.
    Webhook { name: String },
}

impl Via {
    pub fn text(&self) -> &'static str {
        match self {
            Via::Browser(_) => "session",
            Via::Token { .. } => "token",
            Via::Bearer => "bearer",
            Via::Webhook { .. } => "webhook",
        }
    }
}

/// Somebody who has shown who they are.
#[derive(Clone, Debug)]
pub struct Caller {
    pub who: Principal,
    pub context: Context,
    pub via: Via,
    pub scopes: Vec<Scope>,
    /// Good for nothing else than to approve this request.
    pub approves_only: Option<u64>,
    pub ends: Ends,
    /// The credential is good until then. None: it does not say.
    pub expires_at: Option<WallMs>,
    /// Names of the databases that they may connect to: what concerns others is not there for them.
    pub databases: Vec<String>,
}

impl Caller {
    pub fn may_use(&self, database: &str) -> bool {
        self.databases.iter().any(|known| known == database)
    }

    pub fn has(&self, scope: Scope) -> bool {
        self.scopes.contains(&scope)
    }

    pub fn check(&self, scope: Scope) -> Result<(), Problem> {
        if self.has(scope) {
            return Ok(());
        }
        Err(Problem::new(What::NotAllowed, format!("this token is not good for \"{}\"", scope.text()))
            .hint(format!("Use a token with the scope \"{}\", or sign in.", scope.text())))
    }

    pub fn check_oneself(&self) -> Result<(), Problem> {
        if !matches!(self.via, Via::Token { .. }) {
            return Ok(());
        }
        Err(Problem::new(What::NotAllowed, "a token is not good for this")
            .detail("It takes somebody who has signed in.")
            .hint("Sign in with POST /v1/session."))
    }
}

/// What a credential must be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Need {
    /// Good for this.
    Scope(Scope),
    /// Not one of our tokens.
    Oneself,
    /// Any that is good.
    Any,
}

/// What a handler needs of its caller.
pub trait Needs: Send + Sync + 'static {
    const NEED: Need;
}

/// To look.
#[derive(Debug)]
pub struct Read;
/// To ask, and to give back what is one's own.
#[derive(Debug)]
pub struct Ask;
/// To decide.
#[derive(Debug)]
pub struct Decide;
/// To have signed in themselves: who stole a token can neither prolong it nor make others.
#[derive(Debug)]
pub struct Oneself;
/// To be somebody; the handler looks at who.
#[derive(Debug)]
pub struct Somebody;

impl Needs for Read {
    const NEED: Need = Need::Scope(Scope::Read);
}
impl Needs for Ask {
    const NEED: Need = Need::Scope(Scope::Request);
}
impl Needs for Decide {
    const NEED: Need = Need::Scope(Scope::Approve);
}
impl Needs for Oneself {
    const NEED: Need = Need::Oneself;
}
impl Needs for Somebody {
    const NEED: Need = Need::Any;
}

/// A caller whose credential is good for what the handler does. Handlers that need somebody take
/// one, so that none can forget to ask.
#[derive(Clone, Debug)]
pub struct By<N>(pub Arc<Caller>, PhantomData<N>);

impl<N> Deref for By<N> {
    type Target = Caller;
    fn deref(&self) -> &Caller {
        &self.0
    }
}

impl<N: Needs, S: Send + Sync> FromRequestParts<S> for By<N> {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Problem> {
        let caller = parts.extensions.get::<Arc<Caller>>().cloned();
        let caller = caller.ok_or_else(|| Problem::sign_in("you are not signed in"))?;
        match N::NEED {
            Need::Scope(scope) => caller.check(scope)?,
            Need::Oneself => caller.check_oneself()?,
            Need::Any => {}
        }
        Ok(Self(caller, PhantomData))
    }
}
