//! Each fault alone: once it passes by itself, and once it stays until somebody does something about it.

use futures::{StreamExt, stream};
use gphotos_emulator::{Action, Fault, Limit, Oddity, SessionAnswer};
use jiff::SignedDuration;

use super::account::{Account, Way};

/// What a run comes to while a fault is there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Comes {
    /// Everything is done: the fault does not touch this way, or is got over within the run.
    Through,
    /// The run comes to its end with items that failed, each with this class.
    Partly(&'static str),
    /// The run comes to its end, and some items are left for a later one without having failed.
    Short,
    /// The run waits for a quota or a person, for this class of trouble.
    Parked(&'static str),
    /// The run ends before its end, for this class of trouble.
    Failed(&'static str),
}

use Comes::{Failed, Parked, Partly, Short, Through};

/// A fault, and what it does to a way through.
struct Case {
    action: Action,
    /// The methods it is played on; empty for all that it fits.
    on: &'static [&'static str],
    /// How many requests pass before it happens, and how often it then does, when it passes.
    when: (u64, u64),
    /// When it happens twice and then never again: backup, upload.
    passing: [Comes; 2],
    /// When it stays: backup, upload. `None` where it cannot stay for ever or where staying is no other matter.
    staying: [Option<Comes>; 2],
}

fn case(action: Action, passing: [Comes; 2], staying: [Option<Comes>; 2]) -> Case {
    Case { action, on: &[], when: (1, 2), passing, staying }
}

impl Case {
    fn on(mut self, methods: &'static [&'static str]) -> Self {
        self.on = methods;
        self
    }

    /// Happens so often, after so many requests.
    fn when(mut self, after: u64, times: u64) -> Self {
        self.when = (after, times);
        self
    }
}

/// One case at least for each kind of fault. A kind that is added to the emulator has to be added to [`kind`], and is then
/// missed here.
fn cases() -> Vec<Case> {
    let too_many = |limit, retry_after_seconds| Action::TooManyRequests { limit, retry_after_seconds };
    let both = |comes| [comes, comes];
    let stays = |comes| [Some(comes), Some(comes)];
    let never = [None, None];
    vec![
        case(Action::Latency { ms: 20 }, both(Through), stays(Through)),
        case(too_many(Limit::AllRequestsPerDay, None), both(Parked("quota")), stays(Parked("quota"))),
        case(
            too_many(Limit::WritesPerMinutePerUser, None),
            both(Through),
            [Some(Through), Some(Parked("throttled"))],
        ),
        case(too_many(Limit::WritesPerMinutePerUser, Some(5)), both(Through), never),
        case(
            too_many(Limit::ConcurrentWrites, None),
            both(Through),
            [Some(Through), Some(Parked("throttled"))],
        ),
        case(Action::ServerError { status: 500 }, both(Through), stays(Failed("transient"))),
        case(Action::ServerError { status: 502 }, both(Through), never),
        case(Action::ServerError { status: 503 }, both(Through), never),
        case(Action::ServerError { status: 504 }, both(Through), never),
        case(Action::ConnectionReset, both(Through), stays(Failed("transient"))),
        case(Action::ResponseLost, both(Through), stays(Failed("transient"))),
        case(Action::TruncatedBody { bytes: None }, both(Through), never),
        case(Action::Html, both(Through), stays(Failed("transient"))),
        case(Action::ExpiredBaseUrls, both(Through), [Some(Partly("item")), Some(Through)]),
        case(Action::ExpiredAccessToken, both(Through), stays(Parked("auth"))),
        case(Action::EmptyPage, both(Through), never),
        case(Action::RepeatedItem, both(Through), stays(Through)),
        case(Action::ShortListing { share: 0.4, seed: 3 }, [Short, Through], [Some(Short), Some(Through)]),
        case(Action::SmallPages { items: 2 }, both(Through), stays(Through)),
        case(
            Action::ItemError { code: 3, positions: vec![0, 2] },
            [Through, Partly("item")],
            [Some(Through), Some(Partly("item"))],
        ),
        case(
            Action::ItemError { code: 13, positions: vec![0, 2] },
            both(Through),
            [Some(Through), Some(Partly("transient"))],
        ),
        case(Action::SpentUploadTokens, both(Through), never),
        case(
            Action::StorageFull,
            [Through, Failed("destination")],
            [Some(Through), Some(Failed("destination"))],
        ),
        case(Action::Aborted, both(Through), [Some(Through), Some(Parked("throttled"))]),
        case(Action::NotFound, both(Through), never).on(&["mediaItems.batchGet", "mediaItems.batchCreate"]),
        case(Action::VideoProcessing, [Short, Through], [Some(Short), Some(Through)]).when(0, 1),
        case(Action::ApiDisabled, both(Parked("auth")), stays(Parked("auth"))).when(0, 2),
        case(Action::InsufficientScopes, [Parked("auth"), Through], stays(Parked("auth"))).when(0, 2),
        case(Action::RevokedRefreshToken, both(Parked("auth")), never).when(0, 2),
        case(too_many(Limit::RequestsPerMinutePerUser, None), both(Through), stays(Parked("throttled"))),
        case(too_many(Limit::RequestsPerMinutePerUser, Some(5)), both(Through), never)
            .on(&["media", "uploads"]),
        case(Action::Standstill { reads_body: true }, both(Through), never),
        case(Action::Standstill { reads_body: false }, both(Through), never),
        case(Action::StalledBody { bytes: None }, both(Through), never),
        case(Action::ErrorAfterEffect { status: 503 }, both(Through), never),
        case(Action::MissingHeader { name: "X-Goog-Upload-URL".into() }, both(Through), never),
        case(Action::MissingHeader { name: "X-Goog-Upload-Status".into() }, both(Through), stays(Through)),
        case(Action::MissingHeader { name: "ETag".into() }, both(Through), stays(Through)),
        case(Action::LostSession { answer: SessionAnswer::NotFound }, both(Through), never),
        case(Action::LostSession { answer: SessionAnswer::Gone }, both(Through), never),
        case(Action::LostSession { answer: SessionAnswer::Final }, both(Through), never),
        case(Action::LostSession { answer: SessionAnswer::Cancelled }, both(Through), never),
        case(Action::BrokenChunk { bytes: None }, both(Through), never),
        case(Action::BrokenChunk { bytes: Some(1) }, both(Through), never),
        case(Action::Placeholder, both(Through), [Some(Partly("item")), Some(Through)]),
        case(Action::RangeIgnored, both(Through), stays(Through)),
        case(Action::WrongRange, both(Through), stays(Through)),
        case(Action::ContentChanged, both(Through), never),
        case(Action::ShiftedPages { items: 3 }, both(Through), stays(Through)),
        case(Action::ShiftedPages { items: -3 }, [Short, Through], never),
        case(Action::ExpiredPageTokens, both(Through), never),
        case(
            Action::OddItem { oddity: Oddity::NoFilename, positions: vec![] },
            both(Through),
            stays(Through),
        ),
    ]
}

/// The name of a kind of fault. Without a wildcard, so that a new kind is not forgotten.
fn kind(action: &Action) -> &'static str {
    match action {
        Action::Latency { .. } => "latency",
        Action::TooManyRequests { .. } => "too many requests",
        Action::ServerError { .. } => "server error",
        Action::ConnectionReset => "connection reset",
        Action::ResponseLost => "response lost",
        Action::TruncatedBody { .. } => "truncated body",
        Action::Html => "html",
        Action::ExpiredBaseUrls => "expired base urls",
        Action::ExpiredAccessToken => "expired access token",
        Action::RevokedRefreshToken => "revoked refresh token",
        Action::EmptyPage => "empty page",
        Action::RepeatedItem => "repeated item",
        Action::ShortListing { .. } => "short listing",
        Action::SmallPages { .. } => "small pages",
        Action::ItemError { .. } => "item error",
        Action::SpentUploadTokens => "spent upload tokens",
        Action::StorageFull => "storage full",
        Action::Aborted => "aborted",
        Action::NotFound => "not found",
        Action::VideoProcessing => "video processing",
        Action::ApiDisabled => "api disabled",
        Action::InsufficientScopes => "insufficient scopes",
        Action::Standstill { .. } => "standstill",
        Action::StalledBody { .. } => "stalled body",
        Action::ErrorAfterEffect { .. } => "error after effect",
        Action::MissingHeader { .. } => "missing header",
        Action::LostSession { .. } => "lost session",
        Action::BrokenChunk { .. } => "broken chunk",
        Action::Placeholder => "placeholder",
        Action::RangeIgnored => "range ignored",
        Action::WrongRange => "wrong range",
        Action::ContentChanged => "content changed",
        Action::ShiftedPages { .. } => "shifted pages",
        Action::ExpiredPageTokens => "expired page tokens",
        Action::OddItem { .. } => "odd item",
    }
}

/// The kinds that there are.
const KINDS: usize = 35;

async fn play(case: Case, way: Way, passes: bool) {
    let Some(comes) = (if passes { Some(case.passing[way as usize]) } else { case.staying[way as usize] })
    else {
        return;
    };
    let told = format!(
        "{:?} on {:?}, {} ({way:?})",
        case.action,
        case.on,
        if passes { "passing" } else { "always" }
    );
    let account = Account::new(7).await;
    let account = match way {
        Way::Backup => account.with_photos_there(24).await,
        Way::Upload => account.with_photos_here(24).await,
    };
    if case.action == Action::RevokedRefreshToken {
        // A refresh token is only shown once the access token is refused.
        account.world().expire_access_tokens();
    }
    let fault = Fault::always(case.action.clone()).on(case.on);
    account.fault(if passes { fault.after(case.when.0).times(case.when.1) } else { fault });

    let summary = account.run(way).await;
    account.assert_nothing_is_wrong(way, &summary, &told);
    let state = summary.state.as_str();
    let classes: Vec<_> =
        summary.errors.iter().map(|error| error.class.map(|class| serde_json::json!(class))).collect();
    let all_are = |class: &str| !classes.is_empty() && classes.iter().all(|one| *one == Some(class.into()));
    let first_is = |class: &str| classes.first() == Some(&Some(class.into()));
    let as_expected = match comes {
        Through => state == "succeeded" && summary.skipped.is_empty(),
        Short => state == "succeeded",
        Partly(class) => state == "partial" && all_are(class),
        Parked(class) => state == "parked" && first_is(class),
        Failed(class) => state == "failed" && first_is(class),
    };
    assert!(as_expected, "{told}: expected {comes:?}: {summary:#?}");
    if comes == Through {
        account.assert_all_is_there(way, &told);
    }

    // The fault goes away, a person does what has to be done, and time passes.
    account.world().clear_faults();
    if case.action == Action::RevokedRefreshToken {
        account.consent_again().await;
    }
    account.wait(SignedDuration::from_hours(48));
    let summary = account.run(way).await;
    assert_eq!(summary.state.as_str(), "succeeded", "{told}: afterwards: {summary:#?}");
    account.assert_nothing_is_wrong(way, &summary, &told);
    account.assert_all_is_there(way, &told);
    account.assert_another_run_moves_nothing(way, &told).await;
}

async fn play_all(way: Way) {
    let both = (0..cases().len()).flat_map(|number| [(number, true), (number, false)]);
    let games = both.map(|(number, passes)| async move {
        // A task of its own, so that all that go wrong are told, and not the first alone.
        let case = cases().swap_remove(number);
        tokio::spawn(play(case, way, passes)).await.err().map(why)
    });
    let wrong: Vec<String> =
        stream::iter(games).buffer_unordered(4).filter_map(std::future::ready).collect().await;
    assert!(wrong.is_empty(), "{} went wrong:\n{}", wrong.len(), wrong.join("\n"));
}

fn why(error: tokio::task::JoinError) -> String {
    let panic = error.into_panic();
    let text = panic.downcast_ref::<String>().cloned();
    text.or_else(|| panic.downcast_ref::<&str>().map(ToString::to_string)).unwrap_or_default()
}

#[test]
fn no_kind_of_fault_is_forgotten() {
    let mut kinds: Vec<_> = cases().iter().map(|case| kind(&case.action)).collect();
    kinds.sort_unstable();
    kinds.dedup();
    assert_eq!(kinds.len(), KINDS);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_backup_meets_every_fault() {
    // I1, I2, I7, I9
    play_all(Way::Backup).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_upload_meets_every_fault() {
    // I1, I2, I7, I9
    play_all(Way::Upload).await;
}
