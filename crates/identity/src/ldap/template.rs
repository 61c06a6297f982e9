//! Distinguished names and filters with places for what is only known at a sign-in.

use ldap3::{dn_escape, ldap_escape};

/// Where the user's name and the distinguished name of the user's entry go.
const USER: &str = "{user}";
const DN: &str = "{dn}";

/// A text with places in it. What is put there is escaped, and not looked at again.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Template(Vec<Part>);

#[derive(Clone, Debug, PartialEq, Eq)]
enum Part {
    Text(String),
    User,
    Dn,
}

impl Template {
    pub(super) fn parse(text: &str) -> Self {
        let mut parts = Vec::new();
        let mut rest = text;
        while let Some(start) = rest.find('{') {
            let (before, from) = rest.split_at(start);
            let (part, after) = if let Some(after) = from.strip_prefix(USER) {
                (Part::User, after)
            } else if let Some(after) = from.strip_prefix(DN) {
                (Part::Dn, after)
            } else {
                (Part::Text("{".to_owned()), from.get(1..).unwrap_or_default())
            };
            parts.push(Part::Text(before.to_owned()));
            parts.push(part);
            rest = after;
        }
        parts.push(Part::Text(rest.to_owned()));
        Self(parts)
    }

    pub(super) fn has_user(&self) -> bool {
        self.0.contains(&Part::User)
    }

    pub(super) fn has_dn(&self) -> bool {
        self.0.contains(&Part::Dn)
    }

    /// As a distinguished name (RFC 4514, section 2.4); there is no other in it.
    pub(super) fn dn(&self, user: &str) -> String {
        self.fill(&dn_escape(user), "")
    }

    /// As a filter (RFC 4515, section 3).
    pub(super) fn filter(&self, user: &str, dn: &str) -> String {
        self.fill(&ldap_escape(user), &ldap_escape(dn))
    }

    fn fill(&self, user: &str, dn: &str) -> String {
        let text = |part| match part {
            &Part::User => user,
            &Part::Dn => dn,
            Part::Text(text) => text,
        };
        self.0.iter().map(text).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_put_in_stays_a_value() {
        let filter = Template::parse("(&(objectClass=person)(|(uid={user})(member={dn}){x}{))");
        for (user, dn, expected) in [
            ("ada", "cn=x", "(uid=ada)(member=cn=x)"),
            ("*", "cn=*", r"(uid=\2a)(member=cn=\2a)"),
            (")(uid=*", "a(b)", r"(uid=\29\28uid=\2a)(member=a\28b\29)"),
            ("a\\b\0", "", r"(uid=a\5cb\00)(member=)"),
            ("{dn}{user}", "{user}", "(uid={dn}{user})(member={user})"),
            ("Ådå", "", "(uid=Ådå)(member=)"),
        ] {
            let filled = filter.filter(user, dn);
            assert_eq!(filled, format!("(&(objectClass=person)(|{expected}{{x}}{{))"));
        }
    }

    #[test]
    fn a_name_cannot_leave_its_place_in_a_distinguished_name() {
        let dn = Template::parse("uid={user},ou=people,dc=shop");
        for (user, expected) in [
            ("ada", "ada"),
            ("ada,ou=admins", r"ada\2cou\3dadmins"),
            ("a+cn=root", r"a\2bcn\3droot"),
            ("#1", r"\231"),
            (r#"a"\;<>"#, r"a\22\5c\3b\3c\3e"),
            ("{dn}{user}", "{dn}{user}"),
        ] {
            assert_eq!(dn.dn(user), format!("uid={expected},ou=people,dc=shop"), "{user}");
        }
    }
}
