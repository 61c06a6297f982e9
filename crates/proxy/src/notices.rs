//! NOTICEs of ours: what is masked in a result, and what became of a request.

use std::collections::BTreeSet;

use pgwarrant_grants::{Request, RequestState};
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
    let by = request.decision.as_ref().and_then(|decision| decision.by.as_deref()).unwrap_or("nobody");
    let columns = request.scope.columns_text();
    let (message, hint) = match (request.state, request.grant) {
        (RequestState::Approved, Some(grant)) => (
            format!("request {} for {columns} was approved by {by}: grant {grant}", request.id),
            Some("Run the statement again.".to_owned()),
        ),
        (RequestState::Denied, _) => {
            (format!("request {} for {columns} was denied by {by}", request.id), None)
        }
        (RequestState::Lapsed, _) => (
            format!("request {} for {columns} lapsed: nobody decided in time", request.id),
            Some("Ask again.".to_owned()),
        ),
        (state, _) => (format!("request {} for {columns} is {}", request.id, state.text()), None),
    };
    let reason = request.decision.as_ref().and_then(|decision| decision.reason.clone());
    let detail = reason.map(|reason| format!("Reason: {reason}."));
    let mut frame = bytes::BytesMut::new();
    diagnostics::notice(&message, detail.as_deref(), hint.as_deref(), &mut frame);
    frame.to_vec()
}
