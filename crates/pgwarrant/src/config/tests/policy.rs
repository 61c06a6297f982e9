//! `[policy]`, `[[profile]]`, and what groups and users say of requests.

use std::time::Duration;

use super::{GOOD, check, read};
use crate::config::{Rows, Schedule};

const PROFILE: &str = r#"
[[profile]]
name = "dsr-lookup"
columns = ["category:contact", "customers.name"]
actions = ["select", "export"]
rows = "some"
max_duration = "30 min"
groups = "engineering"
schedule = { days = ["mon", "fri"], from = "08:30", to = "24:00" }
"#;

#[test]
fn a_profile_is_read_whole() {
    let config = read(&format!("{GOOD}{PROFILE}")).unwrap_or_else(|problems| panic!("{problems}"));
    let [profile] = config.profiles.as_slice() else { panic!("one profile") };
    assert_eq!(profile.columns, ["category:contact", "customers.name"]);
    assert_eq!(profile.actions, ["select", "export"]);
    assert_eq!(profile.rows, Rows::Some);
    assert_eq!(profile.max_duration, Duration::from_secs(1800));
    assert_eq!(profile.schedule, Some(Schedule { days: vec![1, 5], from: 510, to: 1440 }));
}

#[test]
fn a_profile_says_who_and_what() {
    check(&[
        (
            "",
            "[[profile]]\nname = \"p\"\n",
            "f:23: [[profile]] has no columns\nHINT:  Write columns = [\"category:contact\"], or what people write in a request.\n\
             f:23: nobody may ask for this profile\nHINT:  Write groups = [\"…\"]: whose members may ask for it.",
        ),
        (
            "",
            "[[profile]]\nname = \"p\"\ncolumns = \"*\"\ngroups = \"enginering\"\nactions = [\"read\"]\nrows = \"none\"\n",
            "f:26: there is no group \"enginering\"\nHINT:  Did you mean \"engineering\"?\n\
             f:27: actions cannot hold \"read\"\nHINT:  It can hold \"select\", \"insert\", \"update\", \"delete\", \"export\".\n\
             f:28: rows cannot be \"none\"\nHINT:  It can be \"some\", \"all\", \"any\".",
        ),
    ]);
}

#[test]
fn a_schedule_lies_within_one_day() {
    let with = |schedule: &str| {
        format!(
            "[[profile]]\nname = \"p\"\ncolumns = \"*\"\ngroups = \"engineering\"\nschedule = {schedule}\n"
        )
    };
    let said = |schedule: &str| super::said("", &with(schedule));
    assert_eq!(said(r#"{ from = "08:00" }"#), "");
    assert_eq!(
        said(r#"{ from = "18:00", to = "08:00" }"#),
        "f:27: the schedule ends before it begins\nHINT:  A schedule lies within one day; write two profiles for a night."
    );
    for time in ["8:00", "08:60", "24:01", "99:99", "08.00", "-1:00", "٠٨:٠٠"] {
        assert_eq!(
            said(&format!("{{ from = \"{time}\" }}")),
            format!("f:27: from cannot be \"{time}\"\nHINT:  Write hours and minutes of a day: \"08:30\".")
        );
    }
    assert_eq!(
        said(r#"{ days = ["monday"] }"#),
        "f:27: days cannot hold \"monday\"\nHINT:  It can hold \"mon\", \"tue\", \"wed\", \"thu\", \"fri\", \"sat\", \"sun\"."
    );
}

#[test]
fn policies_are_files_that_can_be_read() {
    check(&[
        (
            "",
            "[policy]\n",
            "f:23: [policy] names no files\nHINT:  Write files = [\"policies/requests.cedar\"].",
        ),
        (
            "",
            "[policy]\nfiles = [\"absent.cedar\"]\n",
            "f:24: could not read /nowhere/absent.cedar: No such file or directory (os error 2)\nHINT:  Name a file of Cedar policies; relative paths start at this file's directory.",
        ),
        (
            "",
            "[grants]\ntime_zone = \"Europe/Lisboa\"\n",
            "f:24: there is no time zone \"Europe/Lisboa\"\nHINT:  Write a name of the IANA time zone database: \"Europe/Lisbon\", \"UTC\".",
        ),
    ]);
}

#[test]
fn a_user_is_a_person_of_their_own_unless_it_says_whose_it_is() {
    let config = read(GOOD).unwrap_or_else(|problems| panic!("{problems}"));
    assert_eq!(config.users[0].person, None);
    assert_eq!(config.groups[0].max_duration, None);
    let text = GOOD
        .replace("name = \"ada\"", "name = \"ada\"\nperson = \"Ada Smith\"")
        .replace("may_request = true", "may_request = true\nmax_duration = \"2 h\"");
    let config = read(&text).unwrap_or_else(|problems| panic!("{problems}"));
    assert_eq!(config.users[0].person.as_deref(), Some("Ada Smith"));
    assert_eq!(config.groups[0].max_duration, Some(Duration::from_secs(7200)));
}
