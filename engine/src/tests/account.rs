//! Whose account it is. I11.

use charon_provider::{Class, Verdict};
use futures::StreamExt;
use serde_json::json;

use super::{Place, config, map};
use crate::run::RunState;

/// A storage whose ledger knows thirty items of the token `first`.
async fn known() -> Place {
    let place = Place::new().await;
    place.world.fill("first", 30);
    place.add_storage("first").await;
    place.add_backup().await;
    place.learn("first").await;
    place
}

#[tokio::test]
async fn a_token_that_sees_nothing_of_what_is_known_stops_the_run_before_it_does_anything() {
    let place = known().await;
    place.world.fill("second", 30);
    place.engine.update_storage("family", config("second")).await.expect("updated");
    for _ in 0..2 {
        let summary = place.run("home").await;
        assert_eq!(summary.state, RunState::Parked);
        assert_eq!(summary.errors[0].class, Some(Class::Auth));
        let message = &summary.errors[0].message;
        assert!(
            message.contains(
                "none of 20 items that this storage is known to hold can be seen: another account or another client?"
            ),
            "{message}"
        );
        assert_eq!(place.world.requests(), ["confirm"]);
    }
    // The right one mends it.
    place.world.share("first", "third");
    place.engine.update_storage("family", config("third")).await.expect("updated");
    assert_eq!(place.run("home").await.state, RunState::Succeeded);
}

#[tokio::test]
async fn a_token_that_sees_some_of_what_is_known_is_believed_from_then_on() {
    let place = known().await;
    place.world.share("first", "second");
    place.engine.update_storage("family", config("second")).await.expect("updated");
    assert_eq!(place.run("home").await.state, RunState::Succeeded);
    assert_eq!(place.world.requests()[0], "confirm");
    assert_eq!(place.run("home").await.state, RunState::Succeeded);
    assert!(!place.world.requests().contains(&"confirm"));
}

#[tokio::test]
async fn a_storage_that_cannot_say_is_asked_again_by_the_next_run() {
    let place = known().await;
    place.world.fill("second", 0);
    place.world.is_unsure();
    place.engine.update_storage("family", config("second")).await.expect("updated");
    for _ in 0..2 {
        let summary = place.run("home").await;
        assert_eq!((summary.state, summary.errors[0].class), (RunState::Failed, Some(Class::Transient)));
        assert_eq!(place.world.requests(), ["confirm"]);
    }
}

#[tokio::test]
async fn there_is_no_doubt_where_nothing_is_known_or_nothing_has_changed() {
    let place = known().await;
    place.engine.update_storage("family", config("first")).await.expect("updated");
    assert_eq!(place.run("home").await.state, RunState::Succeeded);
    assert!(!place.world.requests().contains(&"confirm"));

    let place = Place::new().await;
    place.add_storage("first").await;
    place.add_backup().await;
    place.engine.update_storage("family", config("second")).await.expect("updated");
    assert_eq!(place.run("home").await.state, RunState::Succeeded);
    assert!(!place.world.requests().contains(&"confirm"));
}

#[tokio::test]
async fn another_account_that_tells_itself_is_refused_at_its_first_answer() {
    let place = known().await;
    place.world.tell_account("first", "anna");
    place.world.tell_account("second", "bert");
    place.world.share("first", "second");
    assert_eq!(place.run("home").await.state, RunState::Succeeded);
    place.world.requests();
    place.engine.update_storage("family", config("second")).await.expect("updated");
    let summary = place.run("home").await;
    assert_eq!((summary.state, summary.errors[0].class), (RunState::Parked, Some(Class::Auth)));
    assert!(summary.errors[0].message.contains("another account"), "{:?}", summary.errors);
    assert_eq!(place.world.requests(), ["confirm"]);
    let checks: Vec<_> = place.engine.test("family").await.expect("a storage").collect().await;
    assert_eq!(checks.last().expect("a stage").verdict, Verdict::Failed);
}

#[tokio::test]
async fn an_account_whose_storage_knows_nothing_may_be_changed_for_another() {
    let place = Place::new().await;
    place.world.tell_account("first", "anna");
    place.world.tell_account("second", "bert");
    place.add_storage("first").await;
    place.add_backup().await;
    assert_eq!(place.run("home").await.state, RunState::Succeeded);
    place.engine.update_storage("family", config("second")).await.expect("updated");
    assert_eq!(place.run("home").await.state, RunState::Succeeded);
}

#[tokio::test]
async fn another_account_is_refused_however_often_it_tells_itself_and_keeps_the_right_one_not_out() {
    // I11
    let place = known().await;
    place.world.fill("second", 30);
    place.world.fill("renewed", 30);
    for token in ["second", "renewed"] {
        place.world.tell_account(token, "bert");
    }
    place.engine.update_storage("family", config("second")).await.expect("updated");
    for run in 0..4 {
        if run == 2 {
            place.world.renew("second", "renewed");
        }
        let summary = place.run("home").await;
        assert_eq!(summary.state, RunState::Parked, "run {run}: {:?}", summary.errors);
        assert_eq!(place.world.requests(), ["confirm"], "run {run}");
    }
    place.world.share("first", "third");
    place.world.tell_account("third", "anna");
    place.engine.update_storage("family", config("third")).await.expect("updated");
    for run in 0..2 {
        let summary = place.run("home").await;
        assert_eq!(summary.state, RunState::Succeeded, "run {run}: {:?}", summary.errors);
    }
    // It is anna's from now on.
    place.engine.update_storage("family", config("second")).await.expect("updated");
    let summary = place.run("home").await;
    assert!(summary.errors[0].message.contains("for another account"), "{:?}", summary.errors);
}

#[tokio::test]
async fn what_is_looked_up_is_spread_over_all_that_is_known_and_the_newest_is_among_it() {
    // I11
    let place = Place::new().await;
    place.world.fill("first", 100);
    place.add_storage("first").await;
    place.add_backup().await;
    place.learn("first").await;
    // Known from later on, and with lower ids than all others.
    place.world.fill("early", 7);
    place.learn("early").await;
    let storage = place.engine.storage("family").await.expect("a storage").id;
    let ids = place.engine.store.some_remotes(storage, 20).await.expect("a look-up");
    let ids: Vec<&str> = ids.iter().map(|id| id.0.as_str()).collect();
    assert_eq!(ids[..3], ["early-0000", "early-0006", "first-0004"]);
    assert_eq!((ids.len(), *ids.last().expect("one")), (20, "first-0095"));
}

#[tokio::test]
async fn a_consent_that_tells_that_it_is_the_same_account_leaves_no_doubt() {
    // I11
    let place = known().await;
    for token in ["first", "second"] {
        place.world.tell_account(token, "anna");
    }
    assert_eq!(place.run("home").await.state, RunState::Succeeded);
    let id = place.engine.storage("family").await.expect("a storage").id;
    let redirect = "http://127.0.0.1:1/".parse().expect("a URL");
    // A storage that is in doubt already is in doubt no more.
    place.engine.update_storage("family", config("silent")).await.expect("updated");
    for (token, in_doubt) in [("second", false), ("silent", true)] {
        let asked = place.engine.authorize_storage("family", &redirect).await.expect("a question");
        let consent = asked.redeem(token).await.expect("a consent");
        place.engine.adopt_consent("family", consent).await.expect("stored");
        let account = place.engine.store.account(id).await.expect("a look-up");
        assert_eq!((account.id.as_deref(), account.in_doubt), (Some("anna"), in_doubt), "{token}");
    }
}

#[tokio::test]
async fn another_client_is_refused_also_where_only_the_secrets_tell_it() {
    // I11
    let place = Place::new().await;
    let config = |client: &str| map(json!({"client": "ours", "token": "first", "secret_client": client}));
    place.engine.add_storage("family", "fake", config("one")).await.expect("a storage");
    place.engine.update_storage("family", config("one")).await.expect("the same client");
    let refused = place.engine.update_storage("family", config("other")).await.expect_err("another client");
    assert!(refused.to_string().contains("is of another client"), "{refused}");
}

#[tokio::test]
async fn an_old_configuration_that_does_not_open_any_more_stands_in_nobodys_way() {
    let place = known().await;
    let old = place.engine.storage_row("family").await.expect("a row");
    let mut row = old.clone();
    row.config = map(json!({"client": "nobody"}));
    place.engine.store.update_storage(&old, &row, false, place.engine.clock.now()).await.expect("broken");
    let theirs = map(json!({"client": "theirs", "token": "first"}));
    place.engine.update_storage("family", theirs.clone()).await.expect_err("it is known which client it was");
    place.engine.update_storage("family", config("first")).await.expect("mended");
    // One that was saved before the client was kept, and does not open: nothing tells.
    (row.secrets, row.identity) = (b"of another key".to_vec(), None);
    let old = place.engine.storage_row("family").await.expect("a row");
    place.engine.store.update_storage(&old, &row, false, place.engine.clock.now()).await.expect("broken");
    place.engine.update_storage("family", theirs).await.expect("mended");
}
