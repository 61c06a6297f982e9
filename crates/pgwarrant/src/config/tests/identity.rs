//! `[identity]`: what is said well, and each thing that can be wrong with it.

use std::time::Duration;

use pgwarrant_identity::ldap::Find;
use pgwarrant_proxy::settings::ProviderKind;

use super::{GOOD, check, read};

const OIDC: &str = "[identity]\n[[identity.oidc]]\nname = \"corp\"\nissuer = \"http://127.0.0.1:1/r\"\naudiences = \"pgwarrant\"\n";
const LDAP: &str = "[identity]\n[[identity.ldap]]\nname = \"ds\"\nurls = \"ldap://127.0.0.1\"\n";

fn after(section: &str, more: &str) -> String {
    format!("{section}{more}")
}

#[test]
fn an_issuer_and_a_directory_have_the_defaults_of_most() {
    let text = format!(
        "{GOOD}{OIDC}groups = {{ staff = \"engineering\" }}\n[[identity.ldap]]\nname = \"ds\"\nurls = [\"ldaps://a.example\", \"ldaps://b.example\"]\n\
         bind = \"uid={{user}},dc=x\"\ngroup_base = \"dc=x\"\ngroups.dpo = \"privacy\"\n\
         [[user]]\nname = \"zoe\"\nprovider = \"corp\"\n"
    );
    let text = text.replace("[identity]\n", "[identity]\ndefault = \"corp\"\n");
    let config = read(&text).unwrap_or_else(|problems| panic!("{problems}"));
    assert_eq!(config.identity.default.as_deref(), Some("corp"));
    assert_eq!(config.users[1].provider.as_deref(), Some("corp"));
    let [corp, ds] = config.identity.providers.as_slice() else { panic!("{:?}", config.identity) };
    let ProviderKind::Oidc { issuer, scope } = &corp.provider.kind else { panic!("{corp:?}") };
    assert_eq!((issuer.audiences.as_slice(), scope.as_str()), (&["pgwarrant".to_owned()][..], "openid"));
    assert_eq!(issuer.groups.get("staff").map(String::as_str), Some("engineering"));
    assert_eq!((issuer.longest, issuer.clock_skew), (Duration::from_secs(86_400), Duration::from_secs(60)));
    assert!(corp.provider.numbers("http://127.0.0.1:1/r#7") && !corp.provider.numbers("ada"));
    let ProviderKind::Ldap { directory, max_lifetime } = &ds.provider.kind else { panic!("{ds:?}") };
    assert!(matches!(&directory.find, Find::Template(bind) if bind == "uid={user},dc=x"));
    assert_eq!((directory.urls.len(), directory.realm.as_str()), (2, "ds"));
    assert_eq!(*max_lifetime, Duration::from_secs(86_400));
    let groups = directory.groups.as_ref().expect("groups");
    assert_eq!((groups.attribute.as_str(), groups.names.len()), ("cn", 1));
}

#[test]
fn a_provider_that_cannot_mean_anything_is_told_with_its_line() {
    check(&[
        (
            "",
            "[identity]\ndefault = \"crop\"\n[[identity.oidc]]\nname = \"corp\"\nissuer = \"http://127.0.0.1:1\"\naudiences = \"x\"\n",
            "f:24: there is no provider \"crop\"\nHINT:  Did you mean \"corp\"?",
        ),
        (
            "",
            &after(OIDC, "groups = { staff = \"enginering\" }\n"),
            "f:28: there is no group \"enginering\"\nHINT:  Did you mean \"engineering\"?",
        ),
        (
            "",
            &after(OIDC, "algorithms = [\"RS256\", \"HS256\"]\n"),
            "f:28: algorithms cannot hold \"HS256\"\nHINT:  It can hold RS256, RS384, RS512, PS256, PS384, PS512, ES256, ES384, EdDSA.",
        ),
        (
            "",
            &after(OIDC, "audience = \"y\"\n"),
            "f:28: unknown key \"audience\" in [[identity.oidc]]\nHINT:  Did you mean \"audiences\"?",
        ),
        ("", &after(OIDC, "clock_skew = \"10 min\"\n"), "f:28: clock_skew must be 0 s to 5 min"),
        (
            "",
            &after(OIDC, "keys_grace = \"1 min\"\n"),
            "f:28: keys_grace: must not be less than keys_refresh",
        ),
        (
            "",
            &OIDC.replace("http://127.0.0.1:1/r", "http://login.example"),
            "f:26: issuer: \"http://login.example\" must begin with https:// (http:// is for this machine only, with a loopback address)",
        ),
        (
            "",
            &OIDC.replace("name = \"corp\"", "name = \"scram\""),
            "f:25: provider \"scram\" is there twice\nHINT:  The other is on line 23.",
        ),
        (
            "",
            "[identity]\n[[identity.oidc]]\nname = \"corp\"\n",
            "f:24: [[identity.oidc]] has no issuer\nf:24: [[identity.oidc]] has no audiences",
        ),
        (
            "",
            LDAP,
            "f:24: [[identity.ldap]] must say how an entry is found, in one way\nHINT:  Write bind = \"uid={user},ou=people,dc=…\", or base and filter = \"(uid={user})\" for a search.",
        ),
        ("", &after(LDAP, "bind = \"uid=ada,dc=x\"\n"), "f:27: bind: must contain {user}"),
        (
            "",
            &after(LDAP, "base = \"dc=x\"\nfilter = \"(uid={user}\"\n"),
            "f:28: filter: not a filter of the form (attribute=value), see RFC 4515",
        ),
        (
            "",
            &after(&LDAP.replace("127.0.0.1", "ds.example"), "bind = \"uid={user},dc=x\"\n"),
            "f:26: urls: \"ldap://ds.example\" would be sent passwords as they are: use ldaps:// or starttls (ldap:// alone is for this machine only, with a loopback address)",
        ),
        (
            "",
            &after(LDAP, "bind = \"uid={user},dc=x\"\ngroups = { a = \"privacy\" }\n"),
            "f:28: groups are named, and not where they are\nHINT:  Write group_base = \"ou=groups,dc=…\": below it a user's groups are looked for.",
        ),
        (
            "",
            &after(LDAP, "base = \"dc=x\"\nfilter = \"(uid={user})\"\naccount = \"cn=x\"\n"),
            "f:29: account has no password\nHINT:  Put its password into a file of its own and name that in password_file.",
        ),
        (
            "",
            &after(LDAP, "bind = \"uid={user},dc=x\"\nrealm = \"a#b\"\n"),
            "f:28: realm must be a name without #\nHINT:  Give it a name: providers with the same realm mean the same person by the same value.",
        ),
    ]);
}

#[test]
fn a_user_with_a_provider_is_a_person_that_the_provider_knows() {
    check(&[
        (
            "name = \"ada\"",
            "name = \"ada\"\nprovider = \"corp\"",
            "f:15: there is no provider \"corp\"\nHINT:  Add [[identity.oidc]] or [[identity.ldap]] with name = \"corp\".\nf:15: a user with a provider and a way of our own must say which person it is\nHINT:  Write person = \"…\" as pgwarrant.whoami shows it to who signs in by the provider.",
        ),
        (
            "",
            &format!(
                "{}[[user]]\nname = \"zoe\"\nprovider = \"corp\"\nperson = \"zoe\"\n",
                OIDC.replace("[identity]\n", "[identity]\ndefault = \"corp\"\n")
            ),
            "f:32: warning: provider \"corp\" does not know its users by persons such as this\nHINT:  Who signs in as a user of its own, outside [[user]], counts as another person: write person as pgwarrant.whoami shows it to them.",
        ),
        ("", &format!("{OIDC}[[user]]\nname = \"zoe\"\nprovider = \"corp\"\nperson = \"zoe\"\n"), ""),
    ]);
}
