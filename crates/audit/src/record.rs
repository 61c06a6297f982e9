//! What is recorded of one event.
//!
//! In JSON, a record is one object whose empty fields are left out; times are RFC 3339 in UTC with
//! microseconds, the fingerprint is 16 hexadecimal digits (JSON numbers end at 2^53 in many readers).
//! How it is stored says [`crate::body`].

use std::borrow::Cow;
use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

/// An enumeration whose variants have one name everywhere: JSON, SQL, the command line.
macro_rules! named {
    ($(#[$meta:meta])* pub enum $type:ident { $($(#[$variant_meta:meta])* $variant:ident = $name:literal,)+ }) => {
        $(#[$meta])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
        pub enum $type {
            $($(#[$variant_meta])* #[serde(rename = $name)] $variant,)+
        }

        impl $type {
            pub const NAMES: &'static [&'static str] = &[$($name),+];

            /// A block holds an index of this, so that nothing may be put before another.
            pub const ALL: &'static [$type] = &[$($type::$variant),+];

            /// The name in JSON, in `pgwarrant.audit` and on the command line.
            pub fn name(self) -> &'static str {
                match self { $($type::$variant => $name),+ }
            }
        }

        impl FromStr for $type {
            type Err = String;

            fn from_str(name: &str) -> Result<Self, String> {
                match name {
                    $($name => Ok($type::$variant),)+
                    _ => Err(format!("\"{name}\" is none of {}", Self::NAMES.join(", "))),
                }
            }
        }

        impl fmt::Display for $type {
            fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
                formatter.pad(self.name())
            }
        }
    };
}

named! {
    /// What sort of event it is.
    pub enum Kind {
        /// The proxy began to listen.
        Start = "start",
        /// The proxy ended in good order; where the next record is a start without one of these
        /// before it, the proxy was killed.
        Stop = "stop",
        Login = "login",
        LoginFailed = "login_failed",
        Logout = "logout",
        Statement = "statement",
        /// Somebody asked for a grant.
        Request = "request",
        /// A request was approved or denied.
        Decision = "decision",
        GrantStarted = "grant_started",
        /// Expired, revoked, released or used up; the note says which.
        GrantEnded = "grant_ended",
        /// A defence in depth had to act, for example the wire guard.
        Incident = "incident",
        /// Configuration or labels were loaded, or changed.
        Configuration = "configuration",
        /// A second factor was enrolled, shown or removed, or was not; the note says whose.
        SecondFactor = "second_factor",
        /// A call of the HTTP API that changes something, was refused, or looks at the trail.
        Call = "call",
    }
}

named! {
    /// What became of it. Of an intent: what is going to be done.
    pub enum Decision {
        /// Went to PostgreSQL unchanged: it touches nothing protected.
        AsWritten = "as_written",
        /// Protected columns came out masked, all of them.
        Masked = "masked",
        /// At least one protected column passed raw, under a grant.
        Raw = "raw",
        /// The proxy said no.
        Refused = "refused",
        /// A grant ended while rows were on their way.
        CutOff = "cut_off",
        /// PostgreSQL said no, or the connection broke.
        Failed = "failed",
        /// Stopped by a defence in depth.
        Incident = "incident",
        Allowed = "allowed",
        Approved = "approved",
        Denied = "denied",
    }
}

named! {
    /// A statement that may pass raw data has two records.
    pub enum Phase {
        /// Durable before the statement is sent to PostgreSQL.
        Intent = "intent",
        /// What happened; also of everything that has no intent.
        Outcome = "outcome",
    }
}

/// SQLSTATE and primary message, as the client got them; the message free of row values.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RecordedError {
    pub sqlstate: String,
    pub message: String,
}

/// One event.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Record {
    /// Place in the trail: from 1, without gaps. The trail gives it; what a writer puts here is
    /// ignored.
    pub seq: u64,
    /// Wall clock, microseconds since 1970-01-01 UTC; of a statement, when it began.
    #[serde(with = "rfc3339")]
    pub at: i64,
    pub kind: Kind,
    pub phase: Phase,
    /// Sequence number of the intent that this is the outcome of.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub intent_of: Option<u64>,
    pub decision: Decision,
    /// The proxy's own number of the client's session.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub session: u64,
    #[serde(default, skip_serializing_if = "is_empty")]
    pub user: Arc<str>,
    #[serde(default, skip_serializing_if = "no_groups")]
    pub groups: Arc<[String]>,
    /// The client's, with port.
    #[serde(default, skip_serializing_if = "is_empty")]
    pub address: Arc<str>,
    /// `application_name`
    #[serde(default, skip_serializing_if = "is_empty")]
    pub application: Arc<str>,
    /// The name that clients ask for.
    #[serde(default, skip_serializing_if = "is_empty")]
    pub database: Arc<str>,
    #[serde(default, skip_serializing_if = "is_false")]
    pub tls: bool,
    /// Kind of statement: select, copy_to, …
    #[serde(default, skip_serializing_if = "str::is_empty")]
    pub class: Cow<'static, str>,
    /// Of the statement's template: equal for statements that differ in literals only.
    #[serde(default, with = "hexadecimal", skip_serializing_if = "is_zero")]
    pub fingerprint: u64,
    /// The statement with every literal replaced.
    #[serde(default, skip_serializing_if = "is_empty")]
    pub text: Arc<str>,
    /// Protected relations touched, `schema.relation`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub relations: Vec<String>,
    /// Protected columns that came out masked, `schema.relation.column`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub masked: Vec<String>,
    /// Protected columns that passed raw, for all rows or for some.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub raw: Vec<String>,
    /// Numbers of the grants used.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub grants: Vec<u64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub purpose: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ticket: Option<String>,
    #[serde(default, skip_serializing_if = "is_zero")]
    pub rows: u64,
    /// Of rows sent to the client, as frames.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub bytes: u64,
    #[serde(default, skip_serializing_if = "is_zero")]
    pub duration_us: u64,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error: Option<RecordedError>,
    /// What else a reader should know, in words.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub note: Option<String>,
}

/// The longest text kept of a statement, a note or an error, in bytes. What is longer is cut when
/// it is written, so that no statement can make a record that does not fit, and ends in "…".
pub const TEXT_BYTES: usize = 16 << 10;
/// The longest name kept, in bytes.
pub const NAME_BYTES: usize = 1 << 10;
/// The longest list kept, in bytes of its names.
pub const LIST_BYTES: usize = 128 << 10;

impl Record {
    /// An event with nothing yet told but its kind, its decision and its time; an outcome.
    pub fn new(kind: Kind, decision: Decision, at: i64) -> Record {
        Record {
            seq: 0,
            at,
            kind,
            phase: Phase::Outcome,
            intent_of: None,
            decision,
            session: 0,
            user: Arc::default(),
            groups: Arc::default(),
            address: Arc::default(),
            application: Arc::default(),
            database: Arc::default(),
            tls: false,
            class: Cow::Borrowed(""),
            fingerprint: 0,
            text: Arc::default(),
            relations: Vec::new(),
            masked: Vec::new(),
            raw: Vec::new(),
            grants: Vec::new(),
            purpose: None,
            ticket: None,
            rows: 0,
            bytes: 0,
            duration_us: 0,
            error: None,
            note: None,
        }
    }
}

/// Now, as [`Record::at`] counts.
pub fn now() -> i64 {
    Timestamp::now().as_microsecond()
}

/// RFC 3339 in UTC with microseconds; a time that a calendar cannot show becomes the nearest that
/// it can.
pub fn rfc3339(micros: i64) -> String {
    let time = Timestamp::from_microsecond(micros).unwrap_or(if micros < 0 {
        Timestamp::MIN
    } else {
        Timestamp::MAX
    });
    format!("{time:.6}")
}

fn is_zero(number: &u64) -> bool {
    *number == 0
}

fn is_false(flag: &bool) -> bool {
    !*flag
}

fn is_empty(text: &Arc<str>) -> bool {
    text.is_empty()
}

fn no_groups(groups: &Arc<[String]>) -> bool {
    groups.is_empty()
}

/// Times in JSON.
pub(crate) mod rfc3339 {
    use jiff::Timestamp;
    use serde::{Deserialize, Deserializer, Serializer, de::Error};

    pub fn serialize<S: Serializer>(micros: &i64, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&super::rfc3339(*micros))
    }

    pub fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<i64, D::Error> {
        let text = std::borrow::Cow::<'de, str>::deserialize(deserializer)?;
        let time: Timestamp = text.parse().map_err(D::Error::custom)?;
        Ok(time.as_microsecond())
    }
}

/// Times in JSON that may be missing.
pub(crate) mod rfc3339_option {
    use serde::{Deserialize, Deserializer, Serialize, Serializer};

    #[derive(Serialize, Deserialize)]
    struct Time(#[serde(with = "super::rfc3339")] i64);

    pub fn serialize<S: Serializer>(micros: &Option<i64>, serializer: S) -> Result<S::Ok, S::Error> {
        micros.map(Time).serialize(serializer)
    }

    pub fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<i64>, D::Error> {
        Ok(Option::<Time>::deserialize(deserializer)?.map(|time| time.0))
    }
}

mod hexadecimal {
    use serde::{Deserialize, Deserializer, Serializer, de::Error};

    pub fn serialize<S: Serializer>(number: &u64, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(&format_args!("{number:016x}"))
    }

    pub fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<u64, D::Error> {
        let text = std::borrow::Cow::<'de, str>::deserialize(deserializer)?;
        u64::from_str_radix(&text, 16).map_err(D::Error::custom)
    }
}
