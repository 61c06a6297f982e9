//! The least a proxy can cost: bytes copied both ways by one thread, and nothing looked at.

use std::net::SocketAddr;

use tokio::io::copy_bidirectional_with_sizes;
use tokio::net::{TcpListener, TcpStream};
use tokio::signal::unix::{SignalKind, signal};

use crate::figure::Outcome;

/// Of each direction.
const BUFFER: usize = 16 * 1024;

/// Copies between clients at `listen` and the server at `upstream` until SIGTERM.
pub fn run(listen: SocketAddr, upstream: SocketAddr) -> Outcome<()> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_io().build()?;
    runtime.block_on(async {
        let mut end = signal(SignalKind::terminate())?;
        let listener = TcpListener::bind(listen).await?;
        loop {
            let (client, _) = tokio::select! {
                accepted = listener.accept() => accepted?,
                _ = end.recv() => return Ok(()),
            };
            // A connection that breaks ends alone.
            tokio::spawn(splice(client, upstream));
        }
    })
}

async fn splice(mut client: TcpStream, upstream: SocketAddr) -> std::io::Result<()> {
    let mut server = TcpStream::connect(upstream).await?;
    client.set_nodelay(true)?;
    server.set_nodelay(true)?;
    copy_bidirectional_with_sizes(&mut client, &mut server, BUFFER, BUFFER).await.map(|_| ())
}
