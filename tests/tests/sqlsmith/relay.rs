//! A relay between a client and the proxy, which reads along: each statement with what came for it.

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex};

use pgwarrant_tests::raw::Frame;

/// Who wants to know.
pub trait Watch: Send + 'static {
    /// All that came for a Query message; for an empty text, what came before the first one.
    fn exchange(&mut self, statement: &str, frames: &[Frame]);
    /// The server's side has closed the connection, and this is what it left unfinished.
    fn closed(&mut self, statement: &str, frames: &[Frame]);
}

/// The connections' bytes are handed to `watch` once they are complete up to a ReadyForQuery, or in
/// parts of this many bytes, and are forwarded before that as they come.
const PART: usize = 1 << 20;

/// Starts to listen; the port. Ends with the program.
pub fn start(proxy_port: u16, watch: Arc<Mutex<impl Watch>>) -> u16 {
    let listener = TcpListener::bind(("127.0.0.1", 0)).expect("a port");
    let port = listener.local_addr().expect("an address").port();
    std::thread::spawn(move || {
        for client in listener.incoming().map_while(Result::ok) {
            let server = TcpStream::connect(("127.0.0.1", proxy_port)).expect("the proxy listens");
            let _ = (client.set_nodelay(true), server.set_nodelay(true));
            let asked = Arc::new(Mutex::new(String::new()));
            let (from_client, to_client) = (client.try_clone().expect("a socket"), client);
            let (to_server, from_server) = (server.try_clone().expect("a socket"), server);
            let statement = Arc::clone(&asked);
            std::thread::spawn(move || questions(from_client, to_server, &statement));
            let watch = Arc::clone(&watch);
            std::thread::spawn(move || answers(from_server, to_client, &asked, &watch));
        }
    });
    port
}

/// Complete frames at the start of `bytes`, which they leave.
fn cut(bytes: &mut Vec<u8>) -> Vec<Frame> {
    let (mut frames, mut start) = (Vec::new(), 0);
    while let Some(head) = bytes.get(start..start + 5) {
        let length = u32::from_be_bytes([head[1], head[2], head[3], head[4]]) as usize;
        let Some(body) = bytes.get(start + 5..start + 1 + length) else { break };
        frames.push(Frame { tag: head[0], body: body.to_vec() });
        start += 1 + length;
    }
    bytes.drain(..start);
    frames
}

/// The client's messages; the last statement is left in `asked`.
fn questions(mut client: TcpStream, mut server: TcpStream, asked: &Mutex<String>) {
    let (mut buffer, mut seen) = ([0; 64 * 1024], Vec::new());
    // The start-up packet has no type byte.
    let mut started = false;
    while let Ok(count @ 1..) = client.read(&mut buffer) {
        seen.extend_from_slice(&buffer[..count]);
        if !started && let Some(length) = seen.first_chunk::<4>() {
            let length = u32::from_be_bytes(*length) as usize;
            if seen.len() >= length {
                seen.drain(..length);
                started = true;
            }
        }
        if started {
            for query in cut(&mut seen).iter().filter(|frame| frame.tag == b'Q') {
                let text = query.body.strip_suffix(&[0]).unwrap_or(&query.body);
                *asked.lock().expect("no thread panics") = String::from_utf8_lossy(text).into_owned();
            }
        }
        if server.write_all(&buffer[..count]).is_err() {
            break;
        }
    }
    let _ = server.shutdown(std::net::Shutdown::Write);
}

fn answers(mut server: TcpStream, mut client: TcpStream, asked: &Mutex<String>, watch: &Mutex<impl Watch>) {
    let (mut buffer, mut seen, mut frames, mut size) = ([0; 64 * 1024], Vec::new(), Vec::new(), 0);
    let statement = || asked.lock().expect("no thread panics").clone();
    while let Ok(count @ 1..) = server.read(&mut buffer) {
        seen.extend_from_slice(&buffer[..count]);
        size += count;
        for frame in cut(&mut seen) {
            let ready = frame.tag == b'Z';
            frames.push(frame);
            if ready || size > PART {
                watch.lock().expect("no thread panics").exchange(&statement(), &frames);
                (frames, size) = (Vec::new(), 0);
            }
        }
        if client.write_all(&buffer[..count]).is_err() {
            break;
        }
    }
    watch.lock().expect("no thread panics").closed(&statement(), &frames);
    let _ = client.shutdown(std::net::Shutdown::Write);
}
