//! Signatures of Standard Webhooks, made with another implementation than the product's.

use std::time::SystemTime;

use base64::Engine;
use base64::engine::general_purpose::STANDARD as BASE64;
use ring::hmac;

/// A secret as configurations have it.
pub fn secret(key: &[u8]) -> String {
    format!("whsec_{}", BASE64.encode(key))
}

/// A file with a secret that its owner alone can read.
pub fn secret_file(directory: &std::path::Path, name: &str, key: &[u8]) -> std::path::PathBuf {
    use std::os::unix::fs::PermissionsExt;
    let file = directory.join(name);
    std::fs::write(&file, secret(key)).expect("a secret");
    std::fs::set_permissions(&file, std::fs::Permissions::from_mode(0o600)).expect("a mode");
    file
}

/// Seconds since 1970 UTC.
pub fn now() -> u64 {
    SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).expect("a time").as_secs()
}

pub fn signature(key: &[u8], id: &str, timestamp: &str, body: &str) -> String {
    let key = hmac::Key::new(hmac::HMAC_SHA256, key);
    format!("v1,{}", BASE64.encode(hmac::sign(&key, format!("{id}.{timestamp}.{body}").as_bytes())))
}

/// The headers of a signed message.
pub fn signed(key: &[u8], id: &str, timestamp: &str, body: &str) -> Vec<(String, String)> {
    vec![
        ("webhook-id".to_owned(), id.to_owned()),
        ("webhook-timestamp".to_owned(), timestamp.to_owned()),
        ("webhook-signature".to_owned(), signature(key, id, timestamp, body)),
    ]
}
