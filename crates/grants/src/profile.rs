//! Profiles: bundles of columns, actions and limits that people ask for by name.
//!
//! A profile says what is asked for and by whom; whether it is given is the arbiter's, as of any
//! other request. One with a schedule is a time-based role: its grants end with its hours.

use std::time::Duration;

use jiff::civil::Time;
use jiff::tz::TimeZone;
use jiff::{Timestamp, ToSpan, Zoned};

use crate::ask::{Ask, Meaning};
use crate::{Error, Kind, Principal, Settings, WallMs, nearest};

/// `[[profile]]`
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Profile {
    pub name: String,
    /// As [`Ask::columns`].
    pub columns: String,
    /// As [`Ask::actions`].
    pub actions: String,
    pub rows: ProfileRows,
    pub max_duration: Duration,
    /// None: at any time.
    pub schedule: Option<Schedule>,
    /// Whose members may ask for it, whether or not they may ask for anything else.
    pub groups: Vec<String>,
}

/// Which rows a request for a profile may be for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum ProfileRows {
    /// Those that the request names; it must.
    Some,
    All,
    #[default]
    Any,
}

impl ProfileRows {
    /// The name in the configuration.
    pub fn text(self) -> &'static str {
        match self {
            ProfileRows::Some => "some",
            ProfileRows::All => "all",
            ProfileRows::Any => "any",
        }
    }
}

/// Hours of the week, in [`Settings::time_zone`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Schedule {
    /// 1 (Monday) to 7 (ISO 8601).
    pub days: Vec<u8>,
    /// Minutes since midnight.
    pub from: u16,
    /// The first minute that is not in it; above `from`, 1440 at most.
    pub to: u16,
}

impl Schedule {
    /// When the hours end that `at` lies in. None: it lies in none.
    pub fn ends(&self, at: WallMs, zone: &TimeZone) -> Option<WallMs> {
        let local = Timestamp::from_millisecond(at).ok()?.to_zoned(zone.clone());
        let minute = u16::try_from(i16::from(local.hour()) * 60 + i16::from(local.minute())).ok()?;
        let day = u8::try_from(local.weekday().to_monday_one_offset()).ok()?;
        if !self.days.contains(&day) || !(self.from..self.to).contains(&minute) {
            return None;
        }
        Some(end_of(&local, self.to)?.timestamp().as_millisecond())
    }

    /// `mon, tue 08:00-18:00`
    pub fn text(&self) -> String {
        const DAYS: [&str; 7] = ["mon", "tue", "wed", "thu", "fri", "sat", "sun"];
        let day = |day: &u8| DAYS.get(usize::from(day.wrapping_sub(1))).copied();
        let days: Vec<&str> = self.days.iter().filter_map(day).collect();
        let time = |minutes: u16| format!("{:02}:{:02}", minutes / 60, minutes % 60);
        format!("{} {}-{}", days.join(", "), time(self.from), time(self.to))
    }
}

/// That minute of the day, by the clock on the wall; where it is skipped, the first one after.
fn end_of(local: &Zoned, minute: u16) -> Option<Zoned> {
    let (hour, rest) = (i8::try_from(minute / 60).ok()?, i8::try_from(minute % 60).ok()?);
    match hour {
        24 => local.date().checked_add(1.day()).ok()?.to_zoned(local.time_zone().clone()).ok(),
        _ => local
            .date()
            .to_datetime(Time::new(hour, rest, 0, 0).ok()?)
            .to_zoned(local.time_zone().clone())
            .ok(),
    }
}

impl Settings {
    /// The profiles that somebody may ask for.
    pub fn profiles_for<'a>(&'a self, who: &Principal) -> impl Iterator<Item = &'a Profile> {
        self.profiles.iter().filter(|profile| who.in_one_of(&profile.groups))
    }

    /// The profile that a request names. None: it names none.
    pub(crate) fn profile_of(&self, ask: &Ask, by: &Principal) -> Result<Option<&Profile>, Error> {
        let Some(name) = ask.profile.as_deref() else { return Ok(None) };
        let found = self.profiles_for(by).find(|profile| profile.name == name);
        let Some(profile) = found else {
            let known = || self.profiles_for(by).map(|profile| profile.name.as_str());
            let hint = match (nearest(name, known()), known().next()) {
                (Some(near), _) => format!("Did you mean profile => '{near}'?"),
                (None, Some(_)) => "SELECT * FROM pgwarrant.profiles lists yours.".to_owned(),
                (None, None) => {
                    "No profile is for your groups; ask for columns with pgwarrant.request(…).".to_owned()
                }
            };
            let name = name.escape_debug();
            return Err(Error::new(Kind::Unknown, format!("there is no profile '{name}' for you")).hint(hint));
        };
        Ok(Some(profile))
    }
}

impl Profile {
    /// The request with what the profile says.
    pub(crate) fn fill(&self, ask: Ask) -> Result<Ask, Error> {
        let given = |what: &str| {
            Error::invalid(format!("profile '{}' says {what} itself", self.name))
                .hint(format!("Leave {what} out, or ask without the profile."))
        };
        if !ask.columns.trim().is_empty() {
            return Err(given("columns"));
        }
        if ask.actions.is_some() {
            return Err(given("actions"));
        }
        let some = ask.rows.as_deref().is_some_and(|rows| !rows.trim().is_empty());
        match self.rows {
            ProfileRows::Some if !some => {
                return Err(Error::invalid(format!("profile '{}' is for some rows only", self.name))
                    .hint("Say which: rows => 'id = 42'."));
            }
            ProfileRows::All if some => return Err(given("rows")),
            _ => {}
        }
        Ok(Ask { columns: self.columns.clone(), actions: Some(self.actions.clone()), ..ask })
    }

    /// Keeps the grant within the profile's hours.
    pub(crate) fn hold(&self, meaning: &mut Meaning, zone: &TimeZone, now: WallMs) -> Result<(), Error> {
        let Some(schedule) = &self.schedule else { return Ok(()) };
        let start = meaning.starts_at.unwrap_or(now);
        let Some(end) = schedule.ends(start, zone) else {
            let name = zone.iana_name().unwrap_or("local");
            return Err(Error::new(
                Kind::State,
                format!("profile '{}' cannot be had at that time", self.name),
            )
            .detail(format!("Its hours are {} ({name}).", schedule.text()))
            .hint("Ask within them, or say when it shall begin: starts_at => '2026-03-02 09:00'."));
        };
        meaning.not_after = Some(meaning.not_after.map_or(end, |before| before.min(end)));
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(text: &str) -> WallMs {
        text.parse::<Zoned>().expect("a time").timestamp().as_millisecond()
    }

    #[test]
    fn hours_are_those_of_the_wall_also_when_it_changes_them() {
        let zone = TimeZone::get("Europe/Lisbon").expect("a zone");
        let hours = |from, to| Schedule { days: vec![1, 2, 3, 4, 5], from, to };
        for (schedule, time, ends) in [
            // A Monday.
            (hours(480, 1080), "2026-03-02T08:00[Europe/Lisbon]", Some("2026-03-02T18:00[Europe/Lisbon]")),
            (hours(480, 1080), "2026-03-02T07:59:59.999[Europe/Lisbon]", None),
            (hours(480, 1080), "2026-03-02T18:00[Europe/Lisbon]", None),
            (hours(480, 1440), "2026-03-02T23:59[Europe/Lisbon]", Some("2026-03-03T00:00[Europe/Lisbon]")),
            // A Sunday.
            (hours(0, 1440), "2026-03-01T12:00[Europe/Lisbon]", None),
            // In summer the same hours are another time of UTC.
            (hours(480, 1080), "2026-07-06T07:30Z[UTC]", Some("2026-07-06T17:00Z[UTC]")),
        ] {
            assert_eq!(schedule.ends(at(time), &zone), ends.map(at), "{time}");
        }
        // 01:00 to 02:00 is skipped on the last Sunday of March.
        let sunday = Schedule { days: vec![7], from: 0, to: 90 };
        let end = sunday.ends(at("2026-03-29T00:30[Europe/Lisbon]"), &zone).expect("within");
        assert_eq!(end, at("2026-03-29T02:30[Europe/Lisbon]"));
    }
}
