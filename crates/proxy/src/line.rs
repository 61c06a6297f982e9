//! A connection of the proxy's own to a database, for one simple query at a time.

use std::io;

use bytes::{Buf, BytesMut};
use pgwarrant_wire::backend::{self, DataRow, Diagnostic, tag};
use pgwarrant_wire::frame;
use pgwarrant_wire::frontend;
use pgwarrant_wire::stream::Stream;
use tokio::io::{AsyncReadExt, AsyncWriteExt};

/// Most bytes of one message of an answer.
const MESSAGE: usize = 64 << 20;

/// Rows as text; None is NULL.
pub type Rows = Vec<Vec<Option<String>>>;

#[derive(Debug, thiserror::Error)]
pub enum LineError {
    #[error("the connection broke: {0}")]
    Io(#[from] io::Error),
    #[error("the server answered with something unexpected")]
    Protocol,
    #[error("{message} (SQLSTATE {sqlstate})")]
    Server { sqlstate: String, message: String },
}

/// Runs one query in the simple protocol and collects its rows. `input` holds what was read ahead.
pub async fn query(stream: &mut Stream, input: &mut BytesMut, text: &str) -> Result<Rows, LineError> {
    query_reporting(stream, input, text, &mut |_, _| {}).await
}

/// The same; `report` is told the name and the value of each setting that the server reports.
pub async fn query_reporting(
    stream: &mut Stream,
    input: &mut BytesMut,
    text: &str,
    report: &mut (impl FnMut(&str, &str) + Send),
) -> Result<Rows, LineError> {
    let mut out = BytesMut::new();
    frontend::build::query(&mut out, text);
    stream.write_all(&out).await?;
    stream.flush().await?;
    let mut rows = Rows::new();
    let mut failed = None;
    loop {
        let Some(header) = frame::next(input, MESSAGE).map_err(|_| LineError::Protocol)? else {
            if stream.read_buf(input).await? == 0 {
                return Err(io::Error::from(io::ErrorKind::UnexpectedEof).into());
            }
            continue;
        };
        let body = header.body(input);
        match header.tag {
            tag::DATA_ROW => {
                let row = DataRow::parse(body).map_err(|_| LineError::Protocol)?;
                let text = |value: &[u8]| String::from_utf8_lossy(value).into_owned();
                rows.push(row.values().map(|value| value.map(text)).collect());
            }
            tag::ERROR_RESPONSE => {
                let error = Diagnostic::parse(body).map_err(|_| LineError::Protocol)?;
                failed.get_or_insert_with(|| LineError::Server {
                    sqlstate: error.sqlstate().to_owned(),
                    message: error.message().to_owned(),
                });
            }
            tag::PARAMETER_STATUS => {
                let (name, value) = backend::parameter_status(body).map_err(|_| LineError::Protocol)?;
                report(name, value);
            }
            tag::READY_FOR_QUERY => {
                input.advance(header.len);
                return failed.map_or(Ok(rows), Err);
            }
            _ => {}
        }
        input.advance(header.len);
    }
}
