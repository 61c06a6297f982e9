//! Asking for grants, approving and revoking them, as people do from their clients.

use crate::dial::{Client, Endpoint};
use crate::figure::Outcome;

/// Who asks, and who decides.
pub struct Office {
    asker: Client,
    approver: Client,
}

impl Office {
    /// `asker` may request, `approver` may approve.
    pub fn open(asker: &Endpoint, approver: &Endpoint) -> Outcome<Office> {
        Ok(Office { asker: Client::connect(asker)?, approver: Client::connect(approver)? })
    }

    /// Has the asker granted `columns` of all rows for ten minutes; the grant's number.
    pub fn grant(&mut self, columns: &str) -> Outcome<String> {
        let request = self.asker.value(&request(columns, "10 min"))?;
        self.approver.run(&approve(&request))?;
        self.asker.value(&granted(&request))
    }

    /// Ends a grant.
    pub fn revoke(&mut self, grant: &str) -> Outcome<()> {
        self.approver.run(&revoke(grant)).map(|_| ())
    }
}

/// A statement that asks for columns of all rows, and returns the request's number.
pub fn request(columns: &str, duration: &str) -> String {
    format!(
        "SELECT request_id FROM pgwarrant.request('{columns}', reason => 'a benchmark', duration => '{duration}')"
    )
}

/// The approver's statement.
pub fn approve(request: &str) -> String {
    format!("SELECT * FROM pgwarrant.approve({request})")
}

/// A statement that returns the number of the grant that a request became.
pub fn granted(request: &str) -> String {
    format!("SELECT grant_id FROM pgwarrant.requests WHERE id = {request}")
}

/// The approver's statement.
pub fn revoke(grant: &str) -> String {
    format!("SELECT * FROM pgwarrant.revoke({grant})")
}

/// The holder's statement.
pub fn release(grant: &str) -> String {
    format!("SELECT * FROM pgwarrant.release({grant})")
}
