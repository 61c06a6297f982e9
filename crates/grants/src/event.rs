//! What happened, for those who follow it: the audit trail, sessions, notices.

use std::sync::Arc;

use crate::{Answer, EndReason, Grant, Grounds, Request};

#[derive(Clone, Debug)]
pub enum Event {
    /// With what it was decided on. Where that was at once, it says so, and `Decided` follows.
    Requested {
        request: Arc<Request>,
        grounds: Arc<Grounds>,
    },
    /// By the last of its approvals; others are still missing.
    PartlyApproved {
        request: Arc<Request>,
    },
    /// Its outside conditions were asked, and this came of it; if that decides it, `Decided` follows.
    Checked {
        request: Arc<Request>,
        answers: Vec<Answer>,
    },
    /// Nobody decided for so long that others may, too.
    Escalated {
        request: Arc<Request>,
    },
    /// Approved, denied, refused, withdrawn or lapsed.
    Decided {
        request: Arc<Request>,
    },
    /// Approved; it begins later.
    Scheduled {
        grant: Arc<Grant>,
    },
    /// Nobody was asked: tell those who approve. `Started` follows.
    BreakGlass {
        request: Arc<Request>,
        grant: Arc<Grant>,
    },
    Started {
        grant: Arc<Grant>,
    },
    /// Its window ends later than before.
    Extended {
        request: Arc<Request>,
        grant: Arc<Grant>,
    },
    /// It gives nothing to further statements.
    Ended {
        grant: Arc<Grant>,
        why: EndReason,
    },
    /// Not one more row may pass under it. Follows `Ended` at once, except for a grant whose last
    /// use was taken: the statement that took it may go on until the window closes.
    CutOff {
        grant: Arc<Grant>,
    },
    /// A break-glass grant has its verdict.
    Reviewed {
        grant: Arc<Grant>,
    },
}
