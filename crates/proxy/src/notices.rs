//! NOTICEs of ours: what is masked in a result, and what became of a request.

use std::collections::BTreeSet;

use pgwarrant_grants::{Grant, Request, RequestState, format_duration};
use pgwarrant_sql::Class;

use crate::diagnostics;
use crate::guard;
use crate::session::Session;
use crate::work::Run;

/// Statement shapes that a session remembers having told about.
const SHAPES: usize = 4096;
/// Columns that one notice names.
const COLUMNS: usize = 12;

impl Session {
    /// Says which columns of a result are masked, once a statement shape and session.
    pub fn mask_notice(&mut self, run: &Run) {
        if !self.shared.settings.notices || run.touched.masked.is_empty() || !shows_rows(run.class()) {
            return;
        }
        let shape = run.analysed.fingerprint(run.index);
        if self.noticed.len() >= SHAPES || !self.noticed.insert(shape) {
            return;
        }
        let catalogue = &run.analysed.basis().catalogue;
        let names: BTreeSet<String> =
            run.touched.masked.iter().map(|column| guard::name(catalogue, *column)).collect();
        let built_in = run.touched.masked.iter().all(|column| guard::is_built_in(catalogue, *column));
        let mut shown = names.iter().take(COLUMNS).cloned().collect::<Vec<_>>().join(", ");
        if names.len() > COLUMNS {
            shown.push_str(&format!(" and {} more", names.len() - COLUMNS));
        }
        let verb = if names.len() == 1 { "is" } else { "are" };
        let some = if run.touched.raw.is_empty() { "no live grant" } else { "no live grant for all of it" };
        let message = format!("{shown} {verb} masked: {some}");
        let asked = names.into_iter().take(COLUMNS).collect::<Vec<_>>().join(", ");
        let hint =
            format!("SELECT * FROM pgwarrant.request('{}', reason => '…');", asked.replace('\'', "''"));
        let hint = (!built_in).then_some(hint.as_str());
        diagnostics::notice(&message, None, hint, self.client.output.building());
    }
}

/// Does a statement of this class show rows to somebody?
fn shows_rows(class: Class) -> bool {
    matches!(
        class,
        Class::Select
            | Class::Insert
            | Class::Update
            | Class::Delete
            | Class::Merge
            | Class::CopyTo
            | Class::Execute
            | Class::Fetch
    )
}

/// What the sessions of who asked are told when a request is decided.
pub fn decided(request: &Request) -> Vec<u8> {
    let decision = request.decision.as_ref();
    let columns = request.scope.columns_text();
    let by = format!("by {}", request.decider());
    let (id, state) = (request.id, request.state);
    let (message, hint) = match (state, request.grant) {
        (RequestState::Approved, Some(grant)) => {
            let what = if request.extends.is_some() { "more of grant" } else { "grant" };
            (
                format!("request {id} for {columns} was approved {by}: {what} {grant}"),
                Some("Run the statement again."),
            )
        }
        (RequestState::Denied, _) => (format!("request {id} for {columns} was denied {by}"), None),
        (RequestState::Lapsed, _) => {
            (format!("request {id} for {columns} lapsed: nobody decided in time"), Some("Ask again."))
        }
        (state, _) => (format!("request {id} for {columns} is {}", state.text()), None),
    };
    let reason = decision.and_then(|decision| decision.reason.as_deref());
    notice(&message, reason.map(|reason| format!("Reason: {reason}.")).as_deref(), hint)
}

/// What the sessions of those are told who may decide about a request.
pub fn asked(request: &Request) -> Vec<u8> {
    let Request { id, by, .. } = request;
    let message = format!("request {id} of {by} for {} waits for you", request.scope.columns_text());
    let rows = request.scope.rows_text().map_or_else(String::new, |rows| format!(", rows {rows}"));
    let detail = format!("For {}{rows}. Reason: {}.", format_duration(request.duration), request.reason);
    let hint = format!(
        "SELECT * FROM pgwarrant.approve({id}); or SELECT * FROM pgwarrant.deny({id}, reason => '…');"
    );
    notice(&message, Some(&detail), Some(&hint))
}

/// What the sessions of those are told who must review it.
pub fn break_glass(grant: &Grant) -> Vec<u8> {
    let Grant { id, asked_by, .. } = grant;
    let message = format!("{asked_by} has taken break-glass access to {}", grant.scope.columns_text());
    let detail = format!("{}. Reason: {}.", capitalised(&grant.summary()), grant.reason);
    let hint = format!(
        "SELECT * FROM pgwarrant.review({id}, 'justified', reason => '…'); or 'not justified'; pgwarrant.revoke({id}) ends it."
    );
    notice(&message, Some(&detail), Some(&hint))
}

/// What the sessions of who took break-glass access are told when it was reviewed.
pub fn reviewed(grant: &Grant) -> Vec<u8> {
    let verdict = grant.review.as_ref().and_then(|review| review.verdict.as_ref());
    let (said, detail) = match verdict {
        Some(verdict) => (
            format!("{} by {}", if verdict.justified { "justified" } else { "not justified" }, verdict.by),
            Some(format!("Reason: {}.", verdict.comment)),
        ),
        None => ("not reviewed".to_owned(), None),
    };
    notice(&format!("break-glass grant {} was found {said}", grant.id), detail.as_deref(), None)
}

fn notice(message: &str, detail: Option<&str>, hint: Option<&str>) -> Vec<u8> {
    let mut frame = bytes::BytesMut::new();
    diagnostics::notice(message, detail, hint, &mut frame);
    frame.to_vec()
}

fn capitalised(text: &str) -> String {
    let mut letters = text.chars();
    letters.next().map(|first| first.to_uppercase().chain(letters).collect()).unwrap_or_default()
}
