//! Who may sign in, and how: the users of the configuration, and those that a provider knows.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::SystemTime;

use pgwarrant_grants::{Principal, SignIn};
use pgwarrant_wire::auth::{self, Ask, Choice, Credential, External, Method, Mock, Proof, Verifier, Wanted};
use pgwarrant_wire::error::Report;

use crate::error::Error;
use crate::provider::{Known, Provider};
use crate::settings::{self, Settings};

/// A clone is the same: providers' keys and tokens that were used are known to all.
#[derive(Clone, Debug)]
pub struct SignInService(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    users: HashMap<String, User>,
    /// Of users that are not among these; None: there are no others.
    default: Option<Arc<Provider>>,
    providers: Vec<Arc<Provider>>,
    /// For users that do not exist.
    mock: Mock,
}

#[derive(Debug)]
struct User {
    verifier: Option<Verifier>,
    certificate: Option<String>,
    person: String,
    groups: Vec<String>,
    provider: Option<Arc<Provider>>,
}

/// Somebody who has shown who they are.
#[derive(Clone, Debug)]
pub struct Admitted {
    /// With the groups of the configuration and, where one was asked, those of the provider.
    pub principal: Arc<Principal>,
    pub sign_in: SignIn,
    /// Who verified it, where that was not us.
    pub provider: Option<Arc<str>>,
    /// What was shown is good until then: sessions end with it. None: no end is known.
    pub until: Option<SystemTime>,
}

/// A user as far as we know one of that name.
struct Account<'s> {
    user: Option<&'s User>,
    provider: Option<&'s Arc<Provider>>,
}

impl SignInService {
    /// Connects nowhere.
    ///
    /// # Errors
    /// A verifier, or a provider's settings, cannot mean anything.
    pub fn new(settings: &Settings) -> Result<Self, Error> {
        let providers =
            settings.providers.iter().map(|provider| Ok((provider, Arc::new(Provider::new(provider)?))));
        let providers: Vec<(&settings::Provider, Arc<Provider>)> = providers.collect::<Result<_, Error>>()?;
        let provider = |name: &Option<String>| {
            let Some(name) = name else { return Ok(None) };
            let found = providers.iter().find(|(settings, _)| settings.name == *name);
            let problem = "there is no such provider".to_owned();
            let missing = || Error::Provider { provider: name.clone(), problem };
            found.map(|(_, provider)| Some(Arc::clone(provider))).ok_or_else(missing)
        };
        let mut users = HashMap::new();
        for user in &settings.users {
            let verifier = user.scram.as_deref().map(str::parse::<Verifier>).transpose();
            let known = User {
                verifier: verifier
                    .map_err(|error| Error::User { user: user.name.clone(), problem: error.to_string() })?,
                certificate: user.certificate.clone(),
                person: user.person.clone(),
                groups: user.groups.clone(),
                provider: provider(&user.provider)?,
            };
            users.insert(user.name.clone(), known);
        }
        let default = provider(&settings.default_provider)?;
        let mock = mock(settings, &users);
        let providers = providers.into_iter().map(|(_, provider)| provider).collect();
        Ok(Self(Arc::new(Inner { users, default, providers, mock })))
    }

    /// Asks every provider for what the first sign-in takes. What fails is logged, and tried again
    /// when it is needed.
    pub(crate) async fn warm(&self) {
        for provider in &self.0.providers {
            // Logged where it happened.
            let _ = provider.warm().await;
        }
    }

    /// Is this the user's password or token? For what does not come over PostgreSQL's protocol; who
    /// asks sees to it that nobody else reads it, and records what is refused. Of a user with both, a
    /// password is compared with the verifier first, then shown to the provider.
    ///
    /// Must be called within a tokio runtime.
    ///
    /// # Errors
    /// What the client is to be told: 28P01 and 28000 where it is not, 57P03 where nobody knows.
    pub async fn verify(&self, user: &str, credential: Credential<'_>) -> Result<Admitted, Report> {
        let account = self.account(user);
        if let Credential::Password(password) = credential
            && !password.is_empty()
            && (account.provider.is_none() || account.verifier().is_some())
            && self.is_password(user, password).await
        {
            return Ok(self.admitted(user, Proof::Here(Method::Scram)));
        }
        match account.provider {
            Some(provider) if credential != Credential::Password("") => {
                let known = provider.verify(user, credential).await?;
                Ok(self.admitted(user, Proof::Password(known)))
            }
            _ => Err(Report::fatal("28P01", format!("password authentication failed for user \"{user}\""))
                .hint("Check the user name and the password.")),
        }
    }

    /// The same for a token that comes alone, of the user that it names (RFC 6750). Only who signs in
    /// by the provider that issued it is let in.
    ///
    /// # Errors
    /// As [`SignInService::verify`].
    pub async fn verify_token(&self, token: &str) -> Result<Admitted, Report> {
        let mut refused = Report::fatal("28000", "the token is of no issuer that is known here")
            .hint("Get a token from the identity provider that pgwarrant is configured for.");
        for provider in &self.0.providers {
            match provider.verify_bearer(token).await {
                None => {}
                Some(Err(report)) => refused = report,
                Some(Ok(known)) => {
                    let name = known.user.user.clone();
                    if self.account(&name).provider.is_some_and(|theirs| Arc::ptr_eq(theirs, provider)) {
                        return Ok(self.admitted(&name, Proof::Token(known)));
                    }
                    refused = no_such_way(&name, "by a token of this issuer");
                }
            }
        }
        Err(refused)
    }

    /// A user of the configuration, without what a provider would add.
    pub fn user(&self, name: &str) -> Option<Arc<Principal>> {
        let user = self.0.users.get(name)?;
        Some(Arc::new(Principal::new(name, user.groups.clone()).of_person(user.person.clone())))
    }

    async fn is_password(&self, user: &str, password: &str) -> bool {
        let (inner, user, password) = (Arc::clone(&self.0), user.to_owned(), password.to_owned());
        let compared = tokio::task::spawn_blocking(move || {
            let verifier = inner.users.get(&user).and_then(|known| known.verifier.as_ref());
            auth::is_password(&password, &user, verifier, &inner.mock)
        });
        compared.await.unwrap_or(false)
    }

    /// What lets this user in, by the client's choice of those that there are.
    ///
    /// # Errors
    /// 28000: there is no such way for this user. Which ways there are is no secret, as with the
    /// lines of a `pg_hba.conf`; whether a user has a verifier is.
    pub(crate) fn wanted(&self, name: &str, choice: Option<Choice>) -> Result<Wanted<'_, Provider>, Report> {
        let account = self.account(name);
        let ask = match (choice, account.provider) {
            (None | Some(Choice::Scram), None) | (Some(Choice::Scram), Some(_)) => {
                Ask::Scram(account.verifier())
            }
            (Some(Choice::Password), Some(provider)) => Ask::Password(provider.as_ref()),
            (None, Some(provider)) => provider.bearer().map_or(Ask::Password(provider.as_ref()), Ask::Token),
            (Some(Choice::Oauth), Some(provider)) => {
                Ask::Token(provider.bearer().ok_or_else(|| no_such_way(name, "by token"))?)
            }
            (Some(Choice::Oauth), None) => return Err(no_such_way(name, "by token")),
            (Some(Choice::Password), None) => return Err(no_such_way(name, "by password in the clear")),
        };
        Ok(Wanted { certificate: account.user.and_then(|user| user.certificate.as_deref()), ask })
    }

    pub(crate) fn mock(&self) -> &Mock {
        &self.0.mock
    }

    /// Who somebody is who has shown to be the user `name`.
    pub(crate) fn admitted(&self, name: &str, proof: Proof<Known>) -> Admitted {
        let configured = self.0.users.get(name);
        let mut groups = configured.map(|user| user.groups.clone()).unwrap_or_default();
        let mut person = configured.map(|user| user.person.clone()).unwrap_or_default();
        let (sign_in, provider, until) = match proof {
            Proof::Here(Method::Scram | Method::ScramPlus) => (SignIn::Scram, None, None),
            Proof::Here(Method::Certificate) => (SignIn::Certificate, None, None),
            Proof::Password(known) | Proof::Token(known) => {
                groups.extend(known.user.groups.into_iter().filter(|group| !among(configured, group)));
                if person.is_empty() {
                    person = known.user.person;
                }
                (known.sign_in, Some(known.provider), known.until)
            }
        };
        Admitted {
            principal: Arc::new(Principal::new(name, groups).of_person(person)),
            sign_in,
            provider,
            until,
        }
    }

    fn account(&self, name: &str) -> Account<'_> {
        match self.0.users.get(name) {
            Some(user) => Account { user: Some(user), provider: user.provider.as_ref() },
            None => Account { user: None, provider: self.0.default.as_ref() },
        }
    }
}

impl<'s> Account<'s> {
    fn verifier(&self) -> Option<&'s Verifier> {
        self.user.and_then(|user| user.verifier.as_ref())
    }
}

fn among(user: Option<&User>, group: &String) -> bool {
    user.is_some_and(|user| user.groups.contains(group))
}

/// Stable over restarts, so that a user that does not exist always gets the same salt.
fn mock(settings: &Settings, users: &HashMap<String, User>) -> Mock {
    let secret = ring::digest::digest(
        &ring::digest::SHA256,
        format!("scram {}", settings.mask_key.expose()).as_bytes(),
    );
    let secret: [u8; 32] = secret.as_ref().try_into().unwrap_or_default();
    let iterations =
        users.values().filter_map(|user| user.verifier.as_ref()).map(Verifier::iterations).next();
    Mock::new(&secret, iterations.unwrap_or(auth::DEFAULT_ITERATIONS))
}

fn no_such_way(user: &str, way: &str) -> Report {
    Report::fatal("28000", format!("user \"{user}\" does not sign in {way}"))
        .hint("Sign in by another way; pgwarrant.sign_in in the options chooses, and may be left out.")
}
