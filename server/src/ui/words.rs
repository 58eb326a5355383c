//! Numbers, times and durations as people read them.

use charon_engine::with_commas;
use jiff::{SignedDuration, Timestamp, tz::TimeZone};
use maud::{Markup, html};

/// A count with its noun: `1 item`, `12,408 items`.
pub(crate) fn counted(count: u64, one: &str, many: &str) -> String {
    format!("{} {}", with_commas(count), if count == 1 { one } else { many })
}

/// What people call a meter of requests.
pub(crate) fn meter(meter: &str) -> &str {
    match meter {
        "api" => "Requests to the API",
        "media" => "Requests for bytes",
        other => other,
    }
}

/// A size: `312 B`, `4.2 MB`. Units are of 1,000, as disks and Google count them.
pub(crate) fn bytes(bytes: u64) -> String {
    const UNITS: [&str; 5] = ["kB", "MB", "GB", "TB", "PB"];
    if bytes < 1000 {
        return format!("{bytes} B");
    }
    #[expect(clippy::cast_precision_loss, reason = "three digits are shown")]
    let mut size = bytes as f64 / 1000.0;
    let mut unit = 0;
    while size >= 999.5 && unit + 1 < UNITS.len() {
        size /= 1000.0;
        unit += 1;
    }
    let digits = usize::from(size < 9.95);
    format!("{size:.digits$} {}", UNITS[unit])
}

/// How long something takes or took, in its two largest units: `45 s`, `3 min 20 s`, `21 h`, `2 d 4 h`.
pub(crate) fn duration(duration: SignedDuration) -> String {
    let seconds = duration.as_secs().unsigned_abs();
    let (days, hours, minutes) = (seconds / 86_400, seconds / 3600 % 24, seconds / 60 % 60);
    let two = |first: u64, unit: &str, second: u64, smaller: &str| match second {
        0 => format!("{first} {unit}"),
        second => format!("{first} {unit} {second} {smaller}"),
    };
    match (days, hours, minutes) {
        (0, 0, 0) => format!("{seconds} s"),
        (0, 0, minutes) => two(minutes, "min", if minutes < 10 { seconds % 60 } else { 0 }, "s"),
        (0, hours, minutes) => two(hours, "h", if hours < 10 { minutes } else { 0 }, "min"),
        (days, hours, _) => two(days, "d", if days < 10 { hours } else { 0 }, "h"),
    }
}

/// How long ago or ahead a moment is, in its largest unit: `3 h ago`, `in 21 h`, `now`.
pub(crate) fn relative(moment: Timestamp, now: Timestamp) -> String {
    let away = moment.duration_since(now);
    let seconds = away.as_secs().unsigned_abs();
    let text = match seconds {
        0..5 => return "now".to_owned(),
        5..60 => format!("{seconds} s"),
        60..3600 => format!("{} min", seconds / 60),
        3600..172_800 => format!("{} h", seconds / 3600),
        _ => format!("{} days", seconds / 86_400),
    };
    if away.is_negative() { format!("{text} ago") } else { format!("in {text}") }
}

/// A moment in a time zone: `28 Nov 2026, 09:25`.
pub(crate) fn moment(moment: Timestamp, zone: &TimeZone) -> String {
    moment.to_zoned(zone.clone()).strftime("%-d %b %Y, %H:%M").to_string()
}

/// A moment as a `time` element: how long ago or ahead it is, and when exactly for those who point at it.
pub(crate) fn ago(at: Timestamp, now: Timestamp, zone: &TimeZone) -> Markup {
    html! { time datetime=(at) title=(moment(at, zone)) { (relative(at, now)) } }
}

#[cfg(test)]
mod tests {
    use jiff::{SignedDuration, Timestamp, tz::TimeZone};

    use super::{bytes, counted, duration, moment, relative};

    #[test]
    fn numbers_are_said_as_people_read_them() {
        assert_eq!(counted(1, "item", "items"), "1 item");
        assert_eq!(counted(12_408, "item", "items"), "12,408 items");
        for (size, text) in [
            (0, "0 B"),
            (999, "999 B"),
            (1000, "1.0 kB"),
            (4_210_000, "4.2 MB"),
            (42_100_000, "42 MB"),
            (999_600, "1.0 MB"),
            (3_200_000_000_000, "3.2 TB"),
        ] {
            assert_eq!(bytes(size), text);
        }
        for (seconds, text) in [
            (0, "0 s"),
            (59, "59 s"),
            (200, "3 min 20 s"),
            (1200, "20 min"),
            (3600, "1 h"),
            (3900, "1 h 5 min"),
            (75_600, "21 h"),
            (187_200, "2 d 4 h"),
        ] {
            assert_eq!(duration(SignedDuration::from_secs(seconds)), text);
        }
    }

    #[test]
    fn moments_are_said_from_now_and_in_the_zone() {
        let now: Timestamp = "2026-11-28T09:25:00Z".parse().expect("a time");
        for (seconds, text) in [
            (0, "now"),
            (-30, "30 s ago"),
            (-10_900, "3 h ago"),
            (75_600, "in 21 h"),
            (-90_000, "25 h ago"),
            (-300_000, "3 days ago"),
        ] {
            assert_eq!(relative(now + SignedDuration::from_secs(seconds), now), text);
        }
        let berlin = TimeZone::get("Europe/Berlin").expect("a zone");
        assert_eq!(moment(now, &berlin), "28 Nov 2026, 10:25");
    }
}
