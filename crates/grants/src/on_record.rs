//! What is on disk, for those who tell others of it and must not say what a crash would undo.

use std::sync::Arc;

use crate::{Error, Grant, GrantId, Live, Request, RequestId};

// All of these wait for the disk: call them where a thread may block.
impl Live {
    /// Returns when whatever has happened so far is on disk.
    pub fn save(&self) -> Result<(), Error> {
        self.0.saving.save(self.0.clock.now())
    }

    /// A request as it is now, also one that history has on disk only. None: there is none, or it was
    /// trimmed.
    pub fn request_on_record(&self, id: RequestId) -> Result<Option<Arc<Request>>, Error> {
        self.0.find_request(id)
    }

    /// The same of a grant.
    pub fn grant_on_record(&self, id: GrantId) -> Result<Option<Arc<Grant>>, Error> {
        self.0.find_grant(id)
    }
}
