//! `charon schedule next`: what scripts depend on.

use std::path::Path;

use serde_json::json;

use crate::support::{Ended, Place};

async fn next(place: &Place, arguments: &[&str]) -> Ended {
    in_zone(place, "UTC", arguments).await
}

/// The same, on a machine that is set to this zone.
async fn in_zone(place: &Place, zone: &str, arguments: &[&str]) -> Ended {
    let mut command = place.command(&[&["schedule", "next"], arguments].concat());
    command.env("TZ", zone).output().await.expect("the program runs").into()
}

#[tokio::test]
async fn the_next_occurrences_are_an_array_of_instants_for_scripts_and_local_times_for_people() {
    let place = Place::new().await;
    let arguments =
        ["30 2 * * *", "--timezone", "Europe/Berlin", "--after", "2026-03-28T00:00:00Z", "--count", "3"];
    let ended = next(&place, &[&arguments[..], &["--json"]].concat()).await;
    assert_eq!(ended.code, Some(0), "{ended:?}");
    let expected = json!(["2026-03-28T01:30:00Z", "2026-03-29T01:00:00Z", "2026-03-30T00:30:00Z"]);
    assert_eq!(ended.json(), expected);

    let ended = next(&place, &arguments).await;
    assert_eq!(ended.code, Some(0), "{ended:?}");
    assert_eq!(
        ended.stdout,
        "Sat 2026-03-28 02:30:00 +01:00\nSun 2026-03-29 03:00:00 +02:00\nMon 2026-03-30 02:30:00 +02:00\n"
    );
    // A time with an offset is the same instant.
    let shifted = ["30 2 * * *", "--timezone", "Europe/Berlin", "--after", "2026-03-28T02:00:00+02:00"];
    let ended = next(&place, &[&shifted[..], &["--count", "3", "--json"]].concat()).await;
    assert_eq!(ended.json(), expected);
    assert!(!Path::new(&place.data_dir()).exists(), "no data directory is made");
}

#[tokio::test]
async fn the_zone_is_the_systems_the_time_is_now_and_there_are_five_unless_told_otherwise() {
    let place = Place::new().await;
    let ended =
        in_zone(&place, "Asia/Kolkata", &["@daily", "--after", "2026-11-21T00:00:00Z", "--json"]).await;
    let expected = [21, 22, 23, 24, 25].map(|day| format!("2026-11-{day}T18:30:00Z"));
    assert_eq!(ended.json(), json!(expected));
    // A zone without a name is as good as unknown.
    let nameless = ["@daily", "--after", "2026-11-21T00:00:00Z", "-n", "1", "--json"];
    assert_eq!(in_zone(&place, "XYZ5", &nameless).await.json(), json!(["2026-11-22T00:00:00Z"]));

    let ended = next(&place, &["@every 1d", "--json", "--count", "1000"]).await;
    let due = ended.json();
    let due = due.as_array().expect("an array");
    assert_eq!(due.len(), 1000);
    assert!(due[0].as_str().expect("a text") > "2026", "now is not long ago: {}", due[0]);
}

#[tokio::test]
async fn what_is_never_due_is_an_empty_array_and_a_sentence() {
    let place = Place::new().await;
    let never = ["0 0 30 2 *", "--after", "2026-01-01T00:00:00Z"];
    let ended = next(&place, &[&never[..], &["--json"]].concat()).await;
    assert_eq!((ended.code, ended.json()), (Some(0), json!([])));
    let ended = next(&place, &never).await;
    assert_eq!((ended.code, &*ended.stdout), (Some(0), ""));
    assert_eq!(ended.stderr, "\"0 0 30 2 *\" is never due after 2026-01-01T00:00:00Z\n");
}

#[tokio::test]
async fn a_wrong_expression_zone_time_or_count_is_wrong_usage_and_says_what_is_accepted() {
    let place = Place::new().await;
    for (arguments, words) in [
        (&["0 25 * * *"][..], &["in the hour (field 2), \"25\" is out of range; accepted is 0-23"][..]),
        (&["* * * *"], &["the schedule \"* * * *\" is wrong: it has 4 fields; write five"]),
        (&["@every 0h"], &["the interval \"0h\" is shorter than one second"]),
        (&["@daily", "--timezone", "Berlin"], &["there is no time zone \"Berlin\"", "such as Europe/Berlin"]),
        (&["@daily", "--after", "yesterday"], &["the time \"yesterday\" is wrong", "2026-03-29T00:00:00Z"]),
        (&["@daily", "--after", "2026-03-29T00:00:00"], &["the time \"2026-03-29T00:00:00\" is wrong"]),
        (&["@daily", "--count", "0"], &["1..=1000"]),
        (&["@daily", "--count", "1001"], &["1..=1000"]),
        (&["0", "3", "*", "*", "*"], &["unexpected argument"]),
    ] {
        for json in [&[][..], &["--json"]] {
            let ended = next(&place, &[arguments, json].concat()).await;
            assert_eq!((ended.code, &*ended.stdout), (Some(2), ""), "{arguments:?}: {ended:?}");
            for word in words {
                assert!(ended.stderr.contains(word), "{word:?} is not told: {}", ended.stderr);
            }
        }
    }
    assert!(!place.data_dir().exists(), "no data directory is made");
}

#[tokio::test]
async fn the_help_says_what_becomes_of_times_that_clocks_skip_or_show_twice() {
    let place = Place::new().await;
    let ended = next(&place, &["--help"]).await;
    assert_eq!(ended.code, Some(0), "{ended:?}");
    let help = ended.stdout.split_whitespace().collect::<Vec<_>>().join(" ");
    for words in [
        "a time that does not exist is due when the clocks have jumped",
        "one that exists twice is due the first time",
        "What is due every hour follows real time",
        "an array of instants as RFC 3339 has them, in UTC",
    ] {
        assert!(help.contains(words), "{words:?} is not told: {help}");
    }
}
