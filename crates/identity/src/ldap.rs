//! Sign-in with a password that an LDAP directory knows (RFC 4511 to 4519).
//!
//! The directory counts wrong passwords and locks accounts; that is not done again here.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use ldap3::{SearchEntry, parse_filter};
use tokio::sync::Semaphore;
use tokio::task::JoinSet;
use tokio::time::timeout;

use crate::{GroupNames, TrustError, Verified, groups, name};

mod session;
mod template;

use session::{Connector, Problem, Server, Session};
use template::Template;

/// Bytes of a password; a directory's hash of more than this takes too long.
const MAX_PASSWORD: usize = 4096;
/// Groups of one user. With more, some would be missing, and a group can also take away.
const MAX_GROUPS: usize = 1000;
/// Sign-ins that are under way at the directory at once; others wait.
const AT_ONCE: usize = 64;

/// A directory, and what its entries mean here.
#[derive(Clone, Debug)]
pub struct Settings {
    /// `ldap://host:port` or `ldaps://host:port`, tried in this order. Not empty.
    pub urls: Vec<String>,
    /// Encrypts connections to `ldap://` servers. Without it these must be on loopback.
    pub starttls: bool,
    /// Authorities for its certificate, in PEM; `None`: the system's.
    pub ca: Option<PathBuf>,
    pub find: Find,
    /// The attribute that holds the user's name, in exactly one value: `uid`. The directory ignores
    /// case and spaces, we do not: a name that it would take for this one is not this one.
    pub user_attribute: String,
    /// The attribute that is the same for all entries of a person, and for no one else, in exactly
    /// one value: `entryUUID`, `employeeNumber`, `objectGUID`.
    pub person_attribute: String,
    /// Whose numbering of people that is. Providers with the same realm mean the same person by the
    /// same value.
    pub realm: String,
    /// `None`: there are no groups.
    pub groups: Option<GroupSearch>,
    /// For a whole sign-in.
    pub timeout: Duration,
}

/// How a user's entry is found.
#[derive(Clone, Debug)]
pub enum Find {
    /// By its distinguished name: `uid={user},ou=people,dc=shop,dc=example`.
    Template(String),
    /// By a search below `base`, such as for `(&(objectClass=person)(uid={user}))`, that must find
    /// one entry.
    Search { account: Option<Account>, base: String, filter: String },
}

/// Who may search.
#[derive(Clone)]
pub struct Account {
    pub dn: String,
    pub password: String,
}

impl std::fmt::Debug for Account {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("Account").field("dn", &self.dn).finish_non_exhaustive()
    }
}

/// How a user's groups are found: by whoever searched for the user, or by the user where there was
/// no search.
#[derive(Clone, Debug)]
pub struct GroupSearch {
    pub base: String,
    /// With `{dn}` for the user's entry, or `{user}`: `(&(objectClass=groupOfNames)(member={dn}))`.
    pub filter: String,
    /// The attribute that holds a group's name: `cn`.
    pub attribute: String,
    pub names: GroupNames,
}

impl Settings {
    /// With what suits most directories: `uid`, `entryUUID`.
    pub fn new(url: impl Into<String>, find: Find) -> Self {
        Self {
            urls: vec![url.into()],
            starttls: false,
            ca: None,
            find,
            user_attribute: "uid".to_owned(),
            person_attribute: "entryUUID".to_owned(),
            realm: "ldap".to_owned(),
            groups: None,
            timeout: Duration::from_secs(10),
        }
    }
}

/// What is wrong with [`Settings`].
#[derive(Debug, thiserror::Error)]
pub enum SettingsError {
    #[error("urls: \"{0}\" is not of the form ldap://host:port or ldaps://host:port")]
    Url(String),
    #[error(
        "urls: \"{0}\" would be sent passwords as they are: use ldaps:// or starttls (ldap:// alone is for this machine only, with a loopback address)"
    )]
    Plain(String),
    #[error("{0}: must be given")]
    Empty(&'static str),
    #[error("{place}: must contain {wanted}")]
    NoPlace { place: &'static str, wanted: &'static str },
    #[error("{0}: not a filter of the form (attribute=value), see RFC 4515")]
    Filter(&'static str),
    #[error("ca: {0}")]
    Trust(#[from] TrustError),
}

/// Why nobody is let in. Nothing of the password is in it.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refused {
    /// There is no such user, or it has another password, or may not sign in: which, the client
    /// is not told.
    #[error("the directory does not accept this user and password")]
    Password,
    /// The password was right.
    #[error("the directory writes this user's name in another way")]
    Spelling,
    /// The password was right.
    #[error("the entry of this user has no attribute \"{0}\" with exactly one value")]
    Attribute(String),
    /// The password was right.
    #[error("this user is in more than {MAX_GROUPS} groups")]
    TooManyGroups,
    /// Why is for the log.
    #[error("the directory cannot be reached")]
    Unavailable(Arc<str>),
}

impl Refused {
    /// 28P01 `invalid_password`; 28000 `invalid_authorization_specification`; 57P03
    /// `cannot_connect_now` where it may help to try again.
    pub fn sqlstate(&self) -> &'static str {
        match self {
            Self::Password => "28P01",
            Self::Spelling | Self::Attribute(_) | Self::TooManyGroups => "28000",
            Self::Unavailable(_) => "57P03",
        }
    }

    /// What to do.
    pub fn hint(&self) -> &'static str {
        match self {
            Self::Password => "Check the user name and the password.",
            Self::Spelling => "Write the user name exactly as the directory does.",
            Self::Attribute(_) | Self::TooManyGroups => "Tell whoever runs the directory.",
            Self::Unavailable(_) => "Try again later, or tell whoever runs the proxy.",
        }
    }
}

impl From<Problem> for Refused {
    fn from(problem: Problem) -> Self {
        Self::Unavailable(problem.to_string().into())
    }
}

/// A directory whose passwords are accepted. A clone is the same directory.
#[derive(Clone)]
pub struct Directory(Arc<Inner>);

impl std::fmt::Debug for Directory {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_list().entries(&self.0.connector.servers).finish()
    }
}

struct Inner {
    connector: Connector,
    finder: Finder,
    user_attribute: String,
    person_attribute: String,
    realm: String,
    groups: Option<(GroupSearch, Template)>,
    timeout: Duration,
    places: Semaphore,
}

enum Finder {
    Template(Template),
    Search { account: Option<Account>, base: String, filter: Template },
}

impl Directory {
    /// Connects nowhere.
    ///
    /// # Errors
    /// The settings cannot mean anything safe.
    pub fn new(settings: Settings) -> Result<Self, SettingsError> {
        let servers = servers(&settings)?;
        for (place, text) in [
            ("user_attribute", &settings.user_attribute),
            ("person_attribute", &settings.person_attribute),
            ("realm", &settings.realm),
        ] {
            if text.is_empty() {
                return Err(SettingsError::Empty(place));
            }
        }
        let share = u32::try_from(servers.len()).unwrap_or(u32::MAX);
        let connector = Connector {
            servers,
            starttls: settings.starttls,
            tls: pgwarrant_http::tls(settings.ca.as_deref())?,
            timeout: settings.timeout / share,
        };
        let groups = match settings.groups {
            None => None,
            Some(search) => {
                let filter = filter("group_filter", &search.filter)?;
                if !filter.has_dn() && !filter.has_user() {
                    return Err(SettingsError::NoPlace { place: "group_filter", wanted: "{dn} or {user}" });
                }
                Some((search, filter))
            }
        };
        Ok(Self(Arc::new(Inner {
            connector,
            finder: finder(settings.find)?,
            user_attribute: settings.user_attribute,
            person_attribute: settings.person_attribute,
            realm: settings.realm,
            groups,
            timeout: settings.timeout,
            places: Semaphore::new(AT_ONCE),
        })))
    }

    /// Is this the password of `user`? Must be called within a tokio runtime.
    ///
    /// # Errors
    /// The directory does not say yes, or what it says of the user is not enough.
    pub async fn verify(&self, user: &str, password: &str) -> Result<Verified, Refused> {
        if password.len() > MAX_PASSWORD || !name::is_plain(user) {
            return Err(Refused::Password);
        }
        let (inner, user, password) = (Arc::clone(&self.0), user.to_owned(), password.to_owned());
        self.guarded(async move { inner.verify(&user, &password).await }).await
    }

    /// Connects, and signs in the account that searches where there is one: to see whether the
    /// settings are right.
    ///
    /// # Errors
    /// The directory does not answer usefully: why, for a person.
    pub async fn warm(&self) -> Result<(), Arc<str>> {
        let inner = Arc::clone(&self.0);
        self.guarded(async move { inner.reach().await }).await.map_err(|refused| match refused {
            Refused::Unavailable(why) => why,
            other => other.to_string().into(),
        })
    }

    /// In a task of its own: ldap3 panics on answers that are not LDAP. It ends with the set.
    async fn guarded<T: Send + 'static>(
        &self,
        work: impl Future<Output = Result<T, Refused>> + Send + 'static,
    ) -> Result<T, Refused> {
        let limit = self.0.timeout;
        let mut task = JoinSet::new();
        task.spawn(timeout(limit, work));
        let outcome = match task.join_next().await {
            Some(Ok(Ok(outcome))) => outcome,
            Some(Ok(Err(_))) => Err(Refused::Unavailable("no answer in time".into())),
            Some(Err(_)) | None => Err(Refused::Unavailable("it does not speak LDAP".into())),
        };
        if let Err(Refused::Unavailable(problem)) = &outcome {
            tracing::warn!(%problem, "a directory could not be asked");
        }
        outcome
    }
}

fn servers(settings: &Settings) -> Result<Vec<Server>, SettingsError> {
    if settings.urls.is_empty() {
        return Err(SettingsError::Empty("urls"));
    }
    let server = |url: &String| {
        let server = Server::parse(url).ok_or_else(|| SettingsError::Url(url.clone()))?;
        if !server.is_tls && !settings.starttls && !server.is_loopback {
            return Err(SettingsError::Plain(url.clone()));
        }
        Ok(server)
    };
    settings.urls.iter().map(server).collect()
}

fn finder(find: Find) -> Result<Finder, SettingsError> {
    let wanted = "{user}";
    match find {
        Find::Template(text) => {
            let template = Template::parse(&text);
            if !template.has_user() || template.has_dn() {
                return Err(SettingsError::NoPlace { place: "bind", wanted });
            }
            Ok(Finder::Template(template))
        }
        Find::Search { account, base, filter: text } => {
            let template = filter("filter", &text)?;
            if !template.has_user() || template.has_dn() {
                return Err(SettingsError::NoPlace { place: "filter", wanted });
            }
            if account.as_ref().is_some_and(|account| account.dn.is_empty() || account.password.is_empty()) {
                return Err(SettingsError::Empty("account"));
            }
            Ok(Finder::Search { account, base, filter: template })
        }
    }
}

fn filter(place: &'static str, text: &str) -> Result<Template, SettingsError> {
    let template = Template::parse(text);
    match parse_filter(template.filter("x", "x")) {
        Ok(_) => Ok(template),
        Err(()) => Err(SettingsError::Filter(place)),
    }
}

impl Inner {
    async fn reach(&self) -> Result<(), Refused> {
        let account = match &self.finder {
            Finder::Template(_) => None,
            Finder::Search { account, .. } => account.as_ref(),
        };
        self.searching(account).await.map(drop)
    }

    /// A connection that may search.
    async fn searching(&self, account: Option<&Account>) -> Result<Session, Refused> {
        let mut session = self.connector.connect().await?;
        if let Some(account) = account
            && !session.bind(&account.dn, &account.password).await?
        {
            return Err(Refused::Unavailable("it does not accept the searching account".into()));
        }
        Ok(session)
    }

    async fn verify(&self, user: &str, password: &str) -> Result<Verified, Refused> {
        let closed = |_| Refused::Unavailable("it is being left".into());
        let _place = self.places.acquire().await.map_err(closed)?;
        let attributes = [self.user_attribute.as_str(), self.person_attribute.as_str()];
        let (entry, mut session) = match &self.finder {
            Finder::Template(template) => {
                let dn = template.dn(user);
                let mut session = self.connector.connect().await?;
                if !session.bind(&dn, password).await? {
                    return Err(Refused::Password);
                }
                let entry = session.entry(&dn, &attributes).await?;
                (entry.ok_or_else(|| Refused::Attribute(self.user_attribute.clone()))?, session)
            }
            Finder::Search { account, base, filter } => {
                let mut session = self.searching(account.as_ref()).await?;
                let found = session.below(base, &filter.filter(user, ""), &attributes, 1).await;
                let entry = match found {
                    Ok(found) => found.into_iter().next(),
                    Err(Problem::TooMany) => None,
                    Err(problem) => return Err(problem.into()),
                };
                // Somebody who is not there is asked for a password too, so that it takes as long.
                let dn = entry.as_ref().map_or_else(|| format!("cn=nobody,{base}"), |entry| entry.dn.clone());
                let accepted = self.connector.connect().await?.bind(&dn, password).await?;
                (entry.filter(|_| accepted).ok_or(Refused::Password)?, session)
            }
        };
        if one(&entry, &self.user_attribute)? != user {
            return Err(Refused::Spelling);
        }
        let person = one(&entry, &self.person_attribute)?;
        Ok(Verified {
            user: user.to_owned(),
            person: format!("{}#{person}", self.realm),
            groups: self.groups(&mut session, user, &entry.dn).await?,
            until: None,
        })
    }

    async fn groups(&self, session: &mut Session, user: &str, dn: &str) -> Result<Vec<String>, Refused> {
        let Some((search, filter)) = &self.groups else { return Ok(Vec::new()) };
        let attribute = search.attribute.as_str();
        let found = session.below(&search.base, &filter.filter(user, dn), &[attribute], MAX_GROUPS).await;
        let found = match found {
            Ok(found) => found,
            Err(Problem::TooMany) => return Err(Refused::TooManyGroups),
            Err(problem) => return Err(problem.into()),
        };
        let theirs = found.iter().flat_map(|entry| values(entry, attribute)).map(String::as_str);
        Ok(groups(theirs, &search.names))
    }
}

/// A directory may spell an attribute's name as it likes.
fn values<'e>(entry: &'e SearchEntry, attribute: &str) -> &'e [String] {
    let mut attributes = entry.attrs.iter();
    let found = attributes.find(|(name, _)| name.eq_ignore_ascii_case(attribute));
    found.map(|(_, values)| values.as_slice()).unwrap_or_default()
}

/// The only value; of one that is no text, its bytes in hexadecimal digits.
fn one(entry: &SearchEntry, attribute: &str) -> Result<String, Refused> {
    let missing = || Refused::Attribute(attribute.to_owned());
    let mut binary = entry.bin_attrs.iter();
    if let Some((_, values)) = binary.find(|(name, _)| name.eq_ignore_ascii_case(attribute)) {
        let [value] = values.as_slice() else { return Err(missing()) };
        return Ok(value.iter().map(|byte| format!("{byte:02x}")).collect());
    }
    match values(entry, attribute) {
        [value] if !value.is_empty() && !value.contains(char::is_control) => Ok(value.clone()),
        _ => Err(missing()),
    }
}
