//! Reading the trail: from the running proxy, or else from the store itself.

use std::io;
use std::path::Path;
use std::time::{Duration, Instant};

use pgwarrant_audit::control::{self, Client, Reply, Request};
use pgwarrant_audit::store::{SledStore, open_existing};
use pgwarrant_audit::{BlockStore, Error, Head};

/// How long to wait for a store that somebody else has open, usually a proxy that is starting.
const PATIENCE: Duration = Duration::from_secs(5);

/// Why the trail could not be read, or what was read not be used.
pub(crate) enum Failure {
    Trail(Error),
    Output(io::Error),
}

impl From<Error> for Failure {
    fn from(error: Error) -> Failure {
        Failure::Trail(error)
    }
}

impl From<io::Error> for Failure {
    fn from(error: io::Error) -> Failure {
        Failure::Output(error)
    }
}

/// What a sink makes of a reply; an error ends the reading.
type Sink<'a> = &'a mut dyn FnMut(Reply) -> io::Result<()>;

/// Hands on the answer to a request that does not follow what comes later.
pub(crate) fn replies(directory: &Path, request: &Request, sink: Sink<'_>) -> Result<(), Failure> {
    let deadline = Instant::now() + PATIENCE;
    let database = loop {
        if let Some(client) = Client::ask(directory, request)? {
            return from_proxy(client, matches!(request, Request::Tail { follow: true, .. }), sink);
        }
        match open_existing(directory) {
            Ok(database) => break database,
            Err(Error::InUse(_)) if Instant::now() < deadline => {
                std::thread::sleep(Duration::from_millis(50))
            }
            Err(error) => return Err(error.into()),
        }
    };
    let store = SledStore::open(&database, directory)?;
    let last = match store.head()? {
        Some(bytes) => Head::from_bytes(&bytes).map(|head| head.block).or(store.last()?),
        None => store.last()?,
    };
    let mut failed = None;
    control::answer(&store, request, last, &mut |reply| {
        failed = sink(reply).err();
        failed.is_none()
    })?;
    failed.map_or(Ok(()), |error| Err(error.into()))
}

/// Hands on what the proxy answers.
pub(crate) fn from_proxy(mut client: Client, follow: bool, sink: Sink<'_>) -> Result<(), Failure> {
    loop {
        match client.reply()? {
            Some(Reply::End) => return Ok(()),
            Some(Reply::Error(message)) => return Err(Error::Remote(message.into()).into()),
            Some(reply) => sink(reply)?,
            None if follow => return Ok(()),
            None => return Err(Error::Remote("nothing more: it has ended".into()).into()),
        }
    }
}
