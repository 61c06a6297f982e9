//! Asking: a request is filed, the arbiter rules on it, and what it says is done.

use std::sync::Arc;

use pgwarrant_catalog::Catalogue;

use crate::ask::{Ask, AskMore, understand, understand_more};
use crate::conditions::reserved;
use crate::duration::format_duration;
use crate::giving::Giving;
use crate::interest::not_allowed;
use crate::live::{Inner, LastNumbers, lapsed};
use crate::saving::{lock, read, write};
use crate::scope::resolve;
use crate::store::Change;
use crate::text::sentence;
use crate::{
    Conditions, Context, Decision, Error, Event, Grant, GrantId, Grounds, Kind, Limits, Live, Principal,
    Request, RequestState, Review, Ruling, Then, Urgency, Who, Why, panels,
};

/// A stored request is at most so long; approved, with the reasons of its decision and its end, it
/// stays below 8 KiB ([`MAX_DECIDED`]). sled keeps up to 16 records a page, and writes pages above
/// 128 KiB to files of their own, which its flush does not sync.
const MAX_RECORD: usize = 5 * 1024;
/// A record with its approvals; there is room for how it ends.
pub(crate) const MAX_DECIDED: usize = MAX_RECORD + 1_400;

/// A request, and the grant that it has become. None: it waits for (more) approval.
#[derive(Clone, Debug)]
pub struct Outcome {
    pub request: Arc<Request>,
    pub grant: Option<Arc<Grant>>,
}

// All of these wait for the disk: call them where a thread may block.
impl Live {
    /// Asks for `by`, or for a group of theirs, on `database` (the name clients know it by). Given by
    /// rule, the grant is live (or scheduled) when this returns.
    ///
    /// Err with [`Kind::NotAllowed`]: it was refused, and its request is on record as refused.
    pub fn request(
        &self,
        by: &Principal,
        database: &str,
        catalogue: &Catalogue,
        ask: Ask,
        context: &Context,
    ) -> Result<Outcome, Error> {
        let settings = &self.0.settings;
        let now = self.0.clock.now();
        let profile = settings.profile_of(&ask, by)?;
        let ask = match profile {
            Some(profile) => profile.fill(ask)?,
            None => {
                self.0.check_may_request(by)?;
                ask
            }
        };
        let longest = profile.map_or_else(|| settings.longest_for(by), |profile| profile.max_duration);
        let mut meaning = understand(&ask, settings, longest, now)?;
        if let Some(profile) = profile {
            profile.hold(&mut meaning, &settings.time_zone, now)?;
        }
        let scope = resolve(&meaning, catalogue)?;
        let who = holder(by, ask.group.as_deref())?;

        let mut last = lock(&self.0.deciding);
        self.0.requests_due();
        let now = self.0.clock.now();
        let request = Request {
            id: last.request + 1,
            by: by.user.clone(),
            person: by.person().to_owned(),
            who,
            database: database.to_owned(),
            scope,
            duration: meaning.duration,
            starts_at: meaning.starts_at,
            not_after: meaning.not_after,
            limits: meaning.limits,
            reason: meaning.reason,
            ticket: meaning.ticket,
            purpose: meaning.purpose,
            case: meaning.case,
            profile: meaning.profile,
            urgency: meaning.urgency,
            extends: None,
            requested_at: now,
            lapses_at: now.saturating_add(milliseconds(settings.request_lapses_after)),
            why: Why::default(),
            panels: Vec::new(),
            escalation: None,
            escalated: false,
            approvals: Vec::new(),
            conditions: None,
            state: RequestState::Pending,
            decision: None,
            grant: None,
        };
        let said = ask.duration.is_some();
        self.0.file(request, said, by, catalogue, context, &mut last)
    }

    /// Asks for more time of a live grant: the holder's, or a group's by the member who asked for it.
    /// Approved while it is live, the same grant ends later. Errors as of [`Live::request`].
    pub fn extend(
        &self,
        by: &Principal,
        id: GrantId,
        catalogue: &Catalogue,
        ask: AskMore,
        context: &Context,
    ) -> Result<Outcome, Error> {
        let settings = &self.0.settings;
        let own = self.0.find_grant(id)?.filter(|grant| grant.is_of(by));
        let Some(grant) = own else {
            return Err(not_allowed(by, &format!("extend grant {id}"))
                .detail("Only who asked for a grant may ask for more of it.")
                .hint("SELECT * FROM pgwarrant.grants lists your grants."));
        };
        let profile = grant.profile.as_deref();
        let profile = settings.profiles_for(by).find(|known| Some(known.name.as_str()) == profile);
        let longest = match profile {
            Some(profile) => profile.max_duration,
            None => {
                self.0.check_may_request(by)?;
                settings.longest_for(by)
            }
        };
        let meaning = understand_more(&ask, settings, longest)?;

        let mut last = lock(&self.0.deciding);
        self.0.requests_due();
        self.0.extendable(id)?;
        if grant.not_after.is_some_and(|end| end <= grant.until) {
            return Err(Error::new(Kind::State, format!("grant {id} cannot last longer"))
                .detail("It ends when the hours of its profile do.")
                .hint("Ask for a new grant with pgwarrant.request(…)."));
        }
        let now = self.0.clock.now();
        let request = Request {
            id: last.request + 1,
            by: by.user.clone(),
            person: by.person().to_owned(),
            who: grant.who.clone(),
            database: grant.database.clone(),
            scope: grant.scope.clone(),
            duration: meaning.duration,
            starts_at: None,
            not_after: grant.not_after,
            limits: Limits::default(),
            reason: meaning.reason,
            ticket: grant.ticket.clone(),
            purpose: grant.purpose.clone(),
            case: grant.case.clone(),
            profile: grant.profile.clone(),
            urgency: meaning.urgency,
            extends: Some(id),
            requested_at: now,
            lapses_at: now.saturating_add(milliseconds(settings.request_lapses_after)),
            why: Why::default(),
            panels: Vec::new(),
            escalation: None,
            escalated: false,
            approvals: Vec::new(),
            conditions: None,
            state: RequestState::Pending,
            decision: None,
            grant: None,
        };
        let said = ask.duration.is_some();
        self.0.file(request, said, by, catalogue, context, &mut last)
    }
}

impl Inner {
    fn check_may_request(&self, by: &Principal) -> Result<(), Error> {
        if self.settings.may_request(by) {
            return Ok(());
        }
        let groups = self.settings.groups_that(|group| group.may_request);
        Err(not_allowed(by, "request grants").hint(format!("Members of {groups} may request.")))
    }

    /// The caller holds `deciding`.
    fn file(
        &self,
        mut request: Request,
        said_duration: bool,
        by: &Principal,
        catalogue: &Catalogue,
        context: &Context,
        last: &mut LastNumbers,
    ) -> Result<Outcome, Error> {
        let mut facts = self.facts(by, context, &request, catalogue, request.requested_at);
        let mut ruling = self.arbiter.rule(&facts);
        // Who says nothing of how long is content with what they may have.
        if let Some(longest) =
            ruling.longest().filter(|longest| !said_duration && request.duration > *longest)
        {
            request.duration = longest;
            facts.duration = longest;
            ruling = self.arbiter.rule(&facts);
        }
        let ruling = held_to_its_limits(ruling, &request);
        request.why = ruling.why().short();
        let grounds = Arc::new(Grounds { facts, ruling: ruling.clone() }.kept()?);
        check_size(&request, MAX_RECORD)?;
        match ruling {
            Ruling::Refuse { why, hint } => Err(self.refuse(request, by, grounds, &why, hint, last)?),
            Ruling::Approve { limits, .. } if limits.conditions.is_empty() => {
                self.give(Giving::by_rule(request, None, grounds), last)
            }
            Ruling::Approve { limits, .. } => {
                self.room_for_request(by)?;
                request.conditions = Conditions::of(limits, Then::Given)?;
                self.await_decision(request, grounds, last)
            }
            Ruling::BreakGlass { reviewers, limits, .. } if limits.conditions.is_empty() => {
                self.room_for_review()?;
                let review = Review { reviewers, verdict: None };
                self.give(Giving::by_rule(request, Some(review), grounds), last)
            }
            Ruling::BreakGlass { reviewers, limits, .. } => {
                self.room_for_review()?;
                self.room_for_request(by)?;
                request.conditions = Conditions::of(limits, Then::Reviewed { reviewers })?;
                self.await_decision(request, grounds, last)
            }
            Ruling::Ask { panels, lapses_after, escalation, limits, .. } => {
                self.room_for_request(by)?;
                panels::check(&panels)?;
                request.conditions = Conditions::of(limits, Then::Asked)?;
                request.panels = panels;
                request.escalation = escalation;
                if let Some(after) = lapses_after {
                    request.lapses_at = request.requested_at.saturating_add(milliseconds(after));
                }
                self.await_decision(request, grounds, last)
            }
        }
    }

    fn await_decision(
        &self,
        mut request: Request,
        grounds: Arc<Grounds>,
        last: &mut LastNumbers,
    ) -> Result<Outcome, Error> {
        if let Some(end) = request.not_after {
            request.lapses_at = request.lapses_at.min(end);
        }
        check_size(&request, MAX_RECORD - reserved(&request))?;
        last.request = request.id;
        let now = request.requested_at;
        let undo = Change::Request(Arc::new(lapsed(&request, now)));
        let request = Arc::new(request);
        let give = [Change::Request(request.clone()), Change::Grounds(request.id, grounds.clone())];
        self.saving.commit(now, &give, vec![undo])?;
        write(&self.requests).pending.insert(request.id, request.clone());
        self.decide_columns();
        self.announce(Event::Requested { request: request.clone(), grounds });
        if request.conditions.is_some() {
            self.checks.notify_one();
        }
        Ok(Outcome { request, grant: None })
    }

    /// What who asked is told, once the refusal is on record.
    fn refuse(
        &self,
        request: Request,
        by: &Principal,
        grounds: Arc<Grounds>,
        why: &Why,
        hint: Option<String>,
        last: &mut LastNumbers,
    ) -> Result<Error, Error> {
        last.request = request.id;
        let now = request.requested_at;
        let request = Arc::new(Request {
            state: RequestState::Refused,
            decision: Some(Decision { by: None, at: now, reason: None, from: None }),
            ..request
        });
        let refused = Change::Request(request.clone());
        let give = [refused.clone(), Change::Grounds(request.id, grounds.clone())];
        self.saving.commit(now, &give, vec![refused])?;
        self.settle(&request);
        self.announce(Event::Requested { request: request.clone(), grounds });
        self.announce(Event::Decided { request: request.clone() });
        let error = Error::new(
            Kind::NotAllowed,
            format!("request {} of user \"{}\" is refused", request.id, by.user),
        );
        let reasons: Vec<String> = why.reasons.iter().map(|reason| sentence(reason)).collect();
        let error = if reasons.is_empty() { error } else { error.detail(reasons.join(" ")) };
        Ok(error.hint(hint.map_or_else(
            || {
                "Ask for fewer columns, fewer rows or less time, or ask whoever writes the policies."
                    .to_owned()
            },
            |hint| sentence(&hint),
        )))
    }

    fn room_for_request(&self, by: &Principal) -> Result<(), Error> {
        let requests = read(&self.requests);
        let own = requests.pending.values().filter(|request| request.by == by.user).count();
        if own >= self.settings.max_pending_per_user {
            return Err(Error::new(
                Kind::Limit,
                format!("user \"{}\" has too many pending requests", by.user),
            )
            .detail(format!("{own} of your requests wait for a decision."))
            .hint("Wait for decisions, or take one back with pgwarrant.withdraw(…)."));
        }
        if requests.pending.len() >= self.settings.max_pending {
            return Err(Error::new(Kind::Limit, "too many requests are pending")
                .hint("Ask the approvers to decide some."));
        }
        Ok(())
    }

    fn room_for_review(&self) -> Result<(), Error> {
        if self.count_unreviewed() < self.settings.max_unreviewed {
            return Ok(());
        }
        Err(Error::new(Kind::Limit, "too many break-glass grants wait for their review")
            .hint("Have the reviewers review some with pgwarrant.review(…)."))
    }

    /// Is there a live grant of which more may be asked now?
    fn extendable(&self, id: GrantId) -> Result<(), Error> {
        self.expire_if_due();
        if self.table.scheduled(id).is_some() {
            return Err(Error::new(Kind::State, format!("grant {id} has not begun yet"))
                .hint("Ask for more once it has begun, or release it and ask anew."));
        }
        if !self.is_open(id) {
            return Err(match self.find_grant(id)? {
                Some(grant) => crate::taking::already_ended(&grant),
                None => Error::new(Kind::Unknown, format!("grant {id} does not exist"))
                    .hint("SELECT * FROM pgwarrant.grants lists them."),
            });
        }
        let requests = read(&self.requests);
        match requests.pending.values().find(|request| request.extends == Some(id)) {
            None => Ok(()),
            Some(other) => Err(Error::new(
                Kind::State,
                format!("request {} asks for more of grant {id} already", other.id),
            )
            .hint("Wait for its decision, or take it back with pgwarrant.withdraw(…).")),
        }
    }
}

/// The ruling, unless the request asks for longer than it allows, or for more of a grant at once
/// without anybody's word.
fn held_to_its_limits(ruling: Ruling, request: &Request) -> Ruling {
    let (why, limits) = match &ruling {
        Ruling::Refuse { .. } => return ruling,
        Ruling::BreakGlass { why, .. }
            if request.extends.is_some() || request.urgency != Urgency::BreakGlass =>
        {
            let mut why = why.clone();
            why.reasons.push("It was not asked for as break-glass access.".to_owned());
            return Ruling::Refuse { why, hint: None };
        }
        Ruling::Approve { why, limits }
        | Ruling::BreakGlass { why, limits, .. }
        | Ruling::Ask { why, limits, .. } => (why, limits),
    };
    match limits.max_duration {
        Some(longest) if request.duration > longest => {
            let longest = format_duration(longest);
            let mut why = why.clone();
            why.reasons.push(format!("It may last {longest} at most."));
            Ruling::Refuse { why, hint: Some(format!("Ask with duration => '{longest}' or less.")) }
        }
        _ => ruling,
    }
}

/// For whom `by` asks.
fn holder(by: &Principal, group: Option<&str>) -> Result<Who, Error> {
    match group {
        None => Ok(Who::User(by.user.clone())),
        Some(group) if by.groups.iter().any(|own| own == group) => Ok(Who::Group(group.to_owned())),
        Some(_) => Err(not_allowed(by, "ask for a group without being a member of it").hint(
            "Leave the group out to ask for yourself; SELECT groups FROM pgwarrant.whoami lists yours.",
        )),
    }
}

fn check_size(request: &Request, max: usize) -> Result<(), Error> {
    if size(request) <= max {
        return Ok(());
    }
    Err(Error::new(Kind::Limit, "the request is too large")
        .detail(format!("It takes more than {max} bytes to keep."))
        .hint("Name whole relations ('customers.*') instead of many columns, or ask in two requests."))
}

pub(crate) fn size<T: serde::Serialize>(record: &T) -> usize {
    serde_json::to_vec(record).map_or(usize::MAX, |record| record.len())
}

pub(crate) fn milliseconds(duration: std::time::Duration) -> i64 {
    i64::try_from(duration.as_millis()).unwrap_or(i64::MAX)
}
