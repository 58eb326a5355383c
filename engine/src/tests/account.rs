//! Whose account it is. I11.

use charon_provider::{Class, Verdict};
use futures::StreamExt;

use super::{Place, config};
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
