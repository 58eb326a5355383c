//! Occurrences of any expression, compared with a slow and independent reading of the rules.
//!
//! Expressions are generated as trees. The matcher below judges the tree, minute by minute of real time; the code under
//! test sees only its text.

use jiff::{
    SignedDuration, Timestamp, ToSpan,
    civil::DateTime,
    tz::{Offset, TimeZone},
};
use proptest::prelude::*;

use super::Schedule;

/// One part of a field, with plain numbers.
#[derive(Clone, Debug)]
enum Part {
    Star { step: Option<u8> },
    Value(u8),
    Range { first: u8, last: u8, step: Option<u8> },
}

/// A field, and the names of its values if it is to be written with them.
#[derive(Clone, Debug)]
struct Tree {
    parts: Vec<Part>,
    least: u8,
    most: u8,
    names: &'static [&'static str],
}

#[derive(Clone, Debug)]
pub(super) struct Fields {
    minute: Tree,
    hour: Tree,
    day_of_month: Tree,
    month: Tree,
    day_of_week: Tree,
}

const MONTHS: [&str; 13] =
    ["", "Jan", "feb", "MAR", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "Dec"];
const DAYS: [&str; 8] = ["sun", "Mon", "tue", "WED", "thu", "fri", "sat", "sun"];

impl Tree {
    fn text(&self) -> String {
        let word = |value: &u8| match self.names.get(usize::from(*value)) {
            Some(name) => (*name).to_owned(),
            None => value.to_string(),
        };
        let step = |step: &Option<u8>| step.map_or(String::new(), |step| format!("/{step}"));
        let parts = self.parts.iter().map(|part| match part {
            Part::Star { step: every } => format!("*{}", step(every)),
            Part::Value(value) => word(value),
            Part::Range { first, last, step: every } => {
                format!("{}-{}{}", word(first), word(last), step(every))
            }
        });
        parts.collect::<Vec<_>>().join(",")
    }

    fn takes(&self, value: i8) -> bool {
        let value = u8::try_from(value).expect("not negative");
        self.parts.iter().any(|part| {
            let (first, last, step) = match *part {
                Part::Star { step } => (self.least, self.most, step),
                Part::Value(only) => (only, only, None),
                Part::Range { first, last, step } => (first, last, step),
            };
            value >= first && value <= last && (value - first).is_multiple_of(step.unwrap_or(1))
        })
    }

    fn begins_with_star(&self) -> bool {
        matches!(self.parts[0], Part::Star { .. })
    }
}

impl Fields {
    pub(super) fn text(&self) -> String {
        let fields = [&self.minute, &self.hour, &self.day_of_month, &self.month, &self.day_of_week];
        fields.map(Tree::text).join(" ")
    }

    fn matches(&self, time: DateTime) -> bool {
        let by_month = self.day_of_month.takes(time.day());
        let weekday = time.weekday().to_sunday_zero_offset();
        let by_week = self.day_of_week.takes(weekday) || weekday == 0 && self.day_of_week.takes(7);
        let is_star = self.day_of_month.begins_with_star() || self.day_of_week.begins_with_star();
        let day = if is_star { by_month && by_week } else { by_month || by_week };
        day && time.second() == 0
            && self.minute.takes(time.minute())
            && self.hour.takes(time.hour())
            && self.month.takes(time.month())
    }

    /// Whether it is due at this full minute of real time.
    fn is_due(&self, minute: Timestamp, zone: &TimeZone) -> bool {
        let time = zone.to_datetime(minute);
        if (0..24).all(|hour| self.hour.takes(hour)) {
            return self.matches(time);
        }
        // The clock has just jumped over what it skipped.
        let before = zone.to_datetime(minute - SignedDuration::from_secs(1)) + 1.second();
        let mut skipped = std::iter::successors(Some(before), |time| Some(*time + 1.minute()));
        if skipped.by_ref().take_while(|skipped| *skipped < time).any(|skipped| self.matches(skipped)) {
            return true;
        }
        let is_second_pass =
            || (1..=180).any(|ago| zone.to_datetime(minute - SignedDuration::from_mins(ago)) == time);
        self.matches(time) && !is_second_pass()
    }
}

fn part(least: u8, most: u8) -> impl Strategy<Value = Part> {
    let step = proptest::option::of(1..=most);
    prop_oneof![
        step.clone().prop_map(|step| Part::Star { step }),
        (least..=most).prop_map(Part::Value),
        (least..=most, least..=most, step).prop_map(|(a, b, step)| Part::Range {
            first: a.min(b),
            last: a.max(b),
            step
        }),
    ]
}

fn tree(least: u8, most: u8, names: &'static [&'static str]) -> impl Strategy<Value = Tree> {
    let star = Just(vec![Part::Star { step: None }]);
    let parts = prop_oneof![star, proptest::collection::vec(part(least, most), 1..4)];
    (parts, any::<bool>()).prop_map(move |(parts, named)| {
        // `sun` at the beginning of a range is 0, never 7.
        let is_seven = |part: &Part| {
            matches!(part, Part::Range { first: 7, .. } | Part::Range { first: 0, last: 7, .. })
        };
        let names = if named && !parts.iter().any(is_seven) { names } else { &[] };
        Tree { parts, least, most, names }
    })
}

pub(super) fn fields() -> impl Strategy<Value = Fields> {
    (tree(0, 59, &[]), tree(0, 23, &[]), tree(1, 31, &[]), tree(1, 12, &MONTHS), tree(0, 7, &DAYS)).prop_map(
        |(minute, hour, day_of_month, month, day_of_week)| Fields {
            minute,
            hour,
            day_of_month,
            month,
            day_of_week,
        },
    )
}

/// A zone, and a full minute; often one shortly before its clocks are changed.
pub(super) fn zone_and_minute() -> impl Strategy<Value = (&'static str, Timestamp)> {
    let zones = prop_oneof![
        Just("UTC"),
        Just("America/New_York"),
        Just("Europe/Berlin"),
        Just("Australia/Lord_Howe"),
        Just("Asia/Kolkata"),
        Just("Africa/Cairo"),
        Just("Pacific/Chatham"),
    ];
    // 2007 to 2037.
    (zones, 1_167_609_600_i64..2_114_380_800, any::<bool>(), 0..2_000_i64).prop_map(
        |(zone, second, is_near, minutes)| {
            let minute = Timestamp::from_second(second - second % 60).expect("a time");
            let time_zone = TimeZone::get(zone).expect("a zone");
            let change = time_zone.following(minute).next();
            let near = change.filter(|_| is_near).map(|change| change.timestamp());
            (zone, near.map_or(minute, |change| change - SignedDuration::from_mins(minutes)))
        },
    )
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    #[test]
    fn occurrences_are_exactly_those_of_a_naive_reading(
        fields in fields(),
        (zone, start) in zone_and_minute(),
        fraction in 0..1_000_000_000_i64,
    ) {
        let schedule = Schedule::parse(&fields.text(), zone).expect("it is generated from the grammar");
        let after = start + SignedDuration::from_nanos(fraction);
        let end = start + SignedDuration::from_hours(60);
        let found: Vec<_> = schedule.after(after).take_while(|due| *due <= end).collect();
        let minutes = (1..=60 * 60).map(|minutes| start + SignedDuration::from_mins(minutes));
        let expected: Vec<_> = minutes.filter(|minute| fields.is_due(*minute, schedule.time_zone())).collect();
        prop_assert_eq!(found, expected, "{} in {} after {}", schedule.expression(), zone, after);
    }

    #[test]
    fn occurrences_are_strictly_later_strictly_increasing_and_match(
        fields in fields(),
        second in proptest::option::of(0..60_u8),
        (zone, start) in zone_and_minute(),
    ) {
        let text = second.map_or_else(|| fields.text(), |second| format!("{second} {}", fields.text()));
        let schedule = Schedule::parse(&text, zone).expect("it is generated from the grammar");
        let zone = schedule.time_zone();
        let mut last = start;
        for due in schedule.after(start).take(30) {
            prop_assert!(due > last, "{text}: {due} after {last}");
            last = due;
            let shown: DateTime = zone.to_datetime(due);
            let offset_before: Offset = zone.to_offset(due - SignedDuration::from_secs(1));
            let is_end_of_gap = offset_before < zone.to_offset(due);
            let full_minute = shown.with().second(0).build().expect("a time");
            let is_second = shown.second() == i8::try_from(second.unwrap_or(0)).expect("small");
            prop_assert!(is_end_of_gap || is_second && fields.matches(full_minute), "{text}: {shown}");
        }
    }

    #[test]
    fn asking_again_after_each_occurrence_gives_the_same_ones(fields in fields(), (zone, start) in zone_and_minute()) {
        let schedule = Schedule::parse(&fields.text(), zone).expect("it is generated from the grammar");
        let at_once: Vec<_> = schedule.after(start).take(10).collect();
        let next = |last: &Timestamp| schedule.after(*last + SignedDuration::from_nanos(1)).next();
        let one_by_one: Vec<_> = std::iter::successors(schedule.after(start).next(), next).take(10).collect();
        prop_assert_eq!(at_once, one_by_one);
    }

    #[test]
    fn any_text_is_read_or_refused_without_a_panic(text in "[-*/,0-9a-z@ ?#~]{0,24}|\\PC{0,24}") {
        if let Ok(schedule) = Schedule::parse(&text, "Europe/Berlin") {
            let start = "2026-03-28T12:00:00Z".parse().expect("a time");
            prop_assert!(schedule.after(start).take(3).all(|due| due > start));
        }
    }
}
