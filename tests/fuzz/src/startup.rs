//! A client's first bytes, up to its StartupMessage.

use std::time::Duration;

use pgwarrant_wire::accept::{Accepted, Plaintext, Settings, accept};
use pgwarrant_wire::stream::Socket;
use tokio::io::{AsyncReadExt, AsyncWriteExt};

/// The first byte says in which pieces the rest arrives.
pub fn check(data: &[u8]) {
    let Some((choice, bytes)) = data.split_first() else { return };
    let piece = usize::from(*choice % 16) + 1;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().expect("a runtime");
    runtime.block_on(async {
        let (mut client, server) = tokio::io::duplex(64 << 10);
        let settings = Settings { tls: None, plaintext: Plaintext::Always };
        let deadline = tokio::time::Instant::now() + Duration::from_secs(10);
        let accepting = accept(Socket::memory(server), &settings, deadline);
        let talking = async {
            for piece in bytes.chunks(piece) {
                if client.write_all(piece).await.is_err() {
                    break;
                }
                tokio::task::yield_now().await;
            }
            let _ = client.shutdown().await;
            let mut answer = Vec::new();
            let _ = client.read_to_end(&mut answer).await;
            answer
        };
        let (accepted, answer) = tokio::join!(
            async {
                let accepted = accepting.await;
                // Its stream ends here, so that the client sees the end.
                accepted.map(|accepted| match accepted {
                    Accepted::Session(client) => Some(client.startup),
                    Accepted::Cancel { key, .. } => {
                        assert!((1..=256).contains(&key.len()), "a key of {} bytes", key.len());
                        None
                    }
                })
            },
            talking
        );
        if let Ok(Some(startup)) = accepted {
            assert!(!startup.user.is_empty() && !startup.database.is_empty());
            let texts = startup.parameters.iter().flat_map(|(name, value)| [name, value]);
            for text in texts.chain([&startup.user, &startup.database]) {
                assert!(!text.contains('\0'));
                assert!(
                    bytes.windows(text.len().max(1)).any(|window| window == text.as_bytes())
                        || text.is_empty()
                );
            }
            let mut names: Vec<&String> = startup.parameters.iter().map(|(name, _)| name).collect();
            names.sort();
            names.dedup();
            assert_eq!(names.len(), startup.parameters.len(), "a parameter twice");
        }
        // Nothing but the answers of one byte, a message that negotiates, and an error.
        let plain = answer.iter().position(|byte| !b"NS".contains(byte)).unwrap_or(answer.len());
        assert!(plain == answer.len() || b"Ev".contains(&answer[plain]), "{answer:?}");
    });
}
