//! A simple model beside the real engine: random operations on a clock that goes forward, jumps and is set back, with the engine
//! killed at any point and started again. No occurrence runs twice, none is lost, no run is stuck (I2, I3).
//!
//! `CHARON_MODEL_CASES` and `CHARON_MODEL_SEED` ask for more cases, and for those from another seed on.

mod believed;
mod case;
mod dice;
mod judging;
mod story;

use case::Case;

/// The operations of one case.
const OPERATIONS: u32 = 60;

fn number(variable: &str, default: u64) -> u64 {
    std::env::var(variable).ok().and_then(|text| text.parse().ok()).unwrap_or(default)
}

#[tokio::test]
async fn no_occurrence_runs_twice_none_is_lost_and_no_run_is_stuck_whatever_happens() {
    // I2, I3
    let first = number("CHARON_MODEL_SEED", 1);
    for seed in first..first + number("CHARON_MODEL_CASES", 12) {
        println!("seed {seed}");
        let mut case = Case::new(seed).await;
        for _ in 0..OPERATIONS {
            case.do_something().await;
        }
        case.let_everything_end().await;
    }
}
