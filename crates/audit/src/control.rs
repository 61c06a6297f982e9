//! Reading the trail of a running proxy from another process.
//!
//! sled locks its file, so `pgwarrant audit` cannot open the store of a running proxy. The proxy
//! listens on the Unix-domain socket `audit.sock` in the store's directory, which only its own user
//! (and root) may use. One request a connection: the client sends a [`Request`] as one line of JSON,
//! the server answers with [`Reply`] lines, the last of which is `end` or `error`. There is no
//! request that changes anything.

use std::convert::Infallible;
use std::fs::{self, File, Permissions};
use std::io::{self, BufRead, BufReader, Read, Write};
use std::os::fd::AsRawFd;
use std::os::unix::fs::{FileTypeExt, MetadataExt, PermissionsExt};
use std::os::unix::net::UnixStream as BlockingStream;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt};
use tokio::net::UnixListener;
use tokio::net::unix::{OwnedReadHalf, OwnedWriteHalf};
use tokio::sync::{Semaphore, mpsc};
use tokio::task::JoinSet;
use tokio::time::timeout;

use crate::chain::Hash;
use crate::error::Error;
use crate::follow::Follow;
use crate::query::{self, Filter};
use crate::record::Record;
use crate::store::BlockStore;
use crate::trail::Trail;
use crate::verify::{self, Report};

const SOCKET: &str = "audit.sock";
const CLIENTS: usize = 16;
const REQUEST_BYTES: u64 = 64 << 10;
const REPLY_BYTES: u64 = 64 << 20;
/// For a request to come, and for a client to take what it asked for.
const PATIENCE: Duration = Duration::from_secs(60);
/// Replies made ahead of a slow client.
const REPLIES_AHEAD: usize = 64;
/// `sun_path` has 108 bytes, the last of which is zero.
const SOCKET_PATH_BYTES: usize = 107;

/// The most records that a tail starts with.
pub const TAIL_RECORDS: usize = 100_000;

/// What a client asks for.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum Request {
    /// Records that match, newest first.
    Query {
        filter: Filter,
        limit: u64,
    },
    /// The last records that match, oldest first; all of them if the filter says after which.
    /// Then, if `follow`, each one that comes.
    Tail {
        filter: Filter,
        last: usize,
        follow: bool,
    },
    Verify {
        expect_head: Option<Hash>,
    },
}

/// What a client gets.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Reply {
    Record(Box<Record>),
    Report(Box<Report>),
    /// A block could not be read; the others follow.
    Damage(String),
    /// The request could not be met, or no further.
    Error(String),
    /// That was all.
    End,
}

/// Answers everything but the following of a tail, from block `last` down. `send` says whether the
/// client still wants more.
pub fn answer(
    store: &dyn BlockStore,
    request: &Request,
    last: Option<u64>,
    send: &mut dyn FnMut(Reply) -> bool,
) -> Result<(), Error> {
    match request {
        Request::Query { filter, limit } => {
            let mut left = *limit;
            for found in query::newest_from(store, filter, last) {
                if left == 0 {
                    break;
                }
                left -= u64::from(found.is_ok());
                if !send(reply(found)?) {
                    break;
                }
            }
            Ok(())
        }
        Request::Tail { filter, last: wanted, .. } => match filter.after {
            Some(seq) => after(store, filter, seq, last, send),
            None => {
                let wanted = (*wanted).min(TAIL_RECORDS);
                let mut replies = Vec::new();
                let mut records = 0;
                for found in query::newest_from(store, filter, last).take_while(|_| wanted > 0) {
                    records += usize::from(found.is_ok());
                    replies.push(reply(found)?);
                    if records == wanted || replies.len() == TAIL_RECORDS {
                        break;
                    }
                }
                // A client that has gone wants none of the rest.
                let _ = replies.into_iter().rev().all(send);
                Ok(())
            }
        },
        Request::Verify { expect_head } => {
            let report = verify::verify(store, *expect_head)?;
            send(Reply::Report(Box::new(report)));
            Ok(())
        }
    }
}

/// Every match after `seq`, oldest first.
fn after(
    store: &dyn BlockStore,
    filter: &Filter,
    seq: u64,
    last: Option<u64>,
    send: &mut dyn FnMut(Reply) -> bool,
) -> Result<(), Error> {
    let Some(last) = last else { return Ok(()) };
    for number in query::first_block_after(store, seq, last)?..=last {
        let replies = match query::records(store, number) {
            Ok(records) => records.into_iter().filter(|record| filter.matches(record)).map(Ok).collect(),
            Err(error) => vec![Err(error)],
        };
        for found in replies {
            if !send(reply(found)?) {
                return Ok(());
            }
        }
    }
    Ok(())
}

fn reply(found: Result<Record, Error>) -> Result<Reply, Error> {
    match found {
        Ok(record) => Ok(Reply::Record(Box::new(record))),
        Err(error @ Error::Damaged { .. }) => Ok(Reply::Damage(error.to_string())),
        Err(error) => Err(error),
    }
}

/// Answers clients until it is dropped; then the socket is gone. `directory` is the store's.
///
/// To be called by the process that has the store open: a socket that is there already is what a
/// killed one left behind, and is replaced.
pub async fn serve(trail: Trail, directory: &Path) -> Result<Infallible, Error> {
    let failed = |error: io::Error| Error::io("listen on audit.sock in the store's directory", error);
    let path = directory.join(SOCKET);
    match fs::symlink_metadata(&path) {
        Ok(found) if found.file_type().is_socket() => fs::remove_file(&path).map_err(failed)?,
        Ok(_) => return Err(failed(io::Error::other("something that is no socket has that name"))),
        Err(error) if error.kind() == io::ErrorKind::NotFound => {}
        Err(error) => return Err(failed(error)),
    }
    let listener = {
        let address = Address::of(directory).map_err(failed)?;
        UnixListener::bind(&address.path).map_err(failed)?
    };
    let _socket = RemovedAtEnd(path.clone());
    fs::set_permissions(&path, Permissions::from_mode(0o600)).map_err(failed)?;
    let owner = fs::metadata(&path).map_err(failed)?.uid();

    let places = Arc::new(Semaphore::new(CLIENTS));
    let mut clients = JoinSet::new();
    loop {
        while clients.try_join_next().is_some() {}
        let stream = match listener.accept().await {
            Ok((stream, _)) => stream,
            Err(error) => {
                tracing::warn!(%error, "could not accept a reader of the audit trail");
                tokio::time::sleep(Duration::from_millis(100)).await;
                continue;
            }
        };
        // Somebody may have connected before the permissions were set.
        if !stream.peer_cred().is_ok_and(|peer| peer.uid() == owner || peer.uid() == 0) {
            continue;
        }
        let place = Arc::clone(&places).try_acquire_owned();
        let trail = trail.clone();
        clients.spawn(async move {
            let (reader, mut writer) = stream.into_split();
            let served = match place {
                Ok(_place) => client(&trail, reader, &mut writer).await,
                Err(_) => Err(Error::Remote("too many readers at once; try again".into())),
            };
            if let Err(error) = served {
                let _ = write(&mut writer, &Reply::Error(plain(&error))).await;
            }
        });
    }
}

async fn client(trail: &Trail, reader: OwnedReadHalf, writer: &mut OwnedWriteHalf) -> Result<(), Error> {
    let mut line = Vec::new();
    let mut reader = tokio::io::BufReader::new(reader).take(REQUEST_BYTES);
    let read = timeout(PATIENCE, reader.read_until(b'\n', &mut line)).await;
    if !matches!(read, Ok(Ok(_))) || line.last() != Some(&b'\n') {
        return Err(Error::Remote("no request, or one that is too long".into()));
    }
    let request: Request = serde_json::from_slice(&line)
        .map_err(|error| Error::Remote(format!("the request cannot be understood: {error}").into()))?;

    // What was handed over before can be read, and what comes later is followed.
    let _ = trail.sealed().await;
    let follow = trail.follow();
    let last = follow.before();
    let (send, mut replies) = mpsc::channel(REPLIES_AHEAD);
    let store = trail.store();
    let asked = request.clone();
    let answering = tokio::task::spawn_blocking(move || {
        answer(&*store, &asked, last, &mut |reply| send.blocking_send(reply).is_ok())
    });
    while let Some(reply) = replies.recv().await {
        write(writer, &reply).await?;
    }
    answering.await.unwrap_or_else(|error| Err(Error::io("read the audit trail", error)))?;

    if let Request::Tail { filter, follow: true, .. } = request {
        followed(follow, &filter, reader.into_inner().into_inner(), writer).await?;
    }
    write(writer, &Reply::End).await
}

/// Sends what comes until the trail ends or the client goes.
async fn followed(
    mut follow: Follow,
    filter: &Filter,
    mut reader: OwnedReadHalf,
    writer: &mut OwnedWriteHalf,
) -> Result<(), Error> {
    let mut byte = [0];
    loop {
        tokio::select! {
            next = follow.next() => match next {
                Ok(Some(record)) if filter.matches(&record) => write(writer, &Reply::Record(Box::new(record))).await?,
                Ok(Some(_)) => {}
                Ok(None) => return Ok(()),
                Err(error) => return Err(error),
            },
            // A client has nothing more to say; it ends, and so gives its place back.
            _ = reader.read(&mut byte) => return Ok(()),
        }
    }
}

async fn write(writer: &mut OwnedWriteHalf, reply: &Reply) -> Result<(), Error> {
    let mut line = serde_json::to_vec(reply).map_err(|error| Error::io("encode a reply", error))?;
    line.push(b'\n');
    match timeout(PATIENCE, writer.write_all(&line)).await {
        Ok(written) => written.map_err(|error| Error::io("answer a reader of the audit trail", error)),
        Err(_) => Err(Error::Remote("the reader takes nothing".into())),
    }
}

/// An error as the other side prints it behind words of its own.
fn plain(error: &Error) -> String {
    match error {
        Error::Remote(message) => message.to_string(),
        error => error.to_string(),
    }
}

/// A request that a running proxy has been sent.
#[derive(Debug)]
pub struct Client {
    replies: BufReader<BlockingStream>,
}

impl Client {
    /// Sends a request to the proxy that has the store open; None if none listens there.
    pub fn ask(directory: &Path, request: &Request) -> Result<Option<Client>, Error> {
        let failed = |error: io::Error| Error::io("ask the running proxy on audit.sock", error);
        let connected = Address::of(directory).and_then(|address| BlockingStream::connect(&address.path));
        let mut stream = match connected {
            Ok(stream) => stream,
            Err(error)
                if matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::ConnectionRefused) =>
            {
                return Ok(None);
            }
            Err(error) => return Err(failed(error)),
        };
        let mut line = serde_json::to_vec(request).map_err(|error| Error::io("encode a request", error))?;
        line.push(b'\n');
        match stream.write_all(&line) {
            // It has closed already, and what it said can be read all the same.
            Err(error) if error.kind() == io::ErrorKind::BrokenPipe => {}
            written => written.map_err(failed)?,
        }
        Ok(Some(Client { replies: BufReader::new(stream) }))
    }

    /// The next reply; None if the connection was closed, which before [`Reply::End`] means that
    /// the proxy has ended.
    pub fn reply(&mut self) -> Result<Option<Reply>, Error> {
        let mut line = Vec::new();
        let read = self.replies.by_ref().take(REPLY_BYTES).read_until(b'\n', &mut line);
        match read {
            Ok(0) => Ok(None),
            Ok(_) if line.ends_with(b"\n") => serde_json::from_slice(&line)
                .map(Some)
                .map_err(|error| Error::Remote(format!("something that is no reply: {error}").into())),
            // Cut off in the middle of a line.
            Ok(_) => Ok(None),
            Err(error) if error.kind() == io::ErrorKind::ConnectionReset => Ok(None),
            Err(error) => Err(Error::io("read the proxy's reply", error)),
        }
    }
}

/// The socket's path, short enough to be an address.
struct Address {
    path: PathBuf,
    /// Where the path leads through.
    _directory: Option<File>,
}

impl Address {
    fn of(directory: &Path) -> io::Result<Address> {
        let path = directory.join(SOCKET);
        if path.as_os_str().len() <= SOCKET_PATH_BYTES {
            return Ok(Address { path, _directory: None });
        }
        let directory = File::open(directory)?;
        let path = format!("/proc/self/fd/{}/{SOCKET}", directory.as_raw_fd()).into();
        Ok(Address { path, _directory: Some(directory) })
    }
}

struct RemovedAtEnd(PathBuf);

impl Drop for RemovedAtEnd {
    fn drop(&mut self) {
        // One that stays behind is replaced at the next start.
        let _ = fs::remove_file(&self.0);
    }
}
