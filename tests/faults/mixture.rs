//! Faults in seeded random mixtures: several kinds at once, each meeting a share of the requests.

use charon_provider::Class;
use futures::{StreamExt, stream};
use gphotos_emulator::{Action, Fault, Limit, Oddity, SessionAnswer};
use jiff::SignedDuration;

use super::{
    account::{Account, Way},
    cases::{KINDS, kind},
};
use crate::support::dice::Dice;

/// How many mixtures; `CHARON_MIXTURES` asks for more.
const MIXTURES: u64 = 12;
/// After so many runs all must be there, however bad the weather was.
const RUNS: usize = 12;

/// Faults that pass by themselves.
fn passing() -> Vec<Action> {
    let too_many = |limit, retry_after_seconds| Action::TooManyRequests { limit, retry_after_seconds };
    vec![
        Action::Latency { ms: 20 },
        too_many(Limit::WritesPerMinutePerUser, None),
        too_many(Limit::WritesPerMinutePerUser, Some(3)),
        too_many(Limit::ConcurrentWrites, None),
        Action::ServerError { status: 500 },
        Action::ServerError { status: 503 },
        Action::ConnectionReset,
        Action::ResponseLost,
        Action::TruncatedBody { bytes: None },
        Action::TruncatedBody { bytes: Some(10) },
        Action::Html,
        Action::ExpiredBaseUrls,
        Action::ExpiredAccessToken,
        Action::EmptyPage,
        Action::RepeatedItem,
        Action::ShortListing { share: 0.3, seed: 1 },
        Action::SmallPages { items: 3 },
        Action::ItemError { code: 13, positions: vec![0, 2] },
        Action::ItemError { code: 6, positions: vec![1] },
        Action::Standstill { reads_body: true },
        Action::StalledBody { bytes: None },
        Action::ErrorAfterEffect { status: 503 },
        Action::MissingHeader { name: "X-Goog-Upload-Status".into() },
        Action::MissingHeader { name: "ETag".into() },
        Action::LostSession { answer: SessionAnswer::NotFound },
        Action::LostSession { answer: SessionAnswer::Final },
        Action::BrokenChunk { bytes: None },
        Action::Placeholder,
        Action::RangeIgnored,
        Action::WrongRange,
        Action::ShiftedPages { items: 2 },
        Action::ShiftedPages { items: -2 },
        Action::ExpiredPageTokens,
        Action::OddItem { oddity: Oddity::NoBaseUrl, positions: vec![0] },
        Action::NotFound,
        Action::SpentUploadTokens,
        Action::Aborted,
        Action::VideoProcessing,
    ]
}

/// Whether one of these kinds of faults may end in an error of this class.
fn may_be(class: Class, mixed: &[&str]) -> bool {
    match class {
        Class::Throttled => mixed.contains(&"too many requests") || mixed.contains(&"aborted"),
        Class::Transient | Class::Item => true,
        // A new token may be refused as well, and often enough.
        Class::Auth => mixed.contains(&"expired access token"),
        // A library or an album that is not there.
        Class::Config => mixed.contains(&"not found"),
        Class::Quota | Class::Destination => false,
    }
}

async fn play(number: u64, way: Way) {
    let mut dice = Dice(number);
    let mode = ["sync", "async", "off"][usize::try_from(dice.roll(3)).expect("one of three")];
    let account = Account::new(number, mode).await;
    let account = match way {
        Way::Backup => account.with_photos_there(40).await,
        Way::Upload => account.with_photos_here(30).await,
    };
    let actions = passing();
    let mut told = format!("mixture {number} of {way:?}, {mode}:");
    let mut mixed = Vec::new();
    for _ in 0..2 + dice.roll(4) {
        let kinds = u64::try_from(actions.len()).expect("a few");
        let action = actions[usize::try_from(dice.roll(kinds)).expect("a few")].clone();
        #[expect(clippy::cast_precision_loss, reason = "a share of a few hundredths")]
        let share = (2 + dice.roll(25)) as f64 / 100.0;
        told.push_str(&format!(" {action:?} for {share}"));
        mixed.push(kind(&action));
        account.fault(Fault::always(action).share(share, dice.roll(1_000)).times(3 + dice.roll(30)));
    }
    for _ in 0..RUNS {
        let summary = account.run(way).await;
        account.assert_nothing_is_wrong(way, &summary, &told);
        for error in &summary.errors {
            let class = error.class.expect("a class");
            assert!(may_be(class, &mixed), "{told}: {class:?} is of none of them: {error:?}");
        }
        let open = account.world().faults().iter().any(|fault| Some(fault.done) < fault.fault.times);
        if !open && summary.state.as_str() == "succeeded" && summary.skipped.is_empty() {
            break;
        }
        if !open {
            account.world().clear_faults();
        }
        account.wait(SignedDuration::from_hours(2));
    }
    account.world().clear_faults();
    account.run(way).await;
    account.assert_all_is_there(way, &told);
    account.assert_another_run_moves_nothing(way, &told).await;
}

/// Kinds that do not pass by themselves, and so are no part of a mixture: a person has to act first, or what was there before
/// the change is rightly kept.
const NOT_MIXED: &[&str] =
    &["revoked refresh token", "storage full", "api disabled", "insufficient scopes", "content changed"];

#[test]
fn every_kind_that_passes_is_mixed() {
    let mixed: Vec<_> = passing().iter().map(kind).collect();
    let forgotten: Vec<_> =
        KINDS.iter().filter(|kind| !mixed.contains(kind) && !NOT_MIXED.contains(kind)).collect();
    assert!(forgotten.is_empty(), "no mixture has {forgotten:?}");
}

async fn play_all(way: Way) {
    let mixtures =
        std::env::var("CHARON_MIXTURES").ok().and_then(|text| text.parse().ok()).unwrap_or(MIXTURES);
    stream::iter(1..=mixtures).for_each_concurrent(4, |number| play(number, way)).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_backup_survives_any_mixture_of_faults() {
    // I1, I2
    play_all(Way::Backup).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_upload_survives_any_mixture_of_faults() {
    // I1, I2
    play_all(Way::Upload).await;
}
