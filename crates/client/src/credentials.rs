//! `credentials.toml`: what the last login at each server has left.
//!
//! For its owner alone: where others could read it, it is not used. It is replaced as a whole, under a
//! lock, so that two programs at once lose nothing.

use std::collections::BTreeMap;
use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io::{ErrorKind, Read, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::failure::Failure;

/// A file that is larger was not written by us.
const MOST: u64 = 1 << 20;

/// What is kept for all servers. Not `Debug`, as it holds secrets.
#[derive(Clone, Default, Serialize, Deserialize)]
pub struct Credentials {
    /// The server of the last login.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub default: Option<String>,
    /// By origin.
    #[serde(default)]
    pub server: BTreeMap<String, Entry>,
}

/// What is kept for one server.
#[derive(Clone, Serialize, Deserialize)]
pub struct Entry {
    pub user: String,
    pub token: String,
    /// RFC 3339. None: it does not say.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub expires_at: Option<String>,
    /// Authority for the server's certificate.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ca: Option<PathBuf>,
    /// None: the token is one of pgwarrant's.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub issuer: Option<Issuer>,
}

impl Entry {
    /// When the token ends, as far as it is known.
    pub fn ends(&self) -> Option<Timestamp> {
        self.expires_at.as_deref()?.parse().ok()
    }
}

/// Where a token came from, and where the next one does.
#[derive(Clone, Serialize, Deserialize)]
pub struct Issuer {
    pub url: String,
    pub client_id: String,
    /// Which of the issuer's tokens is shown: its ID token, or its access token.
    #[serde(default)]
    pub is_id_token: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub refresh_token: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ca: Option<PathBuf>,
}

/// Where the file is: `$XDG_CONFIG_HOME/pgwarrant`, or `~/.config/pgwarrant` (XDG Base Directory
/// Specification; a path that is not absolute is no path).
pub fn directory() -> Result<PathBuf, Failure> {
    let absolute = |name: &str| std::env::var_os(name).map(PathBuf::from).filter(|path| path.is_absolute());
    absolute("XDG_CONFIG_HOME")
        .or_else(|| absolute("HOME").map(|home| home.join(".config")))
        .map(|base| base.join("pgwarrant"))
        .ok_or_else(|| {
            Failure::unusable("it is not known where credentials are kept")
                .hint("Set HOME, or PGWARRANT_TOKEN.")
        })
}

/// Nothing where there is no file.
///
/// # Errors
/// Others could read it, or it cannot be understood.
pub fn load(directory: &Path) -> Result<Credentials, Failure> {
    let path = file(directory);
    let shown = path.display();
    let failed = |error: std::io::Error| {
        Failure::unusable(format!("could not read \"{shown}\": {error}"))
            .hint("Make it readable for you, or remove it and run \"pgwarrant login\".")
    };
    let file = match File::open(&path) {
        Ok(file) => file,
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(Credentials::default()),
        Err(error) => return Err(failed(error)),
    };
    let metadata = file.metadata().map_err(failed)?;
    if !metadata.is_file() {
        return Err(Failure::unusable(format!("\"{shown}\" is not a file"))
            .hint("Remove it and run \"pgwarrant login\"."));
    }
    let mode = metadata.permissions().mode() & 0o777;
    if mode & 0o077 != 0 {
        return Err(Failure::unusable(format!("\"{shown}\" can be read or written by others"))
            .detail(format!("Its mode is {mode:03o}; it holds tokens that others could use."))
            .hint(format!("Run \"chmod 600 {shown}\"; if others have seen it, \"pgwarrant login\" again.")));
    }
    let mut text = String::new();
    file.take(MOST + 1).read_to_string(&mut text).map_err(failed)?;
    let read = toml::from_str(&text).ok().filter(|_| text.len() as u64 <= MOST);
    // What is wrong is not told: it would quote the file.
    read.ok_or_else(|| {
        Failure::unusable(format!("\"{shown}\" cannot be understood"))
            .hint("Remove it and run \"pgwarrant login\".")
    })
}

/// Changes what is kept, alone.
///
/// # Errors
/// As of [`load`], or it cannot be written.
pub fn update(directory: &Path, change: impl FnOnce(&mut Credentials)) -> Result<(), Failure> {
    let shown = directory.display();
    let failed = |error: std::io::Error| {
        Failure::unusable(format!("could not write credentials to \"{shown}\": {error}"))
            .hint("Make the directory writable for you, or set XDG_CONFIG_HOME.")
    };
    DirBuilder::new().recursive(true).mode(0o700).create(directory).map_err(failed)?;
    let lock = OpenOptions::new()
        .create(true)
        .truncate(false)
        .write(true)
        .mode(0o600)
        .open(directory.join("credentials.lock"))
        .map_err(failed)?;
    lock.lock().map_err(failed)?;
    let mut credentials = load(directory)?;
    change(&mut credentials);
    let text = toml::to_string(&credentials)
        .map_err(|error| Failure::unusable(format!("credentials cannot be written: {error}")))?;
    replace(directory, text.as_bytes()).map_err(failed)
}

fn replace(directory: &Path, bytes: &[u8]) -> std::io::Result<()> {
    let new = directory.join("credentials.new");
    match fs::remove_file(&new) {
        Err(error) if error.kind() != ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    let mut file = OpenOptions::new().create_new(true).write(true).mode(0o600).open(&new)?;
    file.write_all(bytes)?;
    file.sync_all()?;
    fs::rename(&new, self::file(directory))
}

fn file(directory: &Path) -> PathBuf {
    directory.join("credentials.toml")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entry(user: &str) -> Entry {
        let expires_at = Some("2026-11-22T03:19:52Z".to_owned());
        Entry { user: user.to_owned(), token: "pgw_1".to_owned(), expires_at, ca: None, issuer: None }
    }

    fn mode(path: &Path) -> u32 {
        fs::metadata(path).expect("it is there").permissions().mode() & 0o777
    }

    #[test]
    fn what_is_kept_is_for_its_owner_alone_and_read_back() {
        let home = tempfile::tempdir().expect("a directory");
        let directory = home.path().join("a/pgwarrant");
        assert!(load(&directory).expect("nothing").server.is_empty());
        update(&directory, |kept| {
            kept.default = Some("https://a.example".to_owned());
            kept.server.insert("https://a.example".to_owned(), entry("ada"));
        })
        .expect("kept");
        update(&directory, |kept| _ = kept.server.insert("https://b.example".to_owned(), entry("ben")))
            .expect("kept");
        let kept = load(&directory).expect("read");
        assert_eq!(kept.default.as_deref(), Some("https://a.example"));
        assert_eq!(kept.server.values().map(|entry| entry.user.as_str()).collect::<Vec<_>>(), ["ada", "ben"]);
        assert_eq!((mode(&directory), mode(&file(&directory))), (0o700, 0o600));
        assert!(!directory.join("credentials.new").exists());
    }

    #[test]
    fn a_file_that_others_could_read_or_that_is_none_is_not_used() {
        let home = tempfile::tempdir().expect("a directory");
        update(home.path(), |_| ()).expect("kept");
        let path = file(home.path());
        for open in [0o640, 0o604, 0o660, 0o602, 0o644] {
            fs::set_permissions(&path, fs::Permissions::from_mode(open)).expect("a mode");
            let failure = load(home.path()).err().expect("refused");
            assert!(failure.hint.is_some_and(|hint| hint.contains("chmod 600")), "{open:o}");
        }
        fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).expect("a mode");
        for wrong in ["token = ", "default = 1", "[server.\"x\"]\nuser = \"the secret\""] {
            fs::write(&path, wrong).expect("written");
            let failure = load(home.path()).err().expect("refused");
            assert!(!failure.to_string().contains("the secret"), "{failure}");
        }
        fs::write(&path, vec![b'\n'; (1 << 20) + 1]).expect("written");
        assert!(load(home.path()).is_err());
        fs::remove_file(&path).expect("removed");
        fs::create_dir(&path).expect("a directory");
        assert!(load(home.path()).is_err());
    }
}
