//! Secrets: read from a file or from the environment, shown to nobody.

use std::fmt;
use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io::{self, Read, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt, PermissionsExt};
use std::path::Path;

use super::MaskingKey;
use super::reader::{Reader, Table};

/// A password or a key. It does not print.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(String);

impl Secret {
    pub fn new(value: String) -> Self {
        Self(value)
    }

    /// The value itself, for the one place that needs it.
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("Secret")
    }
}

/// The keys under which a table may name a secret.
pub(super) struct Keys {
    /// Not allowed, but what people try.
    pub inline: Option<&'static str>,
    pub file: &'static str,
    pub variable: &'static str,
}

pub(super) const PASSWORD: Keys =
    Keys { inline: Some("password"), file: "password_file", variable: "password_env" };

/// The secret that a table names, with its line; a problem is reported and gives `None`.
pub(super) fn read(reader: &mut Reader<'_>, table: &mut Table<'_>, keys: &Keys) -> Option<(Secret, usize)> {
    if let Some(inline) = keys.inline
        && let Some(line) = table.discard(inline)
    {
        let hint = format!("Put it into a file of its own and name that in {}.", keys.file);
        reader.error(line, format!("{inline} may not be in the configuration file"), Some(hint));
    }
    let file = table.path(reader, keys.file);
    let variable = table.string(reader, keys.variable);
    match (file, variable) {
        (Some(_), Some(variable)) => {
            let hint = "Remove one of them.".to_owned();
            reader.error(
                variable.line,
                format!("{} and {} are both given", keys.file, keys.variable),
                Some(hint),
            );
            None
        }
        (Some(path), None) => match read_file(&path.value) {
            Ok(secret) => Some((secret, path.line)),
            Err((message, hint)) => {
                reader.error(path.line, message, Some(hint));
                None
            }
        },
        (None, Some(variable)) => match (reader.surroundings.variable)(&variable.value) {
            Some(value) if !value.is_empty() => Some((Secret(value), variable.line)),
            _ => {
                let message = format!("the environment variable {} is not set", variable.value);
                reader.error(variable.line, message, Some("Set it before the program starts.".into()));
                None
            }
        },
        (None, None) => None,
    }
}

/// A secret is shorter than this, in bytes.
const MAX_BYTES: u64 = 64 << 10;

/// Reads a secret's file, less the line's end. `Err` is a message and a hint.
fn read_file(path: &Path) -> Result<Secret, (String, String)> {
    let shown = path.display();
    let io = |error: io::Error| {
        (
            format!("could not read {shown}: {error}"),
            "The user that runs the program must be able to read it.".into(),
        )
    };
    let file = File::open(path).map_err(io)?;
    // Of what was opened: the name could be another file by now.
    let metadata = file.metadata().map_err(io)?;
    if !metadata.is_file() {
        return Err((format!("{shown} is not a file"), "Name the file that holds the secret.".into()));
    }
    if metadata.permissions().mode() & 0o007 != 0 {
        return Err((
            format!("{shown} holds a secret, and everybody on this machine may open it"),
            format!("Run chmod 600 {shown}, and change the secret if others may have read it."),
        ));
    }
    let mut text = String::new();
    file.take(MAX_BYTES + 1).read_to_string(&mut text).map_err(io)?;
    let value = text.strip_suffix('\n').map_or(text.as_str(), |text| text.strip_suffix('\r').unwrap_or(text));
    if value.is_empty() || value.contains(['\n', '\0']) || value.len() as u64 > MAX_BYTES {
        return Err((
            format!("{shown} does not hold one line"),
            "The secret is the file's only line.".into(),
        ));
    }
    Ok(Secret(value.to_owned()))
}

/// Reports a private file of TLS's that others could read, or that is not there.
pub(super) fn check_private(reader: &mut Reader<'_>, path: &Path, line: usize) {
    if let Err((message, hint)) = open_private(path) {
        reader.error(line, message, Some(hint));
    }
}

fn open_private(path: &Path) -> Result<(), (String, String)> {
    let shown = path.display();
    let mode = fs::metadata(path)
        .and_then(|metadata| File::open(path).map(|_| metadata.permissions().mode()))
        .map_err(|error| (format!("could not read {shown}: {error}"), "Name a PEM file.".to_owned()))?;
    if mode & 0o007 != 0 {
        return Err((
            format!("{shown} holds a private key, and everybody on this machine may open it"),
            format!("Run chmod 600 {shown}."),
        ));
    }
    Ok(())
}

/// Fewer characters than this can be guessed.
pub(super) const MIN_KEY_LENGTH: usize = 32;

/// May this be the key of keyed masks? It travels in a setting of the upstream session, so it is
/// plain letters, digits and `+/=_-`, as `openssl rand -hex 32` and `-base64 32` give them.
pub(super) fn is_masking_key(key: &str) -> bool {
    (MIN_KEY_LENGTH..=1024).contains(&key.len())
        && key.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"+/=_-".contains(&byte))
}

impl MaskingKey {
    /// The key; where none is configured, the one that was made before, or else a new one of 256
    /// bits, written for this program's user alone. Who loses the file loses every token: the same
    /// values get new ones.
    ///
    /// # Errors
    /// Where the file can be neither read nor made, or does not hold a key.
    pub fn get(&self) -> io::Result<Secret> {
        let path = match self {
            Self::Given(secret) => return Ok(secret.clone()),
            Self::Generated(path) => path,
        };
        if !path.try_exists()? {
            generate(path)?;
        }
        let secret = read_file(path).map_err(|(message, _)| io::Error::other(message))?;
        if !is_masking_key(secret.expose()) {
            return Err(io::Error::other(format!("{} does not hold a key", path.display())));
        }
        Ok(secret)
    }
}

/// Writes a new key beside its place and links it there: whole or not at all, and never over
/// another that appeared meanwhile.
fn generate(path: &Path) -> io::Result<()> {
    let directory = path.parent().unwrap_or(Path::new(""));
    DirBuilder::new().recursive(true).mode(0o700).create(directory)?;
    let mut random = [0u8; 32];
    File::open("/dev/urandom")?.read_exact(&mut random)?;
    let key: String = random.iter().map(|byte| format!("{byte:02x}")).collect();
    let draft = path.with_extension(format!("{}.new", std::process::id()));
    let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&draft)?;
    let written = file.write_all(format!("{key}\n").as_bytes()).and_then(|()| file.sync_all());
    let linked = written.and_then(|()| match fs::hard_link(&draft, path) {
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Ok(()),
        other => other,
    });
    let removed = fs::remove_file(&draft);
    linked.and(removed)?;
    File::open(directory)?.sync_all()
}
