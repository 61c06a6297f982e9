//! A second factor from the console: enrolling one, showing it, removing somebody else's.
//!
//! What a function returns is put into the statement that goes to the database server, where others
//! may read it; so a secret goes to the client alone, in a notice.

use bytes::BytesMut;
use pgwarrant_audit::{Decision, Kind, RecordedError};
use pgwarrant_identity::Now;
use pgwarrant_identity::totp::{self, Enrolment, SecondFactors, StoreError};
use pgwarrant_sql::{Reason, Refusal};

use super::arguments::Arguments;
use super::{Console, Row, blocking};
use crate::mailbox::Message;
use crate::{audit_trail, diagnostics, refuse};

/// Beside the codes in the app.
const ISSUER: &str = "pgwarrant";

/// What can be done about a second factor.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Step {
    Enrol,
    Confirm,
    Show,
    Remove,
}

impl Step {
    /// None: a function for something else.
    pub fn of(function: &str) -> Option<Self> {
        match function {
            "enrol_second_factor" => Some(Self::Enrol),
            "confirm_second_factor" => Some(Self::Confirm),
            "second_factor" => Some(Self::Show),
            "remove_second_factor" => Some(Self::Remove),
            _ => None,
        }
    }

    /// What the trail says.
    fn text(self) -> &'static str {
        match self {
            Self::Enrol => "the secret of a second factor was shown",
            Self::Confirm => "a second factor was enrolled",
            Self::Show => "a second factor was shown",
            Self::Remove => "a second factor was removed",
        }
    }

    fn tried(self) -> &'static str {
        match self {
            Self::Enrol => "enrolling a second factor",
            Self::Confirm => "confirming a second factor",
            Self::Show => "showing a second factor",
            Self::Remove => "removing a second factor",
        }
    }
}

impl Console {
    /// Does it, records it, and only then tells of it.
    pub async fn second_factor(self, step: Step, arguments: Arguments) -> Result<Vec<Row>, Refusal> {
        let own = self.who().person().to_owned();
        let person = match step {
            Step::Remove => arguments.text("person").unwrap_or_default(),
            Step::Enrol | Step::Confirm | Step::Show => own.clone(),
        };
        let outcome = match self.may(step, &person, &own) {
            Err(refusal) => Err(refusal),
            Ok(()) => {
                let (factors, user) = (self.shared.second_factors.clone(), self.identity.user.to_string());
                let code = arguments.text("code").unwrap_or_default();
                let of = person.clone();
                blocking(move || change(&factors, step, &of, &user, &code)).await?
            }
        };
        self.record(step, &person, arguments.text("reason"), outcome.as_ref().err()).await?;
        let (state, message) = match (step, outcome?) {
            (Step::Enrol, enrolment) => {
                if let Some(enrolment) = enrolment {
                    self.tell(&enrolment)?;
                }
                (
                    "shown",
                    "put the secret from the notice into an app, then call pgwarrant.confirm_second_factor(code) within ten minutes",
                )
            }
            (Step::Confirm, _) => {
                self.identity.second_factor.shown();
                ("enrolled", "the second factor is enrolled, and counts as shown in this session")
            }
            (Step::Show, _) => {
                self.identity.second_factor.shown();
                ("shown", "the second factor was shown in this session")
            }
            (Step::Remove, _) => {
                let theirs = |who: &pgwarrant_grants::Principal| who.person() == person;
                self.shared.registry.tell(theirs, || Message::ForgetSecondFactor);
                ("removed", "the second factor was removed; its owner may enrol another")
            }
        };
        Ok(vec![vec![Some(person), Some(state.to_owned()), Some(message.to_owned())]])
    }

    fn may(&self, step: Step, person: &str, own: &str) -> Result<(), Refusal> {
        if step != Step::Remove {
            return Ok(());
        }
        if !self.live.settings().may_administer(self.who()) {
            let message = format!("user \"{}\" may not remove second factors", self.who().user);
            let hint = "Members of a group with may_administer = true may.";
            return Err(refusal("42501", message, hint));
        }
        // Who has stolen a password must not get rid of the factor with it.
        if person == own {
            let message = "nobody removes their own second factor".to_owned();
            return Err(refusal("42501", message, "Have another administrator do it."));
        }
        Ok(())
    }

    /// The only place where the secret is told.
    fn tell(&self, enrolment: &Enrolment) -> Result<(), Refusal> {
        let detail = format!("Secret: {}\nLink: {}", enrolment.secret, enrolment.uri);
        let mut frame = BytesMut::new();
        diagnostics::notice(
            "this is the secret of your second factor; it is shown this once",
            Some(&detail),
            Some("Put it into an authenticator app, and leave it nowhere else."),
            &mut frame,
        );
        let told = self.shared.registry.tell_session(self.identity.session, Message::Notice(frame.to_vec()));
        if told {
            return Ok(());
        }
        let message = "the secret could not be shown: too many notices are waiting".to_owned();
        Err(refusal("53400", message, "Call pgwarrant.enrol_second_factor() again."))
    }

    async fn record(
        &self,
        step: Step,
        person: &str,
        reason: Option<String>,
        refused: Option<&Refusal>,
    ) -> Result<(), Refusal> {
        let decision = if refused.is_some() { Decision::Refused } else { Decision::Allowed };
        let mut record = audit_trail::record(&self.identity, Kind::SecondFactor, decision);
        let what = if refused.is_some() { step.tried() } else { step.text() };
        record.note = Some(format!("{what}, of person {person}"));
        record.purpose = reason;
        record.error = refused.map(|refusal| RecordedError {
            sqlstate: refusal.sqlstate.to_owned(),
            message: refusal.message.clone(),
        });
        self.trail.append(record).await.map(drop).map_err(|error| {
            tracing::error!(%error, "the audit trail could not be written");
            let message = "the audit trail cannot be written".to_owned();
            refusal("58030", message, "Tell whoever runs the proxy.")
        })
    }
}

/// What is to be shown to the person, if anything.
fn change(
    factors: &SecondFactors,
    step: Step,
    person: &str,
    user: &str,
    code: &str,
) -> Result<Option<Enrolment>, Refusal> {
    let now = Now::read();
    match step {
        Step::Enrol => {
            totp::enrol(factors, person, ISSUER, user, now).map(Some).map_err(|error| refused(&error))
        }
        Step::Confirm => {
            totp::confirm(factors, person, code, now).map(|()| None).map_err(|error| refused(&error))
        }
        Step::Show => {
            totp::verify(factors, person, code, now).map(|()| None).map_err(|error| refused(&error))
        }
        Step::Remove => match factors.remove(person) {
            Ok(true) => Ok(None),
            Ok(false) => {
                let message = format!("person \"{}\" has no second factor", person.escape_debug());
                Err(refusal("42704", message, "SELECT person FROM pgwarrant.whoami shows each their own."))
            }
            Err(error) => Err(refused(&totp::Error::Store(error))),
        },
    }
}

fn refused(error: &totp::Error<StoreError>) -> Refusal {
    match error {
        totp::Error::Refused(refused) => refusal(refused.sqlstate(), refused.to_string(), refused.hint()),
        other => {
            if let totp::Error::Store(problem) = other {
                tracing::error!(%problem, "the second factors could not be read or written");
            }
            refusal("58030", other.to_string(), "Tell whoever runs the proxy.")
        }
    }
}

fn refusal(sqlstate: &'static str, message: String, hint: &str) -> Refusal {
    refuse::refusal(Reason::Console, sqlstate, message, None, Some(hint))
}
