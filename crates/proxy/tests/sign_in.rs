//! Signing in outside of PostgreSQL's protocol: the same users, the same ways, the same refusals.

use std::time::{SystemTime, UNIX_EPOCH};

use pgwarrant_grants::SignIn;
use pgwarrant_identity::oidc;
use pgwarrant_proxy::settings::{Limits, Provider, ProviderKind, Secret, Settings, User};
use pgwarrant_proxy::{Admitted, SignInService};
use pgwarrant_tests::providers::issuer::Issuer;
use pgwarrant_tests::providers::keys::SigningKey;
use pgwarrant_wire::accept::Plaintext;
use pgwarrant_wire::auth::{Credential, make_verifier};
use pgwarrant_wire::error::Report;
use serde_json::json;

struct House {
    service: SignInService,
    issuer: Issuer,
    key: SigningKey,
}

fn user(name: &str, scram: bool, provider: Option<&str>) -> User {
    User {
        name: name.to_owned(),
        scram: scram.then(|| make_verifier("wonderland", 4096).expect("a verifier")),
        certificate: None,
        groups: vec!["audit".to_owned()],
        person: if scram { format!("person of {name}") } else { String::new() },
        provider: provider.map(str::to_owned),
    }
}

impl House {
    /// With ada by password, eve by password or token, ned by token; `default`: and anybody by token.
    async fn new(default: bool) -> Self {
        let key = SigningKey::p256();
        let issuer = Issuer::start(&[key.jwk("k")]).await;
        let mut corp = oidc::Settings::new(&issuer.url, "pgwarrant");
        corp.groups = [("staff".to_owned(), "engineers".to_owned())].into();
        let kind = ProviderKind::Oidc { issuer: Box::new(corp), scope: "openid".to_owned() };
        let settings = Settings {
            listen: Vec::new(),
            tls: None,
            plaintext: Plaintext::Loopback,
            threads: 1,
            databases: Vec::new(),
            users: vec![
                user("ada", true, None),
                user("eve", true, Some("corp")),
                user("ned", false, Some("corp")),
            ],
            providers: vec![Provider { name: "corp".to_owned(), kind }],
            default_provider: default.then(|| "corp".to_owned()),
            groups: Vec::new(),
            labels: Vec::new(),
            trusted_functions: Vec::new(),
            trusted_channels: Vec::new(),
            mask_key: Secret::new("of this test"),
            notices: false,
            limits: Limits::default(),
        };
        Self { service: SignInService::new(&settings).expect("ways to sign in"), issuer, key }
    }

    fn token(&self, user: &str) -> String {
        let now = SystemTime::now().duration_since(UNIX_EPOCH).expect("a clock that is set").as_secs();
        let claims = json!({
            "iss": self.issuer.url, "aud": "pgwarrant", "sub": user, "preferred_username": user,
            "exp": now + 300, "groups": ["staff"],
        });
        self.key.sign(r#"{"alg":"ES256","kid":"k"}"#, &claims.to_string())
    }

    /// Sign-in, person and groups, or SQLSTATE.
    async fn said(&self, user: &str, credential: Credential<'_>) -> String {
        short(self.service.verify(user, credential).await)
    }
}

fn short(outcome: Result<Admitted, Report>) -> String {
    match outcome {
        Ok(admitted) => {
            let who = &admitted.principal;
            assert_eq!(admitted.until.is_some(), admitted.sign_in == SignIn::Oidc);
            format!("{} {} {}", admitted.sign_in.text(), who.person(), who.groups.join(","))
        }
        Err(report) => report.sqlstate.into_owned(),
    }
}

#[tokio::test]
async fn passwords_and_tokens_are_verified_as_on_the_wire() {
    for default in [false, true] {
        let house = House::new(default).await;
        let with_token = |user: &str| format!("oidc {}#{user}", house.issuer.url);
        let stranger = if default { format!("{} engineers", with_token("zoe")) } else { "28P01".to_owned() };
        let wrong = if default { "28000" } else { "28P01" };
        let (ada, eve, ned, zoe) =
            (house.token("ada"), house.token("eve"), house.token("ned"), house.token("zoe"));
        for (user, credential, expected) in [
            ("ada", Credential::Password("wonderland"), "scram person of ada audit".to_owned()),
            ("ada", Credential::Password("Wonderland"), "28P01".to_owned()),
            ("ada", Credential::Password(""), "28P01".to_owned()),
            ("ada", Credential::Password(&ada), "28P01".to_owned()),
            ("ada", Credential::Token(&ada), "28P01".to_owned()),
            ("eve", Credential::Password("wonderland"), "scram person of eve audit".to_owned()),
            ("eve", Credential::Password(&eve), "oidc person of eve audit,engineers".to_owned()),
            ("eve", Credential::Token(&eve), "oidc person of eve audit,engineers".to_owned()),
            ("eve", Credential::Token(&ned), "28000".to_owned()),
            ("ned", Credential::Password("wonderland"), "28000".to_owned()),
            ("ned", Credential::Token(&ned), format!("{} audit,engineers", with_token("ned"))),
            ("zoe", Credential::Token(&zoe), stranger.clone()),
            ("zoe", Credential::Password(&zoe), stranger.clone()),
            ("zoe", Credential::Password("wonderland"), wrong.to_owned()),
            ("zoe", Credential::Password(""), "28P01".to_owned()),
        ] {
            assert_eq!(house.said(user, credential).await, expected, "{user}, default {default}");
        }
    }
}

#[tokio::test]
async fn a_token_that_comes_alone_is_of_a_user_of_its_issuer() {
    for default in [false, true] {
        let house = House::new(default).await;
        let person = |user: &str| format!("{}#{user}", house.issuer.url);
        let stranger = if default { format!("oidc {} engineers", person("zoe")) } else { "28000".to_owned() };
        for (token, expected) in [
            (house.token("ned"), format!("oidc {} audit,engineers", person("ned"))),
            (house.token("eve"), "oidc person of eve audit,engineers".to_owned()),
            (house.token("zoe"), stranger),
            // In the configuration, and not by this issuer.
            (house.token("ada"), "28000".to_owned()),
            (house.token("ned").replace('.', "._"), "28000".to_owned()),
            ("x.y.z".to_owned(), "28000".to_owned()),
            (String::new(), "28000".to_owned()),
        ] {
            assert_eq!(short(house.service.verify_token(&token).await), expected, "{token}");
        }
        let forged = SigningKey::p256().sign(
            r#"{"alg":"ES256","kid":"k"}"#,
            &json!({"iss": house.issuer.url, "aud": "pgwarrant"}).to_string(),
        );
        assert_eq!(short(house.service.verify_token(&forged).await), "28000");
    }
}
