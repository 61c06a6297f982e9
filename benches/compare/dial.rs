//! A blocking client that does what a measurement asks and nothing else.
//!
//! It signs in, sends statements and cuts what comes back into frames. It is the same for every
//! contender, so what it costs cancels out of every ratio.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::{Buf, BytesMut};
use postgres_protocol::IsNull;
use postgres_protocol::authentication::sasl::{ChannelBinding, SCRAM_SHA_256, ScramSha256};
use postgres_protocol::message::frontend;
use rustls::pki_types::ServerName;
use rustls::{ClientConfig, ClientConnection, StreamOwned};

use crate::figure::Outcome;

/// No answer of a benchmark takes longer.
const PATIENCE: Duration = Duration::from_secs(120);

/// A server of PostgreSQL's protocol on loopback, and who signs in there.
#[derive(Clone, Debug)]
pub struct Endpoint {
    /// As the table calls it.
    pub name: String,
    pub port: u16,
    /// Its processes, whose time and memory are measured.
    pub pids: Vec<u32>,
    pub user: String,
    pub password: String,
    pub database: String,
    /// `application_name`, by which the audit trail tells the rows apart.
    pub application: String,
}

impl Endpoint {
    /// The same server for a client that calls itself something else.
    pub fn with_application(&self, application: &str) -> Endpoint {
        Endpoint { application: application.to_owned(), ..self.clone() }
    }

    /// The same server for somebody else.
    pub fn with_user(&self, user: &str, password: &str) -> Endpoint {
        Endpoint { user: user.to_owned(), password: password.to_owned(), ..self.clone() }
    }
}

/// A message from the server.
pub struct Frame {
    pub tag: u8,
    pub body: BytesMut,
}

/// A signed-in connection.
pub struct Client {
    stream: Stream,
    input: BytesMut,
    read_at: Instant,
}

enum Stream {
    Plain(TcpStream),
    Tls(Box<StreamOwned<ClientConnection, TcpStream>>),
}

impl Client {
    pub fn connect(endpoint: &Endpoint) -> Outcome<Client> {
        let stream = open(endpoint)?;
        Client::sign_in(Stream::Plain(stream), endpoint)
    }

    pub fn connect_tls(endpoint: &Endpoint, config: &Arc<ClientConfig>) -> Outcome<Client> {
        let mut stream = open(endpoint)?;
        let mut request = BytesMut::new();
        frontend::ssl_request(&mut request);
        stream.write_all(&request)?;
        let mut answer = [0];
        stream.read_exact(&mut answer)?;
        if answer != *b"S" {
            return Err(format!("{} does not offer TLS", endpoint.name).into());
        }
        let session = ClientConnection::new(Arc::clone(config), ServerName::try_from("localhost")?)?;
        Client::sign_in(Stream::Tls(Box::new(StreamOwned::new(session, stream))), endpoint)
    }

    fn sign_in(stream: Stream, endpoint: &Endpoint) -> Outcome<Client> {
        let mut client = Client { stream, input: BytesMut::new(), read_at: Instant::now() };
        let parameters = [
            ("user", endpoint.user.as_str()),
            ("database", endpoint.database.as_str()),
            ("application_name", endpoint.application.as_str()),
        ];
        client.send(|out| frontend::startup_message(parameters, out))?;
        let mut scram = ScramSha256::new(endpoint.password.as_bytes(), ChannelBinding::unsupported());
        loop {
            let mut frame = client.expect()?;
            if frame.tag == b'Z' {
                return Ok(client);
            }
            if frame.tag != b'R' {
                continue;
            }
            match frame.body.try_get_u32()? {
                0 => {}
                10 => {
                    let first = scram.message().to_vec();
                    client.send(|out| frontend::sasl_initial_response(SCRAM_SHA_256, &first, out))?;
                }
                11 => {
                    scram.update(&frame.body)?;
                    let last = scram.message().to_vec();
                    client.send(|out| frontend::sasl_response(&last, out))?;
                }
                12 => scram.finish(&frame.body)?,
                other => return Err(format!("{} asks for authentication {other}", endpoint.name).into()),
            }
        }
    }

    /// Sends a Query message and waits for nothing.
    pub fn send_query(&mut self, sql: &str) -> Outcome<()> {
        self.send(|out| frontend::query(sql, out))
    }

    /// Runs a Query message to its end; the number of rows.
    pub fn run(&mut self, sql: &str) -> Outcome<u64> {
        self.send_query(sql)?;
        self.finish()
    }

    /// Runs a Query message; the rows' values as text, NULL as the empty string.
    pub fn rows(&mut self, sql: &str) -> Outcome<Vec<Vec<String>>> {
        self.send_query(sql)?;
        let mut rows = Vec::new();
        loop {
            let frame = self.expect()?;
            match frame.tag {
                b'D' => rows.push(values(frame.body)?),
                b'Z' => return Ok(rows),
                _ => {}
            }
        }
    }

    /// The first value of the first row.
    pub fn value(&mut self, sql: &str) -> Outcome<String> {
        let rows = self.rows(sql)?;
        rows.into_iter().flatten().next().ok_or_else(|| format!("no row from {sql}").into())
    }

    /// Prepares a statement under a name.
    pub fn prepare(&mut self, name: &str, sql: &str) -> Outcome<()> {
        self.send(|out| {
            frontend::parse(name, sql, [], out)?;
            frontend::sync(out);
            Ok(())
        })?;
        self.finish().map(|_| ())
    }

    /// Binds a prepared statement to one parameter, given as text, and executes it; the number of rows.
    pub fn execute(&mut self, name: &str, parameter: &str) -> Outcome<u64> {
        self.send(|out| {
            let value = |text: &str, out: &mut BytesMut| {
                out.extend_from_slice(text.as_bytes());
                Ok(IsNull::No)
            };
            frontend::bind("", name, [], [parameter], value, [], out).map_err(|error| match error {
                frontend::BindError::Serialization(error) => std::io::Error::other(error),
                frontend::BindError::Conversion(error) => std::io::Error::other(error),
            })?;
            frontend::execute("", 0, out)?;
            frontend::sync(out);
            Ok(())
        })?;
        self.finish()
    }

    /// The next frame; an error of the server is one here too.
    pub fn expect(&mut self) -> Outcome<Frame> {
        let frame = self.frame()?;
        if frame.tag == b'E' { Err(told(&frame.body).into()) } else { Ok(frame) }
    }

    /// The next frame, whatever it is.
    pub fn frame(&mut self) -> Outcome<Frame> {
        loop {
            if let Some((&tag, rest)) = self.input.split_first()
                && let Some(length) = rest.first_chunk::<4>()
            {
                let length = u32::from_be_bytes(*length) as usize;
                if length < 4 {
                    return Err("a frame shorter than its length".into());
                }
                if self.input.len() > length {
                    let mut body = self.input.split_to(1 + length);
                    body.advance(5);
                    return Ok(Frame { tag, body });
                }
            }
            self.fill()?;
        }
    }

    /// When the bytes of the latest frame came in.
    pub fn read_at(&self) -> Instant {
        self.read_at
    }

    fn finish(&mut self) -> Outcome<u64> {
        let mut rows = 0;
        loop {
            match self.expect()?.tag {
                b'D' => rows += 1,
                b'Z' => return Ok(rows),
                _ => {}
            }
        }
    }

    fn fill(&mut self) -> Outcome<()> {
        let mut buffer = [0; 64 * 1024];
        let count = match &mut self.stream {
            Stream::Plain(stream) => stream.read(&mut buffer)?,
            Stream::Tls(stream) => stream.read(&mut buffer)?,
        };
        self.read_at = Instant::now();
        if count == 0 {
            return Err("the server has closed the connection".into());
        }
        self.input.extend_from_slice(buffer.get(..count).unwrap_or_default());
        Ok(())
    }

    fn send(&mut self, build: impl FnOnce(&mut BytesMut) -> std::io::Result<()>) -> Outcome<()> {
        let mut out = BytesMut::new();
        build(&mut out)?;
        match &mut self.stream {
            Stream::Plain(stream) => stream.write_all(&out)?,
            Stream::Tls(stream) => {
                stream.write_all(&out)?;
                stream.flush()?;
            }
        }
        Ok(())
    }
}

impl Drop for Client {
    fn drop(&mut self) {
        let _ = self.send(|out| {
            frontend::terminate(out);
            Ok(())
        });
    }
}

/// What an ErrorResponse says: SQLSTATE and message.
pub fn told(body: &[u8]) -> String {
    let field = |code: u8| {
        let mut fields = body.split(|byte| *byte == 0).filter_map(|field| field.split_first());
        let found = fields.find(|(name, _)| **name == code);
        found.map(|(_, text)| String::from_utf8_lossy(text).into_owned()).unwrap_or_default()
    };
    format!("{}: {}", field(b'C'), field(b'M'))
}

fn open(endpoint: &Endpoint) -> Outcome<TcpStream> {
    let stream = TcpStream::connect(("127.0.0.1", endpoint.port))?;
    stream.set_nodelay(true)?;
    stream.set_read_timeout(Some(PATIENCE))?;
    Ok(stream)
}

fn values(mut body: BytesMut) -> Outcome<Vec<String>> {
    let count = body.try_get_u16()?;
    let mut values = Vec::with_capacity(count.into());
    for _ in 0..count {
        let length = usize::try_from(body.try_get_i32()?).unwrap_or(0);
        if body.len() < length {
            return Err("a row shorter than its values".into());
        }
        values.push(String::from_utf8_lossy(&body.split_to(length)).into_owned());
    }
    Ok(values)
}
