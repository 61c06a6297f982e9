//! Outside conditions: what somebody else's system must allow before a request becomes a grant.
//!
//! A ruling names them; how they are asked is not known here. They are to be asked at one moment of a
//! request that nobody has to approve: at once. Of one that people approve at two: at once, so that
//! nobody is bothered with what is going to be denied; and again when the last approval is there,
//! because what was true when it was asked for need not be true any more. What they say at the second
//! moment, or at the only one, decides, and no answer is a no. No answer at the first moment of two
//! keeps nobody from approving, since they are asked again.
//!
//! What is due is on disk with the request, so that a new process asks again.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::filing::{Outcome, size};
use crate::giving::Giving;
use crate::live::Inner;
use crate::saving::{lock, read, write};
use crate::store::Change;
use crate::text::{MAX_NOTE, cut, optional};
use crate::{Ceiling, Decision, Error, Event, Kind, Live, Request, RequestId, RequestState, Review, WallMs};

/// Of one request.
pub const MAX_CONDITIONS: usize = 4;
/// Of what a condition gives as its reason, in bytes; more is cut off.
const MAX_REASON: usize = 200;
/// What an answer takes in a request's record, at most.
const MAX_ANSWER: usize = 600;

/// What a request depends on, and what came of it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Conditions {
    /// All must allow it.
    pub names: Vec<String>,
    pub then: Then,
    /// They are to be asked now.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub due: Option<Due>,
    /// How often they became due: an answer to what was asked before is none.
    pub round: u32,
    /// The latest, of each.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub answers: Vec<Answer>,
}

/// What a request is once its conditions allow it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Then {
    /// By rule.
    Given,
    /// By break-glass; as [`Review::reviewers`].
    Reviewed { reviewers: Vec<String> },
    /// By those who approve it.
    Asked,
}

/// What hangs on the answers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Due {
    /// A no denies the request before anybody looks at it.
    ToSpare,
    /// Nothing else is missing.
    ToDecide,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Said {
    Allows,
    Denies,
    /// It could not be asked, or what it said is not understood or not believed.
    Nothing,
}

impl Said {
    /// `allows`, `denies`, `no answer`
    pub fn text(self) -> &'static str {
        match self {
            Said::Allows => "allows",
            Said::Denies => "denies",
            Said::Nothing => "no answer",
        }
    }
}

/// What a condition said of a request.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Answer {
    pub name: String,
    pub at: WallMs,
    pub said: Said,
    /// In its own words, or in ours where it said nothing.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
}

impl Answer {
    /// With as much of the reason as is kept.
    ///
    /// # Errors
    /// The reason holds what could make a terminal show something else.
    pub fn new(name: &str, at: WallMs, said: Said, reason: Option<&str>) -> Result<Self, Error> {
        let reason = optional("reason", reason.map(|reason| cut(reason, MAX_REASON)), MAX_REASON)?;
        Ok(Self { name: name.to_owned(), at, said, reason })
    }

    /// `condition ticket denies it: the ticket is closed`
    pub fn text(&self) -> String {
        let said = match self.said {
            Said::Allows => "allows it",
            Said::Denies => "denies it",
            Said::Nothing => "gave no answer",
        };
        let reason = self.reason.as_ref().map(|reason| format!(": {reason}")).unwrap_or_default();
        format!("condition {} {said}{reason}", self.name)
    }
}

impl Conditions {
    /// Of a ruling; due at once. None: it names none.
    pub(crate) fn of(limits: Ceiling, then: Then) -> Result<Option<Self>, Error> {
        let names = limits.conditions;
        if names.len() > MAX_CONDITIONS {
            return Err(Error::new(Kind::Limit, "the policies name too many conditions")
                .detail(format!("A request can depend on {MAX_CONDITIONS} at most."))
                .hint("Tell whoever writes the policies, or ask in two requests."));
        }
        let due = Some(if then == Then::Asked { Due::ToSpare } else { Due::ToDecide });
        Ok((!names.is_empty()).then_some(Self { names, then, due, round: 1, answers: Vec::new() }))
    }

    /// Is nothing else missing than their answers?
    pub fn decide_now(&self) -> bool {
        self.due == Some(Due::ToDecide)
    }

    pub(crate) fn become_due(&mut self, due: Due) {
        self.due = Some(due);
        self.round = self.round.saturating_add(1);
    }

    /// Nothing is asked before they have approved it.
    pub(crate) fn wait_for_people(&mut self) {
        self.due = None;
    }

    /// `condition ticket`, `conditions ticket and quota`
    pub fn text(&self) -> String {
        named(self.names.iter().map(String::as_str).collect())
    }

    /// Those that did not allow it, as of [`Conditions::text`].
    pub(crate) fn denier(&self) -> String {
        named(self.against().map(|answer| answer.name.as_str()).collect())
    }

    fn against(&self) -> impl Iterator<Item = &Answer> + Clone {
        let denies = self.answers.iter().any(|answer| answer.said == Said::Denies);
        let counts = if denies { Said::Denies } else { Said::Nothing };
        self.answers.iter().filter(move |answer| answer.said == counts)
    }

    /// Of those that did not allow it. None: they gave none.
    fn why_not(&self) -> Option<String> {
        let several = self.against().count() > 1;
        let reasons = self.against().filter_map(|answer| {
            let reason = answer.reason.as_ref()?;
            Some(if several { format!("{}: {reason}", answer.name) } else { reason.clone() })
        });
        let reasons: Vec<String> = reasons.collect();
        (!reasons.is_empty()).then(|| cut(&reasons.join("; "), MAX_NOTE).to_owned())
    }

    /// One answer for each name; what is missing was not answered.
    fn take(&mut self, answers: &[Answer], now: WallMs) {
        let answer = |name: &String| {
            let given = answers.iter().find(|answer| answer.name == *name).cloned();
            given.unwrap_or_else(|| Answer { name: name.clone(), at: now, said: Said::Nothing, reason: None })
        };
        self.answers = self.names.iter().map(answer).collect();
    }

    fn verdict(&self) -> Said {
        let any = |said| self.answers.iter().any(|answer| answer.said == said);
        match (any(Said::Denies), any(Said::Nothing) || self.answers.is_empty()) {
            (true, _) => Said::Denies,
            (false, true) => Said::Nothing,
            (false, false) => Said::Allows,
        }
    }
}

fn named(names: Vec<&str>) -> String {
    match names.as_slice() {
        [] => "its conditions".to_owned(),
        [one] => format!("condition {one}"),
        [rest @ .., last] => format!("conditions {} and {last}", rest.join(", ")),
    }
}

/// What a request's record must have room for besides what is in it: the longest answers.
pub(crate) fn reserved(request: &Request) -> usize {
    request.conditions.as_ref().map_or(0, |conditions| {
        (conditions.names.len() * MAX_ANSWER).saturating_sub(size(&conditions.answers))
    })
}

impl Live {
    /// Pending requests whose conditions are to be asked now, oldest first.
    pub fn checks_due(&self) -> Vec<Arc<Request>> {
        let now = self.0.clock.now();
        let is_due = |request: &&Arc<Request>| {
            request.lapses_at > now
                && request.conditions.as_ref().is_some_and(|conditions| conditions.due.is_some())
        };
        read(&self.0.requests).pending.values().filter(is_due).cloned().collect()
    }

    /// Resolves when [`Live::checks_due`] may have more to say than before; for one task. May be
    /// dropped at any time.
    pub async fn check_wanted(&self) {
        self.0.checks.notified().await;
    }

    /// What the conditions of a request said when they were asked in this round. Nothing comes of it
    /// where the request has been decided or become due again meanwhile. None of `answers` need be
    /// there: what is missing was not answered. Waits for the disk.
    ///
    /// # Errors
    /// The store failed: what was to be asked still is.
    pub fn answer_conditions(
        &self,
        id: RequestId,
        round: u32,
        answers: &[Answer],
    ) -> Result<Option<Outcome>, Error> {
        let mut last = lock(&self.0.deciding);
        self.0.requests_due();
        let now = self.0.clock.now();
        let Some(pending) = read(&self.0.requests).pending.get(&id).cloned() else { return Ok(None) };
        let mut checked = Request::clone(&pending);
        let asked = checked.conditions.as_mut().filter(|conditions| conditions.round == round);
        let Some((conditions, due)) = asked.and_then(|conditions| {
            let due = conditions.due?;
            Some((conditions, due))
        }) else {
            return Ok(None);
        };
        conditions.take(answers, now);
        let answers = conditions.answers.clone();
        let (verdict, then, why_not) = (conditions.verdict(), conditions.then.clone(), conditions.why_not());
        match (due, verdict) {
            (Due::ToDecide, Said::Allows) => {
                let giving = allowed(checked.clone(), then, pending, now);
                let request = Arc::new(checked.clone());
                self.0.announce(Event::Checked { request, answers });
                match self.0.give(giving, &mut last) {
                    Err(error) if error.kind != Kind::Store && self.0.is_pending(id) => {
                        self.0.deny_checked(checked, Some(error.message)).map(Some)
                    }
                    outcome => outcome.map(Some),
                }
            }
            (Due::ToDecide, Said::Denies | Said::Nothing) | (Due::ToSpare, Said::Denies) => {
                self.0.announce(Event::Checked { request: Arc::new(checked.clone()), answers });
                self.0.deny_checked(checked, why_not).map(Some)
            }
            (Due::ToSpare, Said::Allows | Said::Nothing) => {
                conditions.wait_for_people();
                let request = Arc::new(checked);
                let give = [Change::Request(request.clone())];
                self.0.saving.commit(now, &give, vec![Change::Request(pending)])?;
                write(&self.0.requests).pending.insert(id, request.clone());
                self.0.announce(Event::Checked { request: request.clone(), answers });
                Ok(Some(Outcome { request, grant: None }))
            }
        }
    }
}

/// By rule, or by the last of those who approved it.
fn allowed(request: Request, then: Then, pending: Arc<Request>, now: WallMs) -> Giving {
    let by_rule = Decision { by: None, at: now, reason: None, from: None };
    match then {
        Then::Given => Giving::allowed(request, by_rule, None, pending),
        Then::Reviewed { reviewers } => {
            Giving::allowed(request, by_rule, Some(Review { reviewers, verdict: None }), pending)
        }
        Then::Asked => {
            let last = request.approvals.last().cloned();
            let decision = last.map_or(by_rule, |last| Decision {
                by: Some(last.by),
                at: now,
                reason: last.reason,
                from: last.from,
            });
            Giving::decided(request, decision, pending)
        }
    }
}

impl Inner {
    fn is_pending(&self, id: RequestId) -> bool {
        read(&self.requests).pending.contains_key(&id)
    }

    fn deny_checked(&self, checked: Request, reason: Option<String>) -> Result<Outcome, Error> {
        let request = self.end_request(Arc::new(checked), RequestState::Denied, None, reason, None)?;
        Ok(Outcome { request, grant: None })
    }
}
