//! The rules of the module, each with concrete dates. Days on which clocks are changed, in 2026: New York 8 March and
//! 1 November, Berlin 29 March and 25 October, Lord Howe (by half an hour) 5 April and 4 October.

use jiff::Timestamp;

use super::Schedule;

const NEW_YORK: &str = "America/New_York";
const BERLIN: &str = "Europe/Berlin";
const LORD_HOWE: &str = "Australia/Lord_Howe";
const KOLKATA: &str = "Asia/Kolkata";

fn schedule(expression: &str, zone: &str) -> Schedule {
    Schedule::parse(expression, zone).expect(expression)
}

/// The next occurrences, in local time with the offset.
fn next(expression: &str, zone: &str, after: &str, count: usize) -> Vec<String> {
    let schedule = schedule(expression, zone);
    let after = after.parse().expect("a time");
    let local = |due: Timestamp| due.to_zoned(schedule.time_zone().clone()).strftime("%FT%T%:z").to_string();
    schedule.after(after).take(count).map(local).collect()
}

#[track_caller]
fn assert_next(expression: &str, zone: &str, after: &str, expected: &[&str]) {
    let count = expected.len();
    assert_eq!(next(expression, zone, after, count), expected, "{expression} in {zone} after {after}");
}

#[test]
fn five_fields_are_minute_hour_day_month_and_day_of_the_week() {
    // 21 November 2026 is a Saturday.
    for (expression, expected) in [
        ("* * * * *", ["2026-11-21T12:01:00+00:00", "2026-11-21T12:02:00+00:00"]),
        ("30 2 * * *", ["2026-11-22T02:30:00+00:00", "2026-11-23T02:30:00+00:00"]),
        ("0 6,18 * * *", ["2026-11-21T18:00:00+00:00", "2026-11-22T06:00:00+00:00"]),
        ("5 4 1 * *", ["2026-12-01T04:05:00+00:00", "2027-01-01T04:05:00+00:00"]),
        ("5 4 1 */6 *", ["2027-01-01T04:05:00+00:00", "2027-07-01T04:05:00+00:00"]),
        ("0 0 31 * *", ["2026-12-31T00:00:00+00:00", "2027-01-31T00:00:00+00:00"]),
        ("0 0 * * 0", ["2026-11-22T00:00:00+00:00", "2026-11-29T00:00:00+00:00"]),
        ("0 0 * * 7", ["2026-11-22T00:00:00+00:00", "2026-11-29T00:00:00+00:00"]),
        ("0 0 * * 1", ["2026-11-23T00:00:00+00:00", "2026-11-30T00:00:00+00:00"]),
        ("0 0 * * Mon", ["2026-11-23T00:00:00+00:00", "2026-11-30T00:00:00+00:00"]),
        ("0 0 * * 6", ["2026-11-28T00:00:00+00:00", "2026-12-05T00:00:00+00:00"]),
        ("0 0 * * 5-7", ["2026-11-22T00:00:00+00:00", "2026-11-27T00:00:00+00:00"]),
        ("0 0 * * fri-sun", ["2026-11-22T00:00:00+00:00", "2026-11-27T00:00:00+00:00"]),
        ("0 0 * feb-mar wed", ["2027-02-03T00:00:00+00:00", "2027-02-10T00:00:00+00:00"]),
        ("*/25 13 * * *", ["2026-11-21T13:00:00+00:00", "2026-11-21T13:25:00+00:00"]),
    ] {
        assert_next(expression, "UTC", "2026-11-21T12:00:00Z", &expected);
    }
}

#[test]
fn six_fields_begin_with_the_second() {
    for (expression, expected) in [
        ("*/20 * * * * *", ["2026-11-21T12:00:20+00:00", "2026-11-21T12:00:40+00:00"]),
        ("15 30 2 * * *", ["2026-11-22T02:30:15+00:00", "2026-11-23T02:30:15+00:00"]),
        ("0 0 0 * * 1", ["2026-11-23T00:00:00+00:00", "2026-11-30T00:00:00+00:00"]),
    ] {
        assert_next(expression, "UTC", "2026-11-21T12:00:00Z", &expected);
    }
}

#[test]
fn nicknames_are_due_at_the_beginning_of_what_they_name() {
    for (expression, expected) in [
        ("@hourly", "2026-11-21T17:00:00+05:30"),
        ("@daily", "2026-11-22T00:00:00+05:30"),
        ("@midnight", "2026-11-22T00:00:00+05:30"),
        ("@weekly", "2026-11-22T00:00:00+05:30"),
        ("@monthly", "2026-12-01T00:00:00+05:30"),
        ("@yearly", "2027-01-01T00:00:00+05:30"),
        ("@annually", "2027-01-01T00:00:00+05:30"),
    ] {
        assert_next(expression, KOLKATA, "2026-11-21T11:00:00Z", &[expected]);
    }
}

#[test]
fn either_day_is_enough_when_neither_field_begins_with_a_star() {
    for (expression, expected) in [
        // The 13th, and every Friday.
        ("0 0 13 * fri", ["2026-11-06", "2026-11-13", "2026-11-20", "2026-11-27", "2026-12-04"]),
        ("0 0 1,15 * 3", ["2026-11-04", "2026-11-11", "2026-11-15", "2026-11-18", "2026-11-25"]),
        // A range that takes everything does not begin with a star.
        ("0 0 1-31 * fri", ["2026-11-02", "2026-11-03", "2026-11-04", "2026-11-05", "2026-11-06"]),
        // Both: Fridays with an odd date; the 13th, on a Sunday, a Tuesday, a Thursday or a Saturday.
        ("0 0 */2 * fri", ["2026-11-13", "2026-11-27", "2026-12-11", "2026-12-25", "2027-01-01"]),
        ("0 0 13 * */2", ["2026-12-13", "2027-02-13", "2027-03-13", "2027-04-13", "2027-05-13"]),
        ("0 0 * * fri", ["2026-11-06", "2026-11-13", "2026-11-20", "2026-11-27", "2026-12-04"]),
    ] {
        let days: Vec<_> = expected.iter().map(|day| format!("{day}T00:00:00+00:00")).collect();
        let days: Vec<_> = days.iter().map(String::as_str).collect();
        assert_next(expression, "UTC", "2026-11-01T12:00:00Z", &days);
    }
}

#[test]
fn a_time_that_does_not_exist_is_due_at_the_end_of_the_gap() {
    for (zone, expression, after, expected) in [
        (
            BERLIN,
            "30 2 * * *",
            "2026-03-27T12:00:00Z",
            ["2026-03-28T02:30:00+01:00", "2026-03-29T03:00:00+02:00", "2026-03-30T02:30:00+02:00"],
        ),
        (
            NEW_YORK,
            "0 2 * * *",
            "2026-03-07T12:00:00Z",
            ["2026-03-08T03:00:00-04:00", "2026-03-09T02:00:00-04:00", "2026-03-10T02:00:00-04:00"],
        ),
        (
            LORD_HOWE,
            "15 2 * * *",
            "2026-10-03T00:00:00Z",
            ["2026-10-04T02:30:00+11:00", "2026-10-05T02:15:00+11:00", "2026-10-06T02:15:00+11:00"],
        ),
        // Outside the half hour nothing happens.
        (
            LORD_HOWE,
            "45 2 * * *",
            "2026-10-02T17:00:00Z",
            ["2026-10-04T02:45:00+11:00", "2026-10-05T02:45:00+11:00", "2026-10-06T02:45:00+11:00"],
        ),
        // Midnight itself is in the gap.
        (
            "Africa/Cairo",
            "@daily",
            "2026-04-23T12:00:00Z",
            ["2026-04-24T01:00:00+03:00", "2026-04-25T00:00:00+03:00", "2026-04-26T00:00:00+03:00"],
        ),
        // The whole of 30 December is.
        (
            "Pacific/Apia",
            "0 3 * * *",
            "2011-12-29T00:00:00Z",
            ["2011-12-29T03:00:00-10:00", "2011-12-31T00:00:00+14:00", "2011-12-31T03:00:00+14:00"],
        ),
        (
            KOLKATA,
            "30 2 * * *",
            "2026-03-28T00:00:00Z",
            ["2026-03-29T02:30:00+05:30", "2026-03-30T02:30:00+05:30", "2026-03-31T02:30:00+05:30"],
        ),
    ] {
        assert_next(expression, zone, after, &expected);
    }
}

#[test]
fn all_that_falls_into_one_gap_is_one_occurrence_with_what_is_due_at_its_end() {
    for (expression, expected) in [
        (
            "*/10 2 * * *",
            ["2026-03-29T03:00:00+02:00", "2026-03-30T02:00:00+02:00", "2026-03-30T02:10:00+02:00"],
        ),
        (
            "0 2,3 * * *",
            ["2026-03-29T03:00:00+02:00", "2026-03-30T02:00:00+02:00", "2026-03-30T03:00:00+02:00"],
        ),
        (
            "* * 2 * * *",
            ["2026-03-29T03:00:00+02:00", "2026-03-30T02:00:00+02:00", "2026-03-30T02:00:01+02:00"],
        ),
        (
            "30 1-3 * * *",
            ["2026-03-29T01:30:00+01:00", "2026-03-29T03:00:00+02:00", "2026-03-29T03:30:00+02:00"],
        ),
    ] {
        assert_next(expression, BERLIN, "2026-03-28T12:00:00Z", &expected);
    }
}

#[test]
fn a_time_that_exists_twice_is_due_in_the_first_pass() {
    for (zone, expression, after, expected) in [
        (
            BERLIN,
            "30 2 * * *",
            "2026-10-24T12:00:00Z",
            ["2026-10-25T02:30:00+02:00", "2026-10-26T02:30:00+01:00"],
        ),
        // Asked between the passes, and in the second one.
        (
            BERLIN,
            "30 2 * * *",
            "2026-10-25T00:30:00Z",
            ["2026-10-26T02:30:00+01:00", "2026-10-27T02:30:00+01:00"],
        ),
        (
            BERLIN,
            "30 2 * * *",
            "2026-10-25T01:10:00Z",
            ["2026-10-26T02:30:00+01:00", "2026-10-27T02:30:00+01:00"],
        ),
        (
            BERLIN,
            "*/30 2 * * *",
            "2026-10-25T00:00:00Z",
            ["2026-10-25T02:30:00+02:00", "2026-10-26T02:00:00+01:00"],
        ),
        (
            NEW_YORK,
            "30 1 * * *",
            "2026-11-01T00:00:00Z",
            ["2026-11-01T01:30:00-04:00", "2026-11-02T01:30:00-05:00"],
        ),
        (
            NEW_YORK,
            "0 1,2 * * *",
            "2026-11-01T00:00:00Z",
            ["2026-11-01T01:00:00-04:00", "2026-11-01T02:00:00-05:00"],
        ),
        (
            LORD_HOWE,
            "45 1 * * *",
            "2026-04-04T00:00:00Z",
            ["2026-04-05T01:45:00+11:00", "2026-04-06T01:45:00+10:30"],
        ),
        (
            LORD_HOWE,
            "0 2 * * *",
            "2026-04-04T00:00:00Z",
            ["2026-04-05T02:00:00+10:30", "2026-04-06T02:00:00+10:30"],
        ),
        // Some hours are left out: these are given hours.
        (
            BERLIN,
            "0 */2 * * *",
            "2026-10-24T22:00:00Z",
            ["2026-10-25T02:00:00+02:00", "2026-10-25T04:00:00+01:00"],
        ),
    ] {
        assert_next(expression, zone, after, &expected);
    }
}

#[test]
fn what_is_due_every_hour_follows_real_time_through_both_passes() {
    for expression in ["0 * * * *", "@hourly", "0 */1 * * *", "0 0-23 * * *", "0 0 * * * *"] {
        assert_next(
            expression,
            NEW_YORK,
            "2026-11-01T04:00:00Z",
            &["2026-11-01T01:00:00-04:00", "2026-11-01T01:00:00-05:00", "2026-11-01T02:00:00-05:00"],
        );
        assert_next(
            expression,
            NEW_YORK,
            "2026-03-08T05:30:00Z",
            &["2026-03-08T01:00:00-05:00", "2026-03-08T03:00:00-04:00", "2026-03-08T04:00:00-04:00"],
        );
    }
    assert_next(
        "*/30 * * * *",
        BERLIN,
        "2026-10-25T00:00:00Z",
        &[
            "2026-10-25T02:30:00+02:00",
            "2026-10-25T02:00:00+01:00",
            "2026-10-25T02:30:00+01:00",
            "2026-10-25T03:00:00+01:00",
        ],
    );
    assert_next(
        "45 * * * *",
        LORD_HOWE,
        "2026-04-04T14:00:00Z",
        &["2026-04-05T01:45:00+11:00", "2026-04-05T01:45:00+10:30", "2026-04-05T02:45:00+10:30"],
    );
    // Nothing is made up for in spring: the next one is not far.
    assert_next(
        "30 * * * *",
        BERLIN,
        "2026-03-29T00:00:00Z",
        &["2026-03-29T01:30:00+01:00", "2026-03-29T03:30:00+02:00", "2026-03-29T04:30:00+02:00"],
    );
    assert_next(
        "15 * * * *",
        LORD_HOWE,
        "2026-10-03T14:30:00Z",
        &["2026-10-04T01:15:00+10:30", "2026-10-04T03:15:00+11:00"],
    );
}

#[test]
fn every_counts_from_the_epoch_whatever_the_zone() {
    for zone in ["UTC", NEW_YORK, BERLIN, LORD_HOWE, KOLKATA] {
        let schedule = schedule("@every 6h", zone);
        let after = "2026-10-24T23:00:00Z".parse().expect("a time");
        let due: Vec<_> = schedule.after(after).take(3).map(|due| due.to_string()).collect();
        assert_eq!(due, ["2026-10-25T00:00:00Z", "2026-10-25T06:00:00Z", "2026-10-25T12:00:00Z"], "{zone}");
    }
}

#[test]
fn occurrences_are_strictly_later_than_the_instant_asked_about() {
    for (after, expected) in [
        ("2026-11-21T01:59:59.999999999Z", "2026-11-21T02:00:00+00:00"),
        ("2026-11-21T02:00:00Z", "2026-11-22T02:00:00+00:00"),
        ("2026-11-21T02:00:00.000000001Z", "2026-11-22T02:00:00+00:00"),
        ("1969-12-31T23:59:59.5Z", "1970-01-01T02:00:00+00:00"),
    ] {
        assert_next("0 2 * * *", "UTC", after, &[expected]);
    }
    // Asked at the end of a gap itself.
    assert_next("30 2 * * *", BERLIN, "2026-03-29T01:00:00Z", &["2026-03-30T02:30:00+02:00"]);
}

#[test]
fn what_never_matches_has_no_occurrence_and_says_so_at_once() {
    for expression in ["0 0 30 2 *", "0 0 31 4,6,9,11 *", "* * 31 feb *", "* * * 30 2 *", "0 0 30 2 */7"] {
        for zone in ["UTC", BERLIN] {
            assert_eq!(next(expression, zone, "2026-01-01T00:00:00Z", 1), [""; 0], "{expression}");
        }
    }
}

#[test]
fn leap_days_far_away_are_found() {
    assert_next("0 0 29 2 *", BERLIN, "2028-03-01T00:00:00Z", &["2032-02-29T00:00:00+01:00"]);
    assert_next("0 * 29 2 *", BERLIN, "2028-03-01T00:00:00Z", &["2032-02-29T00:00:00+01:00"]);
    // A leap day on a Sunday, in time with a star.
    assert_next("0 0 29 2 */7", "UTC", "2032-03-01T00:00:00Z", &["2060-02-29T00:00:00+00:00"]);
}

#[test]
fn nothing_is_due_beyond_the_horizon() {
    for after in ["2100-12-31T23:59:59Z", "9999-01-01T00:00:00Z"] {
        assert_eq!(next("* * * * *", "UTC", after, 1), [""; 0]);
        assert_eq!(next("0 2 * * *", NEW_YORK, after, 1), [""; 0]);
    }
    for after in [Timestamp::MIN, Timestamp::MAX] {
        for expression in ["* * * * *", "0 2 * * *", "@every 1h"] {
            let found = schedule(expression, BERLIN).after(after).next();
            assert_eq!(found.is_some(), after == Timestamp::MIN, "{expression}: {found:?}");
        }
    }
}

#[test]
fn a_zone_that_is_not_there_is_refused_with_its_name() {
    for zone in ["Mars/Olympus_Mons", "", "+02:00", "Etc/Unknown", "../etc/passwd"] {
        let said = Schedule::parse("@daily", zone).expect_err(zone).to_string();
        let expected = format!(
            "the schedule \"@daily\" is wrong: there is no time zone \"{zone}\"; write one of the IANA database, such as Europe/Berlin or UTC"
        );
        assert_eq!(said, expected);
    }
}
