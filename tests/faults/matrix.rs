//! Each fault alone: once it passes by itself, and once it stays until somebody does something about it.

use futures::{StreamExt, stream};
use gphotos_emulator::{Action, Fault};
use jiff::SignedDuration;

use super::{
    account::{Account, Way},
    cases::{Case, Comes, KINDS, cases, kind},
};
use Comes::{Failed, Parked, Partly, Short, Through};

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
    if !case.meets[way as usize] {
        return;
    }
    let account = Account::new(7, "sync").await;
    let account = match way {
        Way::Backup => account.with_photos_there(24).await,
        Way::Upload => account.with_photos_here(24).await,
    };
    if case.action == Action::RevokedRefreshToken {
        // A refresh token is only shown once the access token is refused.
        account.world().expire_access_tokens();
    }
    let fault = Fault::always(case.action.clone()).on(case.on);
    let number = account.fault(if passes { fault.after(case.when.0).times(case.when.1) } else { fault });
    if let Some(other) = &case.with {
        account.fault(other.clone());
    }

    let summary = account.run(way).await;
    account.assert_nothing_is_wrong(way, &summary, &told);
    assert!(account.met(number), "{told}: it never happened");
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
    if comes == Parked("quota") {
        account.test_passes().await;
    }
    // What was refused for what it is waits for a day; what was sent must not wait so long.
    let is_refused = comes == Partly("item") && way == Way::Upload;
    account.wait(SignedDuration::from_hours(if is_refused { 48 } else { 1 }));
    let summary = account.run(way).await;
    assert_eq!(summary.state.as_str(), "succeeded", "{told}: afterwards: {summary:#?}");
    account.assert_nothing_is_wrong(way, &summary, &told);
    account.assert_all_is_there(way, &told);
    if passes {
        // A large file's session, and what shared a connection or a batch with a fault, make a few more.
        account.assert_little_was_sent_twice(way, 24, &told);
    }
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
    let cases = cases();
    let met: Vec<_> = cases.iter().map(|case| kind(&case.action)).collect();
    let forgotten: Vec<_> = KINDS.iter().filter(|kind| !met.contains(kind)).collect();
    assert!(forgotten.is_empty(), "no case for {forgotten:?}");
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
