//! A try before saving, and consent.

use std::sync::Arc;

use charon_provider::{Check, Class, Verdict};
use futures::{FutureExt, StreamExt};
use serde_json::json;

use super::{Place, config, map};
use crate::{error::Error, host::unseal};

fn stages(checks: &[Check]) -> Vec<(&'static str, Verdict)> {
    checks.iter().map(|check| (check.stage, check.verdict)).collect()
}

#[tokio::test]
async fn a_test_before_saving_stores_nothing_and_loses_no_renewed_token() {
    let place = Place::new().await;
    place.world.renew("first", "second");
    let unsaved = place.engine.open_unsaved("fake", config("first")).expect("a right configuration");
    assert_eq!(place.world.requests(), [""; 0], "opening asks nothing");
    let checks: Vec<Check> = unsaved.test().collect().await;
    assert_eq!(stages(&checks), [("config", Verdict::Passed), ("ask", Verdict::Passed)]);
    assert!(place.engine.storages().await.expect("a list").is_empty());
    assert_eq!(unsaved.config(), config("second"));
    assert!(!format!("{unsaved:?}").contains("second"), "I6");
}

#[tokio::test]
async fn a_test_is_given_up_by_dropping_it() {
    let place = Place::new().await;
    place.world.stand_still();
    let unsaved = place.engine.open_unsaved("fake", config("first")).expect("a right configuration");
    let mut checks = unsaved.test();
    assert_eq!(checks.next().await.expect("a stage").stage, "config");
    assert!(checks.next().now_or_never().is_none(), "nobody answers");
    let settle = async |reached: &dyn Fn() -> bool| {
        while !reached() {
            tokio::task::yield_now().await;
        }
    };
    settle(&|| !place.world.requests().is_empty()).await;
    assert_eq!(Arc::strong_count(unsaved.storage()), 2);
    drop(checks);
    settle(&|| Arc::strong_count(unsaved.storage()) == 1).await;
}

#[tokio::test]
async fn a_wrong_configuration_is_told_whole_and_asks_nothing() {
    let place = Place::new().await;
    let wrong = map(json!({"client": "nobody", "read_only": "perhaps"}));
    let checks: Vec<Check> = place.engine.test_unsaved("fake", wrong).collect().await;
    assert_eq!(stages(&checks), [("config", Verdict::Failed)]);
    for mistake in ["client: is nobody", "token: ", "read_only: "] {
        assert!(checks[0].found.contains(mistake), "{}", checks[0].found);
    }
    assert!(checks[0].cure.is_some());
    assert_eq!(place.world.requests(), [""; 0]);
    let unknown: Vec<Check> = place.engine.test_unsaved("dropbox", config("a")).collect().await;
    assert!(unknown[0].found.contains("no provider named dropbox"), "{}", unknown[0].found);
}

#[tokio::test]
async fn a_stored_storage_is_tested_with_its_configuration_first() {
    let place = Place::new().await;
    place.add_storage("first").await;
    let checks: Vec<Check> = place.engine.test("family").await.expect("a storage").collect().await;
    assert_eq!(stages(&checks), [("config", Verdict::Passed), ("ask", Verdict::Passed)]);
    assert!(matches!(place.engine.test("familly").await, Err(Error::Unknown { .. })));
}

#[tokio::test]
async fn consent_is_asked_for_without_a_token_and_adopted_by_a_storage() {
    let place = Place::new().await;
    let redirect = "http://127.0.0.1:1/".parse().expect("a URL");
    let asked = place.engine.authorize("fake", map(json!({"client": "ours"})), &redirect);
    assert_eq!(asked.expect("a question").url(), &redirect);
    let without = place.engine.authorize("fake", map(json!({})), &redirect);
    assert!(matches!(without, Err(Error::Config { .. })));

    place.add_storage("first").await;
    let asked = place.engine.authorize_storage("family", &redirect).await.expect("a question");
    let consent = asked.redeem("second").await.expect("a consent");
    let before = place.engine.storage_row("family").await.expect("a row");
    let view = place.engine.adopt_consent("family", consent).await.expect("stored");
    assert!(!format!("{view:?}").contains("second"), "I6");
    let after = place.engine.storage_row("family").await.expect("a row");
    assert_eq!(after.secrets_revision, before.secrets_revision + 1);
    assert_eq!(after.config, before.config);
    let secrets = unseal(&place.engine.vault, &after).expect("secrets").expose();
    assert_eq!(secrets, map(json!({"token": "second"})));
}

#[tokio::test]
async fn consent_of_another_account_is_refused_before_anything_is_stored() {
    // I11
    let place = Place::new().await;
    place.world.tell_account("first", "anna");
    place.world.tell_account("second", "bert");
    place.add_storage("first").await;
    // Whose it is is learnt with the first request.
    place.engine.test("family").await.expect("a storage").collect::<Vec<_>>().await;
    let redirect = "http://127.0.0.1:1/".parse().expect("a URL");
    let asked = place.engine.authorize_storage("family", &redirect).await.expect("a question");
    let refused = asked.redeem("second").await.expect_err("another account");
    assert_eq!(refused.class, Class::Auth);
    assert!(refused.to_string().contains("another account"), "{refused}");
    assert!(refused.cure.is_some());
    let asked = place.engine.authorize_storage("family", &redirect).await.expect("a question");
    assert!(asked.redeem("third").await.is_ok(), "a token that does not tell");
}
