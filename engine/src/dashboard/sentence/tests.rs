//! A table of what is said of plans that stand so and so.

use charon_provider::Class;
use jiff::{SignedDuration, Timestamp};
use uuid::Uuid;

use super::{Sentence, Tone, of_all, of_plan};
use crate::{
    dashboard::facts::{EndedBadly, Live, PlanFacts, Whole},
    ids::{PlanId, RunId, StorageId},
    run::RunState,
    store::Home,
};

fn now() -> Timestamp {
    "2026-11-28T12:00:00Z".parse().expect("a time")
}

fn hours(hours: i64) -> Timestamp {
    now() + SignedDuration::from_hours(hours)
}

/// A backup plan that is due in 21 hours and never ran.
fn plan() -> PlanFacts {
    PlanFacts {
        plan: PlanId(Uuid::nil()),
        name: "home".into(),
        kind: "backup",
        storage: "family".into(),
        storage_id: StorageId(Uuid::nil()),
        provider: "Google Photos".into(),
        has_schedule: true,
        next_at: Some(hours(21)),
        is_paused: false,
        paused_until: None,
        last_good_at: None,
        overdue_since: None,
        whole: None,
        last_end: None,
        live: None,
        home: None,
        damaged: 0,
        asked_about: 0,
    }
}

fn whole(shown: u64, safe: u64) -> Whole {
    Whole {
        run: RunId(Uuid::nil()),
        failed_in: RunId(Uuid::nil()),
        ended_at: hours(-3),
        shown,
        safe,
        left_out: 0,
        processed: 0,
        failed: 0,
        cause: None,
    }
}

/// One whose last run, three hours ago, was good.
fn good(shown: u64) -> PlanFacts {
    PlanFacts { whole: Some(whole(shown, shown)), last_good_at: Some(hours(-3)), ..plan() }
}

#[expect(clippy::unnecessary_wraps, reason = "it stands in a field that need not have any")]
fn live(state: RunState, safe: u64, waiting: Option<&str>) -> Option<Live> {
    Some(Live {
        run: RunId(Uuid::nil()),
        state,
        safe,
        waiting: waiting.map(str::to_owned),
        until: None,
        needs_person: waiting.is_some_and(|why| why.starts_with("you: ")),
        class: None,
    })
}

/// A run that waits until its account is connected again.
fn consent(why: &str) -> Option<Live> {
    let waits = live(RunState::Parked, 0, Some(&format!("you: {why}")));
    waits.map(|live| Live { class: Some(Class::Auth), ..live })
}

#[expect(clippy::unnecessary_wraps, reason = "it stands in a field that need not have any")]
fn failed(message: &str) -> Option<EndedBadly> {
    Some(EndedBadly {
        run: RunId(Uuid::nil()),
        state: RunState::Failed,
        ended_at: hours(-2),
        class: Some(Class::Destination),
        message: message.into(),
    })
}

#[test]
fn one_sentence_tells_the_truth_about_a_backup_plan() {
    // I10
    let cases: Vec<(PlanFacts, Tone, &str)> = vec![
        (
            good(12_408),
            Tone::Good,
            "All 12,408 items that Google Photos shows Charon are backed up. Last good run 3 h ago, next in 21 h.",
        ),
        (
            good(1),
            Tone::Good,
            "The only item that Google Photos shows Charon is backed up. Last good run 3 h ago, next in 21 h.",
        ),
        (
            PlanFacts { damaged: 2, ..good(1) },
            Tone::Attention,
            "The only item that Google Photos shows Charon is backed up. 2 files at home are known to be damaged. Last good run 3 h ago, \
             next in 21 h.",
        ),
        (
            good(0),
            Tone::Good,
            "Google Photos shows Charon no items, so there is nothing to back up. Last good run 3 h ago, next in 21 h.",
        ),
        (
            PlanFacts { whole: Some(Whole { left_out: 408, safe: 12_000, ..whole(12_408, 0) }), ..good(0) },
            Tone::Good,
            "All 12,000 items that Google Photos shows Charon are backed up; 408 more are left out, each for a reason. \
             Last good run 3 h ago, next in 21 h.",
        ),
        (
            PlanFacts { whole: Some(Whole { left_out: 8, ..whole(8, 0) }), ..good(0) },
            Tone::Good,
            "All 8 items that Google Photos shows Charon are left out, each for a reason. Last good run 3 h ago, next in 21 h.",
        ),
        (
            PlanFacts {
                whole: Some(Whole {
                    failed: 12,
                    processed: 2,
                    cause: Some("404 Not Found".into()),
                    ..whole(12_408, 12_394)
                }),
                last_good_at: Some(hours(-27)),
                ..plan()
            },
            Tone::Attention,
            "12,394 of the 12,408 items that Google Photos shows Charon are backed up: 12 failed (404 Not Found), 2 are still \
             being processed there. Last good run 27 h ago, next in 21 h.",
        ),
        (
            PlanFacts { whole: Some(Whole { processed: 1, ..whole(5, 4) }), ..good(0) },
            Tone::Working,
            "4 of the 5 items that Google Photos shows Charon are backed up: 1 is still being processed there. Last good run \
             3 h ago, next in 21 h.",
        ),
        (plan(), Tone::Attention, "Nothing is backed up yet: there was no run. It is due in 21 h."),
        (
            PlanFacts { has_schedule: false, next_at: None, ..plan() },
            Tone::Attention,
            "Nothing is backed up yet: there was no run. It runs when you ask for it.",
        ),
        (
            PlanFacts { live: live(RunState::Running, 1_204, None), ..plan() },
            Tone::Working,
            "The first run is at work: 1,204 items are home so far, and more may be found. It is due in 21 h.",
        ),
        (
            PlanFacts {
                live: live(RunState::Parked, 1, Some("budget until 2026-11-29 08:00 UTC")),
                ..plan()
            },
            Tone::Working,
            "The first run waits (budget until 2026-11-29 08:00 UTC): 1 item is home so far, and more may be found. It is due \
             in 21 h.",
        ),
        (
            PlanFacts {
                live: live(
                    RunState::Parked,
                    7,
                    Some("you: failed to renew the token: it was revoked (connect it again)"),
                ),
                ..plan()
            },
            Tone::Bad,
            "The first run waits for you: failed to renew the token: it was revoked (connect it again); 7 items are home so \
             far. It is due in 21 h.",
        ),
        (
            PlanFacts {
                last_end: failed("the disk of /mirror is full; make room"),
                home: Some(Home { items: 300, bytes: 1 }),
                ..plan()
            },
            Tone::Bad,
            "It is not known yet whether everything is backed up, since no run has come to its end: 300 items are home so \
             far. The last run failed 2 h ago: the disk of /mirror is full; make room. It is due in 21 h.",
        ),
        (
            PlanFacts { last_end: failed("the disk is full"), ..good(12_408) },
            Tone::Bad,
            "All 12,408 items that Google Photos showed Charon 3 h ago are backed up. The last run failed 2 h ago: the disk is \
             full. Last good run 3 h ago, next in 21 h.",
        ),
        (
            PlanFacts { overdue_since: Some(hours(-5 * 24)), ..good(9) },
            Tone::Bad,
            "All 9 items that Google Photos showed Charon 3 h ago are backed up. Overdue: there has been no good run for 5 \
             days. Last good run 3 h ago, next in 21 h.",
        ),
        (
            PlanFacts { live: live(RunState::Parked, 7, Some("you: it was revoked.")), ..good(9) },
            Tone::Bad,
            "All 9 items that Google Photos shows Charon are backed up. A run waits for you: it was revoked. Last good run 3 h \
             ago, next in 21 h.",
        ),
        (
            PlanFacts {
                live: consent("failed to renew the access token: invalid_grant; connect the storage again"),
                has_schedule: false,
                next_at: None,
                ..plan()
            },
            Tone::Bad,
            "The first run waits for you: the storage family has to be connected again; nothing is home yet.",
        ),
        (
            PlanFacts { live: consent("invalid_grant"), has_schedule: false, next_at: None, ..good(9) },
            Tone::Bad,
            "All 9 items that Google Photos shows Charon are backed up. A run waits for you: the storage family has to be \
             connected again. Last good run 3 h ago.",
        ),
        (
            PlanFacts { live: live(RunState::Running, 7, None), ..good(9) },
            Tone::Good,
            "All 9 items that Google Photos shows Charon are backed up. A run is at work now. Last good run 3 h ago, next in 21 h.",
        ),
        (
            PlanFacts { is_paused: true, next_at: None, ..good(9) },
            Tone::Attention,
            "All 9 items that Google Photos shows Charon are backed up. Last good run 3 h ago, the plan is paused until you \
             resume it.",
        ),
        (
            PlanFacts { is_paused: true, paused_until: Some(hours(72)), ..plan() },
            Tone::Attention,
            "Nothing is backed up yet: there was no run. The plan is paused for another 3 days.",
        ),
    ];
    for (plan, tone, expected) in cases {
        let said = of_plan(&plan, now());
        assert_eq!((said.tone, said.text.as_str()), (tone, expected), "{plan:?}");
    }
}

#[test]
fn an_upload_plan_speaks_of_files_and_where_they_go() {
    let upload = |facts: PlanFacts| PlanFacts { kind: "upload", ..facts };
    for (plan, expected) in [
        (
            good(1_310),
            "All 1,310 files in the folders are at the storage family. Last good run 3 h ago, next in 21 h.",
        ),
        (
            good(1),
            "The only file in the folders is at the storage family. Last good run 3 h ago, next in 21 h.",
        ),
        (
            good(0),
            "There are no files in the folders, so there is nothing to send. Last good run 3 h ago, next in 21 h.",
        ),
        (
            PlanFacts { whole: Some(Whole { failed: 1, ..whole(2, 1) }), ..good(0) },
            "1 of the 2 files in the folders is at the storage family: 1 failed. Last good run 3 h ago, next in 21 h.",
        ),
        (plan(), "Nothing is sent yet: there was no run. It is due in 21 h."),
        (
            PlanFacts { last_end: failed("no network"), ..good(3) },
            "All 3 files that were in the folders 3 h ago are at the storage family. The last run failed 2 h ago: no network. \
             Last good run 3 h ago, next in 21 h.",
        ),
    ] {
        assert_eq!(of_plan(&upload(plan), now()).text, expected);
    }
}

#[test]
fn what_is_said_of_all_plans_names_those_that_want_somebody() {
    let said = |plans: &[PlanFacts]| {
        let told: Vec<(PlanFacts, Sentence)> =
            plans.iter().map(|plan| (plan.clone(), of_plan(plan, now()))).collect();
        let told: Vec<(&PlanFacts, &Sentence)> = told.iter().map(|(plan, said)| (plan, said)).collect();
        let all = of_all(&told, now());
        (all.tone, all.text)
    };
    let upload = |name: &str, shown| PlanFacts { kind: "upload", name: name.into(), ..good(shown) };
    let named = |name: &str, plan: PlanFacts| PlanFacts { name: name.into(), ..plan };
    assert_eq!(said(&[]).0, Tone::Attention);
    assert_eq!(said(&[good(5)]).1, of_plan(&good(5), now()).text);
    for (plans, tone, expected) in [
        (
            vec![good(12_408), upload("out", 3)],
            Tone::Good,
            "All 12,408 items that Google Photos shows Charon are backed up. All 3 files in the folders are sent. Each had a \
             good run within the last 3 h; next in 21 h.",
        ),
        (
            vec![good(10), named("other", good(20))],
            Tone::Good,
            "All 30 items that Google Photos shows Charon are backed up, by 2 plans. Each had a good run within the \
             last 3 h; next in 21 h.",
        ),
        (
            vec![
                good(10),
                named("other", PlanFacts { last_end: failed("no disk"), ..good(20) }),
                upload("out", 0),
            ],
            Tone::Bad,
            "All 30 items that Google Photos shows Charon are backed up, by 2 plans. The plan other does not get on. \
             Each had a good run within the last 3 h; next in 21 h.",
        ),
        (
            vec![good(10), named("new", plan()), named("old", PlanFacts { is_paused: true, ..good(1) })],
            Tone::Attention,
            "Not everything has been backed up once yet. 2 plans want a look: new, old. The next run is in 21 h.",
        ),
        (
            vec![
                good(10),
                named("some", PlanFacts { whole: Some(Whole { failed: 2, ..whole(5, 3) }), ..plan() }),
            ],
            Tone::Attention,
            "13 of the 15 items that Google Photos shows Charon are backed up, by 2 plans. The plan some wants a look. The \
             next run is in 21 h.",
        ),
    ] {
        assert_eq!(said(&plans), (tone, expected.to_owned()));
    }
}

#[test]
fn a_long_reason_is_cut_where_a_sentence_or_a_word_ends() {
    let told = |message: &str| of_plan(&PlanFacts { last_end: failed(message), ..good(3) }, now()).text;
    let sentences = format!("The disk is full. {}", "Make room, for there is none. ".repeat(10));
    let kept = "Make room, for there is none. ".repeat(7);
    for (reason, expected) in [
        ("ä".repeat(1_000), format!(": {}… Last", "ä".repeat(240))),
        ("word, ".repeat(100), format!(": {}word… Last", "word, ".repeat(39))),
        (sentences, format!(": The disk is full. {} Last", kept.trim_end())),
    ] {
        let said = told(&reason);
        assert!(said.contains(&expected), "{said}");
    }
}
