//! Windows on concrete days, and compared minute by minute with another reading of the rules. Days on which clocks are
//! changed, in 2026: New York 8 March and 1 November, Berlin 29 March and 25 October, Lord Howe (by half an hour) 5 April and
//! 4 October. 21 November 2026 is a Saturday.

use jiff::{SignedDuration, Timestamp, ToSpan, civil::DateTime};
use proptest::prelude::*;

use super::Windows;
use crate::schedule::properties::zone_and_minute;

const NEW_YORK: &str = "America/New_York";
const BERLIN: &str = "Europe/Berlin";
const LORD_HOWE: &str = "Australia/Lord_Howe";

fn windows(texts: &[&str], zone: &str) -> Windows {
    let texts: Vec<_> = texts.iter().map(|text| (*text).to_owned()).collect();
    Windows::parse(&texts, zone).expect("they are right")
}

fn instant(text: &str) -> Timestamp {
    text.parse().expect("a time")
}

/// From a moment on: when it opens, when it closes then, and so on, in local time with the offset.
fn changes(windows: &Windows, from: &str, count: usize) -> Vec<String> {
    let mut at = instant(from);
    let mut seen = Vec::new();
    for _ in 0..count {
        let opens = windows.opens_at(at).expect("it opens");
        let closes = windows.closes_at(opens).expect("it closes");
        assert!(windows.is_open(opens), "it is open at {opens}");
        assert!(!windows.is_open(closes), "it is closed at {closes}");
        assert_eq!(windows.closes_at(closes), Some(closes), "it is closed already");
        let local = |at: Timestamp| at.to_zoned(windows.zone.clone()).strftime("%FT%H:%M%:z").to_string();
        seen.push(format!("{} {}", local(opens), local(closes)));
        at = closes;
    }
    seen
}

#[track_caller]
fn assert_changes(texts: &[&str], zone: &str, from: &str, expected: &[&str]) {
    assert_eq!(changes(&windows(texts, zone), from, expected.len()), expected, "{texts:?} in {zone}");
}

#[test]
fn without_windows_and_with_windows_that_leave_nothing_out_it_is_always_open() {
    for texts in [
        &[][..],
        &["00:00-24:00"],
        &["22:00-06:00", "06:00-22:00"],
        &["mon-fri 00:00-24:00", "sat-sun 00:00-24:00"],
    ] {
        let windows = windows(texts, BERLIN);
        for at in [Timestamp::MIN, instant("2026-03-29T01:00:00Z"), Timestamp::MAX] {
            assert!(windows.is_open(at));
            assert_eq!(windows.closes_at(at), None);
            assert_eq!(windows.opens_at(at), Some(at));
        }
    }
}

#[test]
fn a_window_belongs_to_the_day_on_which_it_opens() {
    assert_changes(
        &["mon-fri 22:00-06:00"],
        BERLIN,
        "2026-11-20T12:00:00Z",
        &["2026-11-20T22:00+01:00 2026-11-21T06:00+01:00", "2026-11-23T22:00+01:00 2026-11-24T06:00+01:00"],
    );
    assert_changes(
        &["sat,sun 00:00-24:00"],
        BERLIN,
        "2026-11-20T12:00:00Z",
        &["2026-11-21T00:00+01:00 2026-11-23T00:00+01:00", "2026-11-28T00:00+01:00 2026-11-30T00:00+01:00"],
    );
}

#[test]
fn a_window_takes_its_first_moment_and_leaves_out_its_last() {
    let windows = windows(&["01:00-06:00"], "UTC");
    for (at, is_open, closes, opens) in [
        ("2026-11-21T00:59:59.999999999Z", false, "2026-11-21T00:59:59.999999999Z", "2026-11-21T01:00:00Z"),
        ("2026-11-21T01:00:00Z", true, "2026-11-21T06:00:00Z", "2026-11-21T01:00:00Z"),
        ("2026-11-21T05:59:59.999999999Z", true, "2026-11-21T06:00:00Z", "2026-11-21T05:59:59.999999999Z"),
        ("2026-11-21T06:00:00Z", false, "2026-11-21T06:00:00Z", "2026-11-22T01:00:00Z"),
    ] {
        assert_eq!(windows.is_open(instant(at)), is_open, "at {at}");
        assert_eq!(windows.closes_at(instant(at)), Some(instant(closes)), "at {at}");
        assert_eq!(windows.opens_at(instant(at)), Some(instant(opens)), "at {at}");
    }
}

#[test]
fn windows_that_touch_or_overlap_are_one_stretch() {
    assert_changes(
        &["05:00-07:00", "22:00-03:00", "03:00-06:00", "12:00-13:00"],
        "UTC",
        "2026-11-21T13:00:00Z",
        &[
            "2026-11-21T22:00+00:00 2026-11-22T07:00+00:00",
            "2026-11-22T12:00+00:00 2026-11-22T13:00+00:00",
            "2026-11-22T22:00+00:00 2026-11-23T07:00+00:00",
        ],
    );
    // Almost the whole week.
    assert_changes(
        &["mon-sat 00:00-24:00", "sun 00:01-24:00"],
        "UTC",
        "2026-11-22T00:00:00Z",
        &["2026-11-22T00:01+00:00 2026-11-29T00:00+00:00"],
    );
}

#[test]
fn in_spring_what_the_clock_skips_is_the_end_of_the_gap() {
    for (text, zone, from, expected) in [
        ("01:00-02:30", BERLIN, "2026-03-28T12:00:00Z", "2026-03-29T01:00+01:00 2026-03-29T03:00+02:00"),
        ("02:30-06:00", BERLIN, "2026-03-28T12:00:00Z", "2026-03-29T03:00+02:00 2026-03-29T06:00+02:00"),
        ("22:00-06:00", BERLIN, "2026-03-28T12:00:00Z", "2026-03-28T22:00+01:00 2026-03-29T06:00+02:00"),
        // Nothing of it exists on that day.
        ("02:10-02:50", BERLIN, "2026-03-28T12:00:00Z", "2026-03-30T02:10+02:00 2026-03-30T02:50+02:00"),
        ("02:00-03:00", NEW_YORK, "2026-03-07T12:00:00Z", "2026-03-09T02:00-04:00 2026-03-09T03:00-04:00"),
        ("02:00-03:30", NEW_YORK, "2026-03-07T12:00:00Z", "2026-03-08T03:00-04:00 2026-03-08T03:30-04:00"),
        ("02:15-02:45", LORD_HOWE, "2026-10-03T12:00:00Z", "2026-10-04T02:30+11:00 2026-10-04T02:45+11:00"),
        // Midnight itself is in the gap.
        (
            "sun 00:00-06:00",
            "America/Santiago",
            "2026-09-05T12:00:00Z",
            "2026-09-06T01:00-03:00 2026-09-06T06:00-03:00",
        ),
        (
            "sat 00:00-24:00",
            "America/Santiago",
            "2026-09-05T12:00:00Z",
            "2026-09-05T08:00-04:00 2026-09-06T01:00-03:00",
        ),
        // The whole of Friday, 30 December, is; its night is not.
        (
            "fri 22:00-06:00",
            "Pacific/Apia",
            "2011-12-29T12:00:00Z",
            "2011-12-31T00:00+14:00 2011-12-31T06:00+14:00",
        ),
        (
            "fri 10:00-16:00",
            "Pacific/Apia",
            "2011-12-29T12:00:00Z",
            "2012-01-06T10:00+14:00 2012-01-06T16:00+14:00",
        ),
    ] {
        assert_changes(&[text], zone, from, &[expected]);
    }
}

#[test]
fn in_autumn_what_the_clock_shows_twice_is_the_first_of_the_two() {
    for (text, zone, from, expected) in [
        ("01:00-02:30", BERLIN, "2026-10-24T12:00:00Z", "2026-10-25T01:00+02:00 2026-10-25T02:30+02:00"),
        ("02:30-06:00", BERLIN, "2026-10-24T12:00:00Z", "2026-10-25T02:30+02:00 2026-10-25T06:00+01:00"),
        ("02:00-03:00", BERLIN, "2026-10-24T12:00:00Z", "2026-10-25T02:00+02:00 2026-10-25T03:00+01:00"),
        // In the second pass, after it has closed in the first.
        ("01:00-02:30", BERLIN, "2026-10-25T01:10:00Z", "2026-10-26T01:00+01:00 2026-10-26T02:30+01:00"),
        ("01:15-01:45", NEW_YORK, "2026-10-31T12:00:00Z", "2026-11-01T01:15-04:00 2026-11-01T01:45-04:00"),
        ("01:30-02:30", NEW_YORK, "2026-10-31T12:00:00Z", "2026-11-01T01:30-04:00 2026-11-01T02:30-05:00"),
        ("01:15-01:45", LORD_HOWE, "2026-04-04T12:00:00Z", "2026-04-05T01:15+11:00 2026-04-05T01:45+11:00"),
        ("01:45-02:15", LORD_HOWE, "2026-04-04T12:00:00Z", "2026-04-05T01:45+11:00 2026-04-05T02:15+10:30"),
    ] {
        assert_changes(&[text], zone, from, &[expected]);
    }
    // What touches still touches.
    assert_changes(
        &["01:00-02:30", "02:30-05:00"],
        BERLIN,
        "2026-10-24T12:00:00Z",
        &["2026-10-25T01:00+02:00 2026-10-25T05:00+01:00"],
    );
}

#[test]
fn a_week_in_which_the_only_break_is_skipped_has_none() {
    assert_changes(
        &["mon-sat 00:00-24:00", "sun 00:00-02:00", "sun 03:00-24:00"],
        BERLIN,
        "2026-03-22T01:30:00Z",
        &["2026-03-22T03:00+01:00 2026-04-05T02:00+02:00"],
    );
}

#[test]
fn at_the_ends_of_representable_time_nothing_is_found_and_nothing_breaks() {
    let windows = windows(&["01:00-06:00"], BERLIN);
    assert!(windows.opens_at(Timestamp::MIN).is_some());
    assert!(!windows.is_open(Timestamp::MAX));
    assert_eq!(windows.opens_at(Timestamp::MAX), None);
    assert_eq!(windows.closes_at(Timestamp::MIN), Some(Timestamp::MIN));
}

#[test]
fn a_window_or_a_zone_that_is_wrong_is_refused_with_a_sentence() {
    let parse = |texts: &[&str], zone| {
        let texts: Vec<_> = texts.iter().map(|text| (*text).to_owned()).collect();
        Windows::parse(&texts, zone).expect_err(zone).to_string()
    };
    assert_eq!(
        parse(&["01:00-06:00", " 22:00-25:00 "], BERLIN),
        "the window \"22:00-25:00\" is wrong: \"25:00\" is no time of the day; accepted is 00:00-23:59, and 24:00 at the end of a window"
    );
    assert_eq!(
        parse(&[], "Berlin"),
        "there is no time zone \"Berlin\"; write one of the IANA database, such as Europe/Berlin or UTC"
    );
}

/// A window as numbers, and whether its days are written.
type Numbers = ([bool; 7], i32, i32);

fn text(&(days, opens, closes): &Numbers) -> String {
    let names = ["sun", "mon", "tue", "wed", "thu", "fri", "sat"];
    let days: Vec<_> = names.iter().zip(days).filter(|(_, is)| *is).map(|(name, _)| *name).collect();
    let time = |minutes: i32| format!("{:02}:{:02}", minutes / 60, minutes % 60);
    format!("{} {}-{}", days.join(","), time(opens), time(closes))
}

/// Whether what the clock shows is in the window that this day or the day before opened.
fn shows(&(days, opens, closes): &Numbers, time: DateTime) -> bool {
    let minute = i32::from(time.hour()) * 60 + i32::from(time.minute());
    let is_its =
        |time: DateTime| days[usize::try_from(time.weekday().to_sunday_zero_offset()).expect("small")];
    let is_night = closes <= opens;
    let this_day = minute >= opens && (minute < closes || is_night);
    let day_before = is_night && minute < closes;
    this_day && is_its(time) || day_before && is_its(time - 1.day())
}

fn numbers() -> impl Strategy<Value = Numbers> {
    let days = any::<[bool; 7]>().prop_map(|days| if days.contains(&true) { days } else { [true; 7] });
    // Often at the hours at which clocks are changed.
    let minute = || prop_oneof![0..1_440, 0..300, (0..6).prop_map(|half_hours| half_hours * 30)];
    let closes = prop_oneof![4 => minute(), 1 => Just(1_440)];
    (days, minute(), closes).prop_filter("no time", |(_, opens, closes)| opens != closes)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(150))]

    #[test]
    fn minute_by_minute_it_is_open_when_the_latest_time_that_the_clock_has_shown_is_in_a_window(
        numbers in proptest::collection::vec(numbers(), 1..4),
        (zone, start) in zone_and_minute(),
    ) {
        let texts: Vec<_> = numbers.iter().map(text).collect();
        let windows = Windows::parse(&texts, zone).expect("they are generated from the grammar");
        let minutes = |from: Timestamp| (0..).map(move |minutes| from + SignedDuration::from_mins(minutes));
        // In the second pass of an autumn hour, the latest time is the end of the first.
        let mut latest = DateTime::MIN;
        let is_open = |minute| {
            latest = latest.max(windows.zone.to_datetime(minute));
            numbers.iter().any(|numbers| shows(numbers, latest))
        };
        // A day ahead, to know it.
        let expected = minutes(start - SignedDuration::from_hours(24)).map(is_open).skip(24 * 60);
        let expected: Vec<bool> = expected.take(10 * 24 * 60).collect();
        for (index, minute) in minutes(start).take(2 * 24 * 60).enumerate() {
            let told = format!("{texts:?} in {zone} at {minute}");
            prop_assert_eq!(windows.is_open(minute), expected[index], "{}", told);
            if index % 50 > 0 && expected[index] == expected[index - 1] {
                continue;
            }
            // Eight days ahead everything has happened once; what has not, may be further away.
            let when = |is_open: bool| {
                let found = expected[index..].iter().position(|is| *is == is_open);
                found.map(|ahead| minute + SignedDuration::from_mins(i64::try_from(ahead).expect("small")))
            };
            let within = |found: Option<Timestamp>| found.filter(|at| *at < start + SignedDuration::from_hours(240));
            prop_assert_eq!(within(windows.opens_at(minute)), when(true), "{}", told);
            prop_assert_eq!(within(windows.closes_at(minute)), when(false), "{}", told);
        }
    }
}
