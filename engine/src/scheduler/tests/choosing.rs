//! Which runs begin, and what the others wait for.

use std::collections::{HashMap, HashSet};

use charon_provider::Class;
use jiff::{SignedDuration, Timestamp};
use proptest::prelude::*;
use uuid::Uuid;

use super::{instant, live_run, plan_id, run_id};
use crate::{
    ids::{PlanId, StorageId},
    run::{RunState, Stop, Trigger},
    schedule::Windows,
    scheduler::choosing::{Allowed, Choice, Waiting, choose, has_rested},
    store::LiveRun,
    timing::Pause,
};

const MOST: usize = 3;

fn noon() -> Timestamp {
    instant("2026-01-10T12:00:00Z")
}

fn chosen(live: &[LiveRun]) -> Choice {
    choose(live, &HashMap::new(), noon(), MOST)
}

/// The numbers of the runs that begin, in order.
fn begun(live: &[LiveRun]) -> Vec<u128> {
    chosen(live).begin.iter().map(|run| run.0.as_u128()).collect()
}

fn queued(number: u128, plan: u128) -> LiveRun {
    live_run(number, plan, RunState::Queued)
}

fn in_lane(lane: &str, run: LiveRun) -> LiveRun {
    LiveRun { lane: lane.into(), ..run }
}

fn asked_for(run: LiveRun) -> LiveRun {
    LiveRun { trigger: Trigger::Manual, priority: 1, ..run }
}

fn allowed(windows: &[&str], pause: Option<Pause>) -> HashMap<PlanId, Allowed> {
    let windows: Vec<String> = windows.iter().map(|window| (*window).to_owned()).collect();
    let windows = Windows::parse(&windows, "UTC").expect("windows");
    HashMap::from([(plan_id(1), Allowed { windows, pause })])
}

#[test]
fn a_lane_takes_one_run_at_a_time_the_oldest_first_and_those_that_were_asked_for_before_all() {
    let a = |number, plan| in_lane("a", queued(number, plan));
    assert_eq!(begun(&[a(1, 1), a(2, 2), queued(3, 3)]), [1, 3]);
    assert_eq!(begun(&[a(1, 1), asked_for(a(2, 2)), queued(3, 3)]), [2, 3]);
    for state in [RunState::Running, RunState::Pausing] {
        let at_work = in_lane("a", live_run(1, 1, state));
        assert_eq!(begun(&[at_work.clone(), asked_for(a(2, 2))]), [0; 0]);
        let waiting = chosen(&[at_work, a(2, 2)]).waiting;
        assert_eq!(waiting[&run_id(2)].to_string(), "lane of storage 2 busy with plan 1");
    }
    // One that is parked or paused leaves its lane free.
    for state in [RunState::Parked, RunState::Paused] {
        assert_eq!(begun(&[in_lane("a", live_run(1, 1, state)), a(2, 2)]), [2]);
    }
}

#[test]
fn what_an_inbox_holds_goes_beside_another_run_of_its_storage_and_of_no_other() {
    // I8
    let of = |storage: u128, is_inbox, run| {
        let run = in_lane("a", run);
        LiveRun { storage: StorageId(Uuid::from_u128(storage)), is_inbox, ..run }
    };
    let at_work = |storage, is_inbox| of(storage, is_inbox, live_run(1, 1, RunState::Running));
    assert_eq!(begun(&[at_work(1, false), of(1, true, queued(2, 2))]), [2]);
    assert_eq!(begun(&[at_work(1, true), of(1, false, queued(2, 2))]), [2]);
    assert_eq!(begun(&[of(1, false, queued(2, 2)), of(1, true, queued(3, 3))]), [2, 3]);
    // Another storage of the same account has turns to commit of its own.
    assert_eq!(begun(&[at_work(1, false), of(2, true, queued(2, 2))]), [0; 0]);
    assert_eq!(begun(&[at_work(1, true), of(2, false, queued(2, 2))]), [0; 0]);
    assert_eq!(begun(&[at_work(1, true), of(2, true, queued(2, 2))]), [0; 0]);
    // It takes nobody's place.
    let full = (1..=MOST as u128).map(|number| live_run(number, number, RunState::Running));
    let inbox = LiveRun { is_inbox: true, ..queued(9, 9) };
    assert_eq!(begun(&full.chain([inbox, queued(10, 10)]).collect::<Vec<_>>()), [9]);
}

#[test]
fn so_many_are_at_work_at_once_and_no_more() {
    let live = [queued(1, 1), queued(2, 2), queued(3, 3), asked_for(queued(4, 4))];
    assert_eq!(begun(&live), [4, 1, 2]);
    assert_eq!(chosen(&live).waiting[&run_id(3)], Waiting::Limit(MOST));
    assert_eq!(begun(&[live_run(1, 1, RunState::Running), queued(2, 2), queued(3, 3), queued(4, 4)]), [2, 3]);
}

#[test]
fn the_runs_of_a_plan_go_one_after_the_other_and_one_that_has_begun_goes_first() {
    for state in [RunState::Running, RunState::Pausing, RunState::Paused, RunState::Parked] {
        let live = [live_run(1, 1, state), in_lane("another", queued(2, 1))];
        assert_eq!(begun(&live), [0; 0], "after one that is {state}");
        assert_eq!(chosen(&live).waiting[&run_id(2)], Waiting::SamePlan { state });
    }
    let interrupted = LiveRun { attempt: 2, ..queued(2, 1) };
    assert_eq!(begun(&[queued(1, 1), interrupted]), [2]);
    let live = [queued(1, 1), queued(2, 1)];
    assert_eq!(begun(&live), [1]);
    assert_eq!(
        chosen(&live).waiting[&run_id(2)].to_string(),
        "the run of the same plan before it, which is queued"
    );
}

#[test]
fn a_run_by_its_schedule_keeps_to_windows_and_pauses_and_one_that_was_asked_for_does_not() {
    let until = noon() + SignedDuration::from_hours(1);
    let opens = Waiting::Window(Some(instant("2026-01-10T22:00:00Z")));
    for (windows, pause, expected) in [
        (&["22:00-06:00"][..], None, opens.clone()),
        (&["11:00-13:00"], None, Waiting::Turn),
        (&["11:00-12:00"], None, Waiting::Window(Some(instant("2026-01-11T11:00:00Z")))),
        (&[], Some(Pause { until: None }), Waiting::Pause(None)),
        (&["22:00-06:00"], Some(Pause { until: Some(until) }), Waiting::Pause(Some(until))),
    ] {
        let allowed = allowed(windows, pause);
        let by_schedule = [queued(1, 1)];
        let choice = choose(&by_schedule, &allowed, noon(), MOST);
        assert_eq!(choice.waiting[&run_id(1)], expected, "{windows:?} {pause:?}");
        assert_eq!(choice.begin.is_empty(), expected != Waiting::Turn);
        let expected_again = match expected {
            Waiting::Window(at) | Waiting::Pause(at) => at,
            _ => None,
        };
        assert_eq!(choice.again_at, expected_again);
        for asked in [asked_for(queued(1, 1)), LiveRun { priority: 1, ..queued(1, 1) }] {
            let choice = choose(&[asked], &allowed, noon(), MOST);
            assert_eq!(choice.begin, [run_id(1)], "{windows:?} {pause:?}");
        }
    }
    // Others pass by.
    let closed = allowed(&["22:00-06:00"], None);
    let live = [in_lane("a", queued(1, 1)), in_lane("a", queued(2, 2))];
    assert_eq!(choose(&live, &closed, noon(), MOST).begin, [run_id(2)]);
}

#[test]
fn a_run_that_waits_for_a_window_goes_by_those_that_its_plan_has_now() {
    let evening = instant("2026-01-10T22:00:00Z");
    let paused = LiveRun { until: Some(evening), ..live_run(1, 1, RunState::Paused) };
    for (windows, opens_at) in
        [(&["22:00-06:00"][..], evening), (&["18:00-19:00"], instant("2026-01-10T18:00:00Z"))]
    {
        let allowed = allowed(windows, None);
        let choice = choose(std::slice::from_ref(&paused), &allowed, noon(), MOST);
        assert_eq!(choice.waiting[&run_id(1)], Waiting::Window(Some(opens_at)));
        assert_eq!(choice.again_at, Some(opens_at));
        assert!(!has_rested(&paused, &allowed, noon()));
    }
    for windows in [&["11:00-13:00"][..], &[]] {
        assert!(has_rested(&paused, &allowed(windows, None), noon()), "{windows:?}");
    }
    // One that somebody has paused waits for somebody.
    let held = LiveRun { until: None, ..paused };
    assert!(!has_rested(&held, &allowed(&[], None), noon()));
}

#[test]
fn what_a_run_waits_for_is_told_in_words() {
    let at = noon() + SignedDuration::from_mins(90);
    let stop = |class, until| Stop {
        state: RunState::Parked,
        class,
        message: "enter the token again".into(),
        until,
    };
    let parked =
        |class, until| LiveRun { until, stop: Some(stop(class, until)), ..live_run(1, 1, RunState::Parked) };
    let paused = |until| LiveRun { until, stop: Some(Stop::paused()), ..live_run(1, 1, RunState::Paused) };
    let later = LiveRun { start_after: Some(at), ..queued(1, 1) };
    for (run, text, again_at) in [
        (queued(1, 1), "its turn", None),
        (later, "begins at 2026-01-10 13:30 UTC", Some(at)),
        (parked(Some(Class::Quota), Some(at)), "budget until 2026-01-10 13:30 UTC", Some(at)),
        (
            parked(Some(Class::Throttled), Some(at)),
            "the account asked to be left alone until 2026-01-10 13:30 UTC",
            Some(at),
        ),
        (parked(Some(Class::Transient), Some(at)), "next attempt at 2026-01-10 13:30 UTC", Some(at)),
        (parked(Some(Class::Auth), None), "you: enter the token again", None),
        (paused(None), "you: resume it when it is to go on", None),
    ] {
        let choice = chosen(std::slice::from_ref(&run));
        assert_eq!(choice.waiting[&run_id(1)].to_string(), text);
        assert_eq!(choice.again_at, again_at, "{text}");
    }
    for (waiting, text) in [
        (Waiting::Engine, "nobody runs plans now: start `charon serve`, or run the plan"),
        (Waiting::Limit(4), "one of the 4 runs that may be at work at once"),
        (Waiting::Window(Some(at)), "window opens 2026-01-10 13:30 UTC"),
        (Waiting::Window(None), "none of the plan's windows ever opens"),
        (Waiting::Pause(None), "the plan is paused"),
        (Waiting::Pause(Some(at)), "the plan is paused until 2026-01-10 13:30 UTC"),
    ] {
        assert_eq!(waiting.to_string(), text);
    }
}

fn some_run() -> impl Strategy<Value = LiveRun> {
    let state = prop_oneof![
        6 => Just(RunState::Queued),
        1 => Just(RunState::Paused),
        1 => Just(RunState::Parked),
    ];
    let minutes = proptest::option::weighted(0.3, -90..90_i64);
    (0..6_u128, 0..4_u8, state, 0..2_u32, 0..2_i64, minutes.clone(), minutes).prop_map(
        |(plan, lane, state, attempt, priority, start_after, until)| {
            let at = |minutes: i64| noon() + SignedDuration::from_mins(minutes);
            LiveRun {
                attempt,
                priority,
                start_after: start_after.map(at),
                until: until.filter(|_| state != RunState::Queued).map(at),
                ..in_lane(&lane.to_string(), live_run(0, plan, state))
            }
        },
    )
}

/// Runs that have not ended, some of which may be at work as far as the rules allow it, and what their plans allow.
fn some_queue() -> impl Strategy<Value = (Vec<LiveRun>, HashMap<PlanId, Allowed>)> {
    let windows = prop_oneof![
        Just(Vec::new()),
        Just(vec!["22:00-06:00".to_owned()]),
        Just(vec!["11:00-13:00".to_owned()])
    ];
    let pause = proptest::option::weighted(0.2, proptest::option::of(1..90_i64));
    let plans = proptest::collection::vec((windows, pause), 6);
    (proptest::collection::vec((some_run(), any::<bool>()), 0..12), plans).prop_map(|(runs, plans)| {
        let (mut lanes, mut busy) = (HashSet::new(), HashSet::new());
        let mut live = Vec::new();
        for (number, (mut run, may_work)) in (1..).zip(runs) {
            run.run = run_id(number);
            let fits = busy.len() < MOST && !lanes.contains(&run.lane) && !busy.contains(&run.plan);
            if run.state == RunState::Queued && may_work && fits {
                lanes.insert(run.lane.clone());
                busy.insert(run.plan);
                (run.state, run.attempt) = (RunState::Running, 1);
            }
            live.push(run);
        }
        let allowed = (0..).zip(plans).map(|(plan, (windows, pause))| {
            let windows = Windows::parse(&windows, "UTC").expect("windows");
            let later = |minutes| noon() + SignedDuration::from_mins(minutes);
            let pause = pause.map(|until: Option<i64>| Pause { until: until.map(later) });
            (plan_id(plan), Allowed { windows, pause })
        });
        (live, allowed.collect())
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2_000))]

    #[test]
    fn never_two_in_one_lane_never_two_of_one_plan_never_more_than_the_most_and_nobody_waits_for_nothing(
        (live, allowed) in some_queue(),
    ) {
        let choice = choose(&live, &allowed, noon(), MOST);
        let begins = |run: &&LiveRun| choice.begin.contains(&run.run);
        let is_at_work = |run: &&LiveRun| run.state == RunState::Running;
        let at_work: Vec<&LiveRun> = live.iter().filter(|run| is_at_work(run) || begins(run)).collect();
        prop_assert!(at_work.len() <= MOST);
        let lanes: HashSet<&str> = at_work.iter().map(|run| run.lane.as_str()).collect();
        prop_assert_eq!(lanes.len(), at_work.len());
        let plans: HashSet<PlanId> = at_work.iter().map(|run| run.plan).collect();
        prop_assert_eq!(plans.len(), at_work.len());
        for run in &live {
            if is_at_work(&run) {
                prop_assert!(!choice.begin.contains(&run.run) && !choice.waiting.contains_key(&run.run));
                continue;
            }
            let waiting = choice.waiting.get(&run.run);
            let Some(waiting) = waiting else { return Err(TestCaseError::fail(format!("{run:?} waits for nothing"))) };
            prop_assert_eq!(begins(&run), *waiting == Waiting::Turn);
            let plan = &allowed[&run.plan];
            let is_true = match waiting {
                Waiting::Turn => run.state == RunState::Queued,
                Waiting::Lane { .. } => at_work.iter().any(|other| other.lane == run.lane),
                Waiting::SamePlan { state } => live.iter().any(|other| {
                    other.run != run.run && other.plan == run.plan && other.state == *state
                        && (*state != RunState::Queued || begins(&other))
                }),
                Waiting::Limit(most) => at_work.len() == *most,
                Waiting::Time(at) => run.start_after == Some(*at) && *at > noon(),
                Waiting::Window(at) if run.state == RunState::Queued => {
                    !plan.windows.is_open(noon()) && plan.windows.opens_at(noon()) == *at && run.keeps_to_windows()
                }
                Waiting::Pause(until) => plan.pause == Some(Pause { until: *until }) && run.keeps_to_windows(),
                Waiting::Window(Some(_)) => run.state == RunState::Paused && run.until.is_some(),
                Waiting::Attempt(at) => run.state == RunState::Parked && run.until == Some(*at),
                Waiting::Person(_) => run.state == RunState::Parked && run.until.is_none(),
                Waiting::Resume => run.state == RunState::Paused && run.until.is_none(),
                Waiting::Engine | Waiting::Window(None) | Waiting::Budget(_) | Waiting::Account(_) => false,
            };
            prop_assert!(is_true, "{:?} waits for {:?}", run, waiting);
            // Whatever ends by itself is looked at again when it ends.
            if let Waiting::Time(at) | Waiting::Window(Some(at)) | Waiting::Pause(Some(at)) | Waiting::Attempt(at) = waiting {
                prop_assert!(choice.again_at.is_some_and(|again_at| again_at <= *at));
            }
        }
    }
}
