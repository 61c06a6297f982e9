//! Nobody decides about what their person asked for, or gains from.

use crate::live::Inner;
use crate::model::person_of;
use crate::text::same_name;
use crate::{Error, Grant, Kind, Principal, Request, Who};

/// Who asked, with which account, and who would hold it.
pub(crate) struct Interested<'a> {
    pub user: &'a str,
    pub person: &'a str,
    pub holder: &'a Who,
}

impl<'a> Interested<'a> {
    pub(crate) fn in_request(request: &'a Request) -> Self {
        Self { user: &request.by, person: &request.person, holder: &request.who }
    }
    pub(crate) fn in_grant(grant: &'a Grant) -> Self {
        Self { user: &grant.asked_by, person: &grant.person, holder: &grant.who }
    }
}

pub(crate) fn not_allowed(by: &Principal, what: &str) -> Error {
    Error::new(Kind::NotAllowed, format!("user \"{}\" may not {what}", by.user))
}

impl Inner {
    pub(crate) fn check_disinterested(
        &self,
        by: &Principal,
        interested: &Interested<'_>,
        what: &str,
    ) -> Result<(), Error> {
        let Some(detail) = self.interest(by, interested) else { return Ok(()) };
        Err(not_allowed(by, what).detail(detail).hint("Have somebody else do it, who does not gain from it."))
    }

    fn interest(&self, by: &Principal, interested: &Interested<'_>) -> Option<String> {
        if same_name(&by.user, interested.user) {
            return Some("You asked for it yourself.".to_owned());
        }
        if by.may_be(interested.user, interested.person) {
            return Some(format!("You asked for it yourself, as user \"{}\".", interested.user));
        }
        match interested.holder {
            Who::User(user) if by.may_be(user, person_of("", user)) => {
                Some("The grant would be yours.".to_owned())
            }
            Who::User(_) => None,
            Who::Group(group) if by.groups.iter().any(|own| same_name(own, group)) => {
                Some(format!("The grant would be group {group}'s, and you are a member."))
            }
            Who::Group(group) if self.groups_of_person(by).iter().any(|own| same_name(own, group)) => {
                Some(format!("The grant would be group {group}'s, and another account of yours is a member."))
            }
            Who::Group(_) => None,
        }
    }

    /// Of all accounts of theirs that are configured or have signed in.
    fn groups_of_person(&self, by: &Principal) -> Vec<String> {
        let is_theirs = |account: &Principal| by.may_be(&account.user, &account.person);
        let configured = self.settings.accounts.iter().filter(|account| is_theirs(account));
        let mut groups: Vec<String> = configured.flat_map(|account| account.groups.clone()).collect();
        groups.extend(self.table.groups_of(is_theirs));
        groups
    }
}
