//! What each verb does.

mod connect;
mod grants;
mod login;
mod looks;
mod requests;
mod sessions;
mod tokens;
mod wait;

use std::io::Write;
use std::process::{Command, ExitCode};

use serde_json::Value;

use crate::args::{SignIn, Verb};
use crate::asking;
use crate::call::{Caller, Refusal};
use crate::failure::{Failure, Status};
use crate::output::{note, text};
use crate::signed_in::{self, Place};

/// Does what the verb says, and gives the program's exit status.
pub fn run(verb: &Verb) -> ExitCode {
    let done = match tokio::runtime::Builder::new_current_thread().enable_all().build() {
        Ok(runtime) => runtime.block_on(make(verb)),
        Err(error) => Err(Failure::unusable(format!("could not start: {error}"))),
    };
    let done = done.and_then(|done| match done {
        Done::Status(status) => Ok(status),
        Done::Becomes(program) => Err(connect::become_program(*program)),
    });
    ExitCode::from(done.unwrap_or_else(|failure| {
        if failure.status != Status::Done {
            let _ = writeln!(std::io::stderr(), "{failure}");
        }
        failure.status
    }) as u8)
}

/// How a verb ends.
enum Done {
    Status(Status),
    /// This program goes on as another one.
    Becomes(Box<Command>),
}

impl From<Status> for Done {
    fn from(status: Status) -> Self {
        Done::Status(status)
    }
}

async fn make(verb: &Verb) -> Result<Done, Failure> {
    let status = match verb {
        Verb::Request { at, verb } => requests::make(&Place::find(at)?, verb).await?,
        Verb::Grant { at, verb } => grants::make(&Place::find(at)?, verb).await?,
        Verb::Session { at, verb } => sessions::make(&Place::find(at)?, verb).await?,
        Verb::Token { at, verb } => tokens::make(&Place::find(at)?, verb).await?,
        Verb::Profile { at, verb } => looks::profiles(&Place::find(at)?, verb).await?,
        Verb::Catalog { at, columns, list } => looks::catalogue(&Place::find(at)?, columns, list).await?,
        Verb::Whoami { at, json } => looks::whoami(&Place::find(at)?, *json).await?,
        Verb::Login { at, login } => login::login(&Place::find(at)?, at, login).await?,
        Verb::Logout { at } => login::logout(&Place::find(at)?).await?,
        Verb::Connect { at, connect } => {
            return connect::prepare(&Place::find(at)?, connect).await.map(Done::Becomes);
        }
    };
    Ok(status.into())
}

/// Makes a call that may need a second factor, in a session of its own where it does: a token cannot
/// show one.
async fn decide(place: &Place, sign_in: SignIn, path: &str, body: &Value) -> Result<Value, Failure> {
    if sign_in.second_factor {
        return with_second_factor(place, path, body).await;
    }
    match place.caller().await?.post(path, body).await {
        Err(Refusal { failure, lacks_second_factor: true }) if asking::is_terminal() => {
            note(&failure.message);
            with_second_factor(place, path, body).await
        }
        made => Ok(made?),
    }
}

async fn with_second_factor(place: &Place, path: &str, body: &Value) -> Result<Value, Failure> {
    if signed_in::token().is_none() && place.entry.as_ref().is_some_and(|entry| entry.issuer.is_some()) {
        return Err(Failure::new(Status::Refused, "a second factor cannot be shown with an issuer's token")
            .hint("Do it in psql: \"pgwarrant connect\", then pgwarrant.second_factor('CODE') and pgwarrant.approve(…)."));
    }
    let user = user(place).await?;
    let password = asking::secret("password", &format!("Password of {user}: "))?;
    let code = asking::secret("code", "Code of the second factor: ")?;
    let session = place.server()?.sign_in(&user, &password, Some(&code)).await;
    let session = session.map_err(|Refusal { failure, lacks_second_factor }| match lacks_second_factor {
        true => Failure::new(Status::Refused, "the code of the second factor is not right")
            .hint("Give the code that the app shows now; each is good once."),
        false => failure,
    })?;
    let made = session.post(path, body).await;
    session.sign_out().await;
    Ok(made?)
}

/// Signs in with a password, as whoever is signed in or `user`.
async fn session(place: &Place, given: Option<&str>) -> Result<Caller, Failure> {
    let user = match given {
        Some(user) => user.to_owned(),
        None => user(place).await?,
    };
    let password = asking::secret("password", &format!("Password of {user}: "))?;
    Ok(place.server()?.sign_in(&user, &password, None).await?)
}

/// Who is signed in, or would be.
async fn user(place: &Place) -> Result<String, Failure> {
    if signed_in::token().is_some() {
        let who = place.caller().await?.get("/v1/whoami").await?;
        return Ok(text(&who, "user").to_owned());
    }
    match &place.entry {
        Some(entry) => Ok(entry.user.clone()),
        None => asking::user(),
    }
}
