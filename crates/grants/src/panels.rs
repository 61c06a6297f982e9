//! Whose approvals a request needs, and which of them it has.
//!
//! One person counts in one panel only, whichever serves best: approvals and places are matched
//! anew each time, so that the order in which people come does not matter.

use crate::{Approval, Error, Kind, Panel, Principal, Request, Settings, WallMs};

/// Approvers of all panels together, so that the record of a decision stays small.
pub const MAX_APPROVERS: u32 = 8;
pub(crate) const MAX_GROUPS: usize = 8;

/// A policy that asks for more than a record has room for.
pub(crate) fn check(panels: &[Panel]) -> Result<(), Error> {
    let approvers = panels.iter().fold(0_u32, |sum, panel| sum.saturating_add(panel.count.max(1)));
    if approvers <= MAX_APPROVERS && panels.iter().all(|panel| panel.groups.len() <= MAX_GROUPS) {
        return Ok(());
    }
    Err(Error::new(Kind::Limit, "the policy asks for too many approvers")
        .detail(format!(
            "A request can have {MAX_APPROVERS} approvers at most, of {MAX_GROUPS} groups a panel."
        ))
        .hint("Tell whoever writes the policies."))
}

/// Where an approval of somebody counts.
pub(crate) struct Eligible {
    pub panels: Vec<u8>,
    /// In some more, had a second factor been shown.
    pub lacks_factor: bool,
}

/// In which panels does a member of these groups count? `factor`: they showed a second one lately.
pub(crate) fn eligible(
    by: &Principal,
    request: &Request,
    settings: &Settings,
    factor: bool,
    now: WallMs,
) -> Option<Eligible> {
    let escalated = escalation_due(request, now)
        && request.escalation.as_ref().is_some_and(|escalation| by.in_one_of(&escalation.groups));
    if request.panels.is_empty() {
        let may = settings.may_approve(by) || escalated;
        return may.then(|| Eligible { panels: vec![0], lacks_factor: false });
    }
    let theirs = || {
        let numbered = (0_u8..).zip(&request.panels);
        numbered.filter(|(_, panel)| escalated || by.in_one_of(&panel.groups))
    };
    theirs().next()?;
    let counts = |panel: &Panel| factor || !panel.second_factor;
    Some(Eligible {
        panels: theirs().filter(|(_, panel)| counts(panel)).map(|(number, _)| number).collect(),
        lacks_factor: theirs().any(|(_, panel)| !counts(panel)),
    })
}

pub(crate) fn escalation_due(request: &Request, now: WallMs) -> bool {
    request.escalates_at().is_some_and(|at| at <= now)
}

/// The most places that these approvals fill: for each panel, how many.
fn filled(panels: &[Panel], approvals: &[Approval]) -> Vec<u32> {
    let places: Vec<u8> = (0_u8..)
        .zip(panels)
        .flat_map(|(number, panel)| std::iter::repeat_n(number, panel.count.max(1) as usize))
        .take(MAX_APPROVERS as usize)
        .collect();
    let mut taken: Vec<Option<usize>> = vec![None; places.len()];
    for approval in 0..approvals.len() {
        seat(approval, &places, approvals, &mut taken, &mut vec![false; places.len()]);
    }
    let mut filled = vec![0; panels.len()];
    for (place, taken) in places.iter().zip(taken) {
        if let (Some(filled), Some(_)) = (filled.get_mut(usize::from(*place)), taken) {
            *filled += 1;
        }
    }
    filled
}

/// Kuhn's algorithm: finds this approval a place, moving others to places that serve them too.
fn seat(
    approval: usize,
    places: &[u8],
    approvals: &[Approval],
    taken: &mut [Option<usize>],
    tried: &mut [bool],
) -> bool {
    for place in 0..places.len() {
        let fits = approvals.get(approval).is_some_and(|approval| approval.panels.contains(&places[place]));
        if !fits || tried[place] {
            continue;
        }
        tried[place] = true;
        let free = match taken[place] {
            None => true,
            Some(other) => seat(other, places, approvals, taken, tried),
        };
        if free {
            taken[place] = Some(approval);
            return true;
        }
    }
    false
}

pub(crate) fn count_filled(panels: &[Panel], approvals: &[Approval]) -> u32 {
    if panels.is_empty() {
        return u32::from(!approvals.is_empty());
    }
    filled(panels, approvals).iter().sum()
}

pub(crate) fn satisfied(panels: &[Panel], approvals: &[Approval]) -> bool {
    let needed = panels.iter().map(|panel| panel.count.max(1)).sum::<u32>().max(1);
    count_filled(panels, approvals) >= needed
}

/// `approval`, `group privacy, and 2 of groups oncall and security`
pub(crate) fn missing_text(panels: &[Panel], approvals: &[Approval]) -> String {
    if panels.is_empty() {
        return "approval".to_owned();
    }
    let missing = panels.iter().zip(filled(panels, approvals)).filter_map(|(panel, filled)| {
        let count = panel.count.max(1).saturating_sub(filled);
        let groups = groups_text(&panel.groups);
        match count {
            0 => None,
            1 => Some(groups),
            more => Some(format!("{more} of {groups}")),
        }
    });
    let missing: Vec<String> = missing.collect();
    if missing.is_empty() { "approval".to_owned() } else { missing.join(", and ") }
}

/// `group privacy`, `groups oncall or privacy`
pub(crate) fn groups_text(groups: &[String]) -> String {
    match groups {
        [] => "no group".to_owned(),
        [one] => format!("group {one}"),
        [rest @ .., last] => format!("groups {} or {last}", rest.join(", ")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn panel(group: &str, count: u32) -> Panel {
        Panel { groups: vec![group.to_owned()], count, second_factor: false }
    }
    fn approval(panels: &[u8]) -> Approval {
        Approval {
            by: String::new(),
            person: String::new(),
            at: 0,
            reason: None,
            from: None,
            panels: panels.to_vec(),
        }
    }

    #[test]
    fn one_person_fills_one_place_and_the_order_does_not_matter() {
        let two = [panel("privacy", 1), panel("oncall", 1)];
        let three = [panel("privacy", 2), panel("oncall", 1)];
        for (panels, approvals, filled, missing) in [
            (&two[..], vec![], 0, "group privacy, and group oncall"),
            (&two, vec![&[0_u8, 1][..]], 1, "group oncall"),
            (&two, vec![&[0, 1], &[0]], 2, "approval"),
            (&two, vec![&[0], &[0, 1]], 2, "approval"),
            (&two, vec![&[0], &[0]], 1, "group oncall"),
            (&two, vec![&[], &[7]], 0, "group privacy, and group oncall"),
            (&three, vec![&[0, 1]], 1, "group privacy, and group oncall"),
            (&three, vec![&[0, 1], &[0, 1], &[0]], 3, "approval"),
            (&three, vec![&[1], &[1]], 1, "2 of group privacy"),
        ] {
            let approvals: Vec<Approval> = approvals.into_iter().map(approval).collect();
            assert_eq!(count_filled(panels, &approvals), filled, "{approvals:?}");
            let all = panels.iter().map(|panel| panel.count).sum::<u32>();
            assert_eq!(satisfied(panels, &approvals), filled == all, "{approvals:?}");
            if filled < all {
                assert_eq!(missing_text(panels, &approvals), missing, "{approvals:?}");
            }
        }
        assert!(!satisfied(&[], &[]) && satisfied(&[], &[approval(&[0])]));
    }

    #[test]
    fn a_panel_of_nobody_is_one_of_somebody() {
        assert!(!satisfied(&[panel("privacy", 0)], &[]));
    }

    #[test]
    fn too_many_approvers_are_refused() {
        assert!(check(&[panel("privacy", 8)]).is_ok());
        assert!(check(&[panel("privacy", 8), panel("oncall", 1)]).is_err());
        assert!(check(&[panel("privacy", u32::MAX), panel("oncall", u32::MAX)]).is_err());
    }
}
