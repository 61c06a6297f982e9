//! The arbiter of a proxy without policies: a group lets its members ask, another decides.

use crate::{Arbiter, Ceiling, Facts, Group, Principal, Ruling, Settings, Why};

#[derive(Clone, Debug)]
pub struct ByGroups {
    groups: Vec<Group>,
}

impl ByGroups {
    pub fn new(settings: &Settings) -> Self {
        Self { groups: settings.groups.clone() }
    }

    fn lets_ask(&self, groups: &[String]) -> bool {
        self.groups.iter().any(|group| group.may_request && groups.contains(&group.name))
    }
}

impl Arbiter for ByGroups {
    fn rule(&self, facts: &Facts) -> Ruling {
        // Who may ask for a profile was seen to before; its groups need no other right.
        if self.lets_ask(&facts.by.groups) || facts.profile.is_some() {
            return Ruling::Ask {
                why: Why::default(),
                limits: Ceiling::default(),
                panels: Vec::new(),
                lapses_after: None,
                escalation: None,
            };
        }
        let why = Why { policies: Vec::new(), reasons: vec!["None of their groups may request.".to_owned()] };
        Ruling::Refuse { why, hint: None }
    }

    fn may_ask(&self, who: &Principal) -> bool {
        self.lets_ask(&who.groups)
    }
}
