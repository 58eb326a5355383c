//! What a lane lets through, by a clock that the test moves.

use std::{future::Future, num::NonZeroU32, sync::Arc, time::Duration};

use charon_provider::Pace;
use futures::{FutureExt, future::BoxFuture};
use proptest::prelude::*;

use super::{Lane, Lanes, Transfer};
use crate::{
    clock::{Clock, ManualClock, SystemEntropy},
    ids::StorageId,
};

const START: &str = "2026-11-21T12:00:00Z";

fn clock() -> Arc<ManualClock> {
    Arc::new(ManualClock::at(START.parse().expect("a time")))
}

fn lane(clock: &Arc<ManualClock>, pace: Pace) -> Lane {
    let lane = Lane::new(Arc::<ManualClock>::clone(clock));
    lane.set_pace(pace);
    lane
}

fn rate(number: u32) -> Option<NonZeroU32> {
    NonZeroU32::new(number)
}

/// Does it, moving the clock whenever it waits; gives how long that took by the clock.
fn timed<T>(clock: &ManualClock, work: impl Future<Output = T>) -> (T, Duration) {
    let begun = clock.now();
    let mut work = Box::pin(work);
    loop {
        if let Some(done) = work.as_mut().now_or_never() {
            return (done, clock.now().duration_since(begun).unsigned_abs());
        }
        assert!(clock.advance_to_next(), "it waits for something that will not come");
    }
}

#[test]
fn requests_keep_to_so_many_a_minute() {
    // I7
    let clock = clock();
    let lane = lane(&clock, Pace { requests_per_minute: rate(60), ..Pace::default() });
    let ((), took) = timed(&clock, async {
        for _ in 0..61 {
            lane.permit().await;
        }
    });
    // The first at once, then one a second: no burst at the beginning.
    assert_eq!(took.as_secs(), 60);
}

proptest! {
    #[test]
    fn no_minute_has_more_requests_than_the_pace_allows(per_minute in 1_u32..200, pauses in prop::collection::vec(0_u64..5_000, 1..300)) {
        // I7
        let clock = clock();
        let lane = lane(&clock, Pace { requests_per_minute: rate(per_minute), ..Pace::default() });
        let mut at = Vec::new();
        for pause in pauses {
            clock.advance(Duration::from_millis(pause));
            timed(&clock, lane.permit());
            at.push(clock.now());
        }
        for (index, first) in at.iter().enumerate() {
            let end = first.checked_add(Duration::from_mins(1)).expect("a time");
            let within = at[index..].iter().take_while(|time| **time < end).count();
            prop_assert!(within <= per_minute as usize, "{within} requests in a minute");
        }
    }

    #[expect(clippy::cast_precision_loss, reason = "not that many bytes")]
    #[test]
    fn bytes_keep_to_so_many_a_second(per_second in prop_oneof![10_000_u32..1_000_000, 10_000_u32..=u32::MAX], chunks in prop::collection::vec(0_usize..300_000, 1..20)) {
        let clock = clock();
        let lane = lane(&clock, Pace { down: rate(per_second), ..Pace::default() });
        let total: usize = chunks.iter().sum();
        let ((), took) = timed(&clock, async {
            for chunk in &chunks {
                lane.bytes_down(*chunk).await;
            }
        });
        let needed = total as f64 / f64::from(per_second);
        // What the bucket holds at the beginning is one second's worth.
        prop_assert!(took.as_secs_f64() >= (needed - 1.0) * 0.999, "{total} bytes in {took:?}");
        // Nor is it slower than it need be.
        prop_assert!(took.as_secs_f64() <= needed * 1.01 + 0.001, "{took:?} for {needed} s");
    }

    #[test]
    fn transfers_never_exceed_the_limit_nor_get_stuck(steps in prop::collection::vec(0_u8..4, 1..400), ceiling in 1_usize..20) {
        let clock = clock();
        let lane = lane(&clock, Pace { connections: ceiling, ..Pace::default() });
        let mut held: Vec<Transfer> = Vec::new();
        for step in steps {
            match step {
                0 => {
                    let before = held.len();
                    match lane.transfer().now_or_never() {
                        Some(transfer) => {
                            prop_assert!(before < lane.slots.limit());
                            held.push(transfer);
                        }
                        None => prop_assert!(before >= lane.slots.limit()),
                    }
                }
                1 => drop(held.pop()),
                2 => if let Some(transfer) = held.pop() { transfer.worked() },
                _ => lane.slots.halve(),
            }
            prop_assert!((1..=ceiling).contains(&lane.slots.limit()));
        }
        held.clear();
        // All slots come back, and no more than there are.
        let limit = lane.slots.limit();
        let all: Vec<_> = (0..limit).map_while(|_| lane.transfer().now_or_never()).collect();
        prop_assert_eq!(all.len(), limit);
        prop_assert!(lane.transfer().now_or_never().is_none());
    }
}

#[test]
fn bandwidth_has_no_limit_unless_there_is_one() {
    let clock = clock();
    let lane = lane(&clock, Pace { up: rate(10), ..Pace::default() });
    let ((), took) = timed(&clock, lane.bytes_down(1_000_000));
    assert_eq!(took, Duration::ZERO);
    let ((), took) = timed(&clock, lane.bytes_up(100));
    assert_eq!(took.as_secs(), 9);
}

#[test]
fn nothing_goes_through_a_hold() {
    // I7
    let clock = clock();
    let lane = lane(&clock, Pace { requests_per_minute: rate(600), ..Pace::default() });
    lane.hold(Duration::from_secs(40));
    lane.hold(Duration::from_secs(5));
    let ((), took) = timed(&clock, lane.permit());
    assert_eq!(took.as_secs(), 40);
}

/// A clock that somebody sets.
#[derive(Debug)]
struct SetBack(std::sync::Mutex<Vec<&'static str>>);

#[async_trait::async_trait]
impl Clock for SetBack {
    fn now(&self) -> jiff::Timestamp {
        let mut times = self.0.lock().expect("not poisoned");
        let now = if times.len() > 1 { times.remove(0) } else { times[0] };
        now.parse().expect("a time")
    }

    async fn sleep(&self, how_long: Duration) {
        assert!(how_long <= Duration::from_secs(1), "it waits for {how_long:?}");
    }
}

#[test]
fn a_clock_that_is_set_back_makes_no_hold_longer() {
    let times = vec![
        "2026-11-21T12:00:00Z",
        "2026-11-21T12:00:00Z",
        "2026-11-21T11:00:00Z",
        "2026-11-21T11:00:39Z",
        "2026-11-21T11:00:40Z",
    ];
    let lane = Lane::new(Arc::new(SetBack(std::sync::Mutex::new(times))));
    lane.hold(Duration::from_secs(40));
    assert_eq!(lane.try_permit(), Err(Duration::from_secs(40)));
    lane.permit().now_or_never().expect("after a second at most");
}

#[test]
fn a_clock_that_is_set_back_holds_nobody_up() {
    // An hour back, then on as usual: what was taken before is not waited for.
    let times = vec![
        "2026-11-21T12:00:00Z",
        "2026-11-21T12:00:00Z",
        "2026-11-21T11:00:00Z",
        "2026-11-21T11:00:00Z",
        "2026-11-21T11:00:02Z",
    ];
    let lane = Lane::new(Arc::new(SetBack(std::sync::Mutex::new(times))));
    lane.set_pace(Pace { up: rate(10), ..Pace::default() });
    lane.bytes_up(10).now_or_never().expect("at once");
    lane.bytes_up(10).now_or_never().expect("after a second at most");
}

fn take_all(lane: &Lane) -> Vec<Transfer> {
    std::iter::from_fn(|| lane.transfer().now_or_never()).collect()
}

#[test]
fn who_asks_to_slow_down_halves_the_transfers_once_per_hold() {
    let clock = clock();
    let lane = lane(&clock, Pace { connections: 16, ..Pace::default() });
    let under_way = take_all(&lane);
    assert_eq!(under_way.len(), 16);
    // All that were under way are told the same.
    for _ in 0..16 {
        lane.slow_down(Duration::from_secs(30));
    }
    drop(under_way);
    assert_eq!(take_all(&lane).len(), 8);
    for expected in [4, 2, 1, 1] {
        clock.advance(Duration::from_secs(31));
        lane.slow_down(Duration::from_secs(30));
        assert_eq!(take_all(&lane).len(), expected);
    }
}

#[test]
fn transfers_that_work_bring_the_slots_back_slowly_and_not_beyond_the_ceiling() {
    let clock = clock();
    let lane = lane(&clock, Pace { connections: 4, ..Pace::default() });
    lane.slow_down(Duration::from_secs(30));
    let work = |times: usize| {
        for _ in 0..times {
            lane.transfer().now_or_never().expect("a slot").worked();
        }
        take_all(&lane).len()
    };
    assert_eq!(work(49), 2);
    assert_eq!(work(1), 3);
    assert_eq!(work(50), 4);
    assert_eq!(work(200), 4);
}

#[test]
fn a_lower_ceiling_counts_at_once_and_a_higher_one_too() {
    let clock = clock();
    let lane = lane(&clock, Pace { connections: 4, ..Pace::default() });
    let held = take_all(&lane);
    lane.set_pace(Pace { connections: 2, ..Pace::default() });
    drop(held);
    assert_eq!(take_all(&lane).len(), 2);
    lane.set_pace(Pace { connections: 32, ..Pace::default() });
    assert_eq!(take_all(&lane).len(), 32);
    lane.set_pace(Pace { connections: 0, ..Pace::default() });
    assert_eq!(take_all(&lane).len(), 1);
}

#[test]
fn runs_of_one_storage_share_a_lane_and_others_have_their_own() {
    // I8
    let clock = clock();
    let lanes = Lanes::new(Arc::<ManualClock>::clone(&clock));
    let (one, other) = (StorageId::new(&*clock, &SystemEntropy), StorageId::new(&*clock, &SystemEntropy));
    let (first, second, apart) = (lanes.of(one), lanes.of(one), lanes.of(other));
    let turn = first.turn_to_write().now_or_never().expect("nobody writes");
    let waits: BoxFuture<'_, _> = second.turn_to_write().boxed();
    assert!(waits.now_or_never().is_none(), "one write at a time");
    assert!(apart.turn_to_write().now_or_never().is_some());
    drop(turn);
    assert!(second.turn_to_write().now_or_never().is_some());
}
