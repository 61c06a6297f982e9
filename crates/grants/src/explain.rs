//! Why a request was decided as it was, for whoever may see it.

use std::sync::Arc;

use pgwarrant_catalog::Catalogue;

use crate::{
    Approval, Context, Error, Kind, Live, Principal, Replay, Request, RequestId, Review, Ruling, WallMs, Why,
};

/// Somebody's word about a request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Word {
    pub by: String,
    pub at: WallMs,
    pub reason: Option<String>,
    /// None: from before it was kept.
    pub from: Option<Context>,
}

impl Word {
    pub fn of(approval: &Approval) -> Self {
        Self {
            by: approval.by.clone(),
            at: approval.at,
            reason: approval.reason.clone(),
            from: approval.from,
        }
    }
}

/// A request with what was ruled about it, then and now.
#[derive(Clone, Debug)]
pub struct Explanation {
    pub request: Arc<Request>,
    pub replay: Replay,
}

impl Explanation {
    /// None: it is from before rulings were kept.
    pub fn ruling(&self) -> Option<&'static str> {
        self.replay.then.as_ref().map(|then| then.ruling.text())
    }

    /// Why the same request would get [`Explanation::today`].
    pub fn why_today(&self) -> &Why {
        self.replay.now.why()
    }

    pub fn today(&self) -> &'static str {
        Ruling::text(&self.replay.now)
    }

    pub fn summary(&self) -> String {
        let (request, today) = (self.request.summary(), self.today());
        match self.ruling() {
            Some(ruling) => format!("{request}; ruled {ruling}, today {today}"),
            None => format!("{request}; today {today}"),
        }
    }
}

impl Live {
    /// `catalogue`: that of `database`, where the request must be. Waits for the disk.
    pub fn explain(
        &self,
        viewer: &Principal,
        id: RequestId,
        database: &str,
        catalogue: &Catalogue,
    ) -> Result<Explanation, Error> {
        let mut theirs = self.requests_for(viewer).into_iter();
        let request = theirs.find(|request| request.id == id && request.database == database);
        let request = request.ok_or_else(|| {
            Error::new(Kind::Unknown, format!("there is no request {id} that you may see"))
                .hint("SELECT * FROM pgwarrant.requests lists them.")
        })?;
        let replay = self.replay(id, catalogue, None)?;
        Ok(Explanation { request, replay })
    }
}

impl Request {
    /// Of those who approved it; where nobody did, of who denied it or took it back.
    pub fn words(&self) -> Vec<Word> {
        let decision = self.decision.as_ref().filter(|_| self.approvals.is_empty());
        match decision.and_then(|decision| Some((decision, decision.by.clone()?))) {
            Some((decision, by)) => {
                vec![Word { by, at: decision.at, reason: decision.reason.clone(), from: decision.from }]
            }
            None => self.approvals.iter().map(Word::of).collect(),
        }
    }
}

impl Review {
    /// `open`, `justified`, `not justified`
    pub fn text(&self) -> &'static str {
        match &self.verdict {
            None => "open",
            Some(verdict) if verdict.justified => "justified",
            Some(_) => "not justified",
        }
    }
}

/// `justified` or `not justified`
pub fn parse_verdict(text: &str) -> Result<bool, Error> {
    match text.trim().to_ascii_lowercase().as_str() {
        "justified" => Ok(true),
        "not justified" | "unjustified" => Ok(false),
        other => Err(Error::invalid(format!("verdict '{}' is not known", other.escape_debug()))
            .hint("Write 'justified' or 'not justified'.")),
    }
}
