//! Changes of a storage that several people may make at once, and what is known of how it stands.

use charon_provider::{Check, Class, Verdict};
use futures::StreamExt;
use serde_json::json;

use super::{Place, config, fake::Answers, map};
use crate::{
    changing::{AccountTold, StorageChange},
    error::Error,
    health::HealthState,
    host::unseal,
    ids::StorageId,
    run::RunState,
    storages::StorageView,
};

impl Place {
    async fn family(&self) -> StorageView {
        self.add_storage("first").await;
        self.engine.storage("family").await.expect("a storage")
    }

    async fn token_of(&self, id: StorageId) -> String {
        let row = self.engine.row_of(id).await.expect("a row");
        let secrets = unseal(&self.engine.vault, &row).expect("secrets").expose();
        secrets["token"].as_str().expect("a token").to_owned()
    }

    async fn test(&self, id: StorageId) -> Vec<Check> {
        self.engine.test_storage(id).await.expect("a storage").collect().await
    }

    async fn state(&self, id: StorageId) -> HealthState {
        self.engine.storage_detail(id).await.expect("a storage").health.state
    }
}

fn change(name: &str, config: serde_json::Value, seen: i64) -> StorageChange {
    StorageChange { name: name.into(), config: map(config), seen: Some(seen) }
}

#[tokio::test]
async fn a_change_of_what_was_changed_meanwhile_is_refused_and_a_renewed_token_is_no_change() {
    let place = Place::new().await;
    let seen = place.family().await;
    place.world.renew("first", "second");
    place.test(seen.id).await;
    assert_eq!(place.token_of(seen.id).await, "second");
    let after = place.engine.storage_by_id(seen.id).await.expect("a storage");
    assert_eq!(after.revision, seen.revision);

    let new = change("family", json!({"client": "ours", "start_year": 2001}), seen.revision);
    let changed = place.engine.change_storage(seen.id, new.clone()).await.expect("changed");
    assert!(changed.revision > seen.revision);
    assert_eq!(place.token_of(seen.id).await, "second", "the renewed one is kept");
    let late = place.engine.change_storage(seen.id, new).await;
    assert!(matches!(late, Err(Error::Changed { .. })), "{late:?}");
    let late = place.engine.remove_storage_by_id(seen.id, Some(seen.revision)).await;
    assert!(matches!(late, Err(Error::Changed { .. })), "{late:?}");
    place.engine.remove_storage_by_id(seen.id, Some(changed.revision)).await.expect("removed");
    let gone = place.engine.storage_by_id(seen.id).await;
    assert!(matches!(gone, Err(Error::Unknown { what: "storage", .. })), "{gone:?}");
}

#[tokio::test]
async fn the_dots_that_were_shown_are_no_new_secret() {
    // I6
    let place = Place::new().await;
    let seen = place.family().await;
    assert_ne!(seen.config["token"], "first");
    let new = StorageChange { name: "family".into(), config: seen.config.clone(), seen: Some(seen.revision) };
    place.engine.change_storage(seen.id, new).await.expect("changed");
    assert_eq!(place.token_of(seen.id).await, "first");
}

#[tokio::test]
async fn a_storage_that_is_renamed_keeps_its_plans() {
    let place = Place::new().await;
    let seen = place.family().await;
    place.world.fill("first", 1);
    place.add_backup().await;
    let new = change("kin", json!({"client": "ours"}), seen.revision);
    place.engine.change_storage(seen.id, new).await.expect("renamed");
    assert_eq!(place.engine.plan("home").await.expect("a plan").config.storage(), "kin");
    assert_eq!(place.run("home").await.state, RunState::Succeeded);
    let plans = place.engine.storage_detail(seen.id).await.expect("a storage").plans;
    assert_eq!(
        plans.iter().map(|plan| (plan.name.as_str(), plan.kind.as_str())).collect::<Vec<_>>(),
        [("home", "backup")]
    );

    place.engine.add_storage("other", "fake", config("b")).await.expect("a storage");
    let seen = place.engine.storage("kin").await.expect("a storage");
    for name in ["other", "", "-x"] {
        let taken = change(name, json!({"client": "ours"}), seen.revision);
        let refused = place.engine.change_storage(seen.id, taken).await;
        assert!(matches!(refused, Err(Error::BadName(_))), "{name}: {refused:?}");
    }
    assert_eq!(place.engine.storage_by_id(seen.id).await.expect("a storage").revision, seen.revision);
    let used = place.engine.remove_storage_by_id(seen.id, None).await.expect_err("a plan uses it");
    assert!(used.to_string().contains("is used by home"), "{used}");
}

#[tokio::test]
async fn the_last_test_is_kept_with_the_version_that_was_tested() {
    let place = Place::new().await;
    let storage = place.family().await;
    assert_eq!(place.state(storage.id).await, HealthState::Untested);
    place.test(storage.id).await;
    assert_eq!(place.state(storage.id).await, HealthState::Works);
    let test =
        place.engine.storage_detail(storage.id).await.expect("a storage").health.last_test.expect("a test");
    assert_eq!(test.checks.iter().map(|check| check.stage.as_str()).collect::<Vec<_>>(), ["config", "ask"]);
    // One that was given up is none.
    let mut given_up = place.engine.test_storage(storage.id).await.expect("a storage");
    given_up.next().await.expect("a stage");
    drop(given_up);
    let again = place.engine.storage_detail(storage.id).await.expect("a storage").health.last_test;
    assert_eq!(again, Some(test));

    place.world.answer("first", Answers::With(Class::Auth));
    place.test(storage.id).await;
    assert_eq!(place.state(storage.id).await, HealthState::Fails);
    let new = change("family", json!({"client": "ours", "start_year": 2001}), storage.revision);
    let changed = place.engine.change_storage(storage.id, new).await.expect("changed");
    assert_eq!(place.state(storage.id).await, HealthState::Untested);
    let passed = crate::health::PastCheck {
        stage: "ask".into(),
        verdict: Verdict::Warned,
        milliseconds: 3,
        found: "something".into(),
        cure: None,
        link: None,
    };
    place.engine.keep_test(&changed, place.clock.now(), &[passed]).await.expect("kept");
    assert_eq!(place.state(storage.id).await, HealthState::Warned);
}

#[tokio::test]
async fn a_good_run_shows_that_a_storage_works_as_long_as_it_is_not_changed() {
    let place = Place::new().await;
    let storage = place.family().await;
    place.world.fill("first", 1);
    place.add_backup().await;
    assert_eq!(place.run("home").await.state, RunState::Succeeded);
    let health = place.engine.storage_detail(storage.id).await.expect("a storage").health;
    assert_eq!((health.state, health.consented_at), (HealthState::Works, Some(storage.created_at)));
    assert!(health.last_good_at > health.consented_at, "{health:?}");
    place.world.answer("first", Answers::With(Class::Auth));
    place.test(storage.id).await;
    assert_eq!(place.state(storage.id).await, HealthState::Fails);
    place.world.answer("first", Answers::Well);
    assert_eq!(place.run("home").await.state, RunState::Succeeded);
    assert_eq!(place.state(storage.id).await, HealthState::Works);
    let new = change("family", json!({"client": "ours", "start_year": 2001}), storage.revision);
    place.engine.change_storage(storage.id, new).await.expect("changed");
    let health = place.engine.storage_detail(storage.id).await.expect("a storage").health;
    assert_eq!((health.state, health.consented_at), (HealthState::Untested, Some(storage.created_at)));
}

#[tokio::test]
async fn a_storage_whose_run_waits_for_a_person_says_so_until_a_test_has_passed() {
    let place = Place::new().await;
    let storage = place.family().await;
    place.world.fill("first", 1);
    place.add_backup().await;
    place.test(storage.id).await;
    place.world.answer("first", Answers::With(Class::Auth));
    assert_eq!(place.run("home").await.state, RunState::Parked);
    let detail = place.engine.storage_detail(storage.id).await.expect("a storage");
    assert_eq!(detail.health.state, HealthState::NeedsYou);
    let [waiting] = &detail.health.waiting_runs[..] else { panic!("{:?}", detail.health) };
    assert_eq!(waiting.plan, "home");
    assert!(
        waiting.message.as_ref().is_some_and(|why| why.contains("the world will not have it")),
        "{waiting:?}"
    );
    place.world.answer("first", Answers::Well);
    place.test(storage.id).await;
    assert_eq!(place.state(storage.id).await, HealthState::Works);
    place.engine.resume_runs_of_storage(storage.id).await.expect("resumed");
    let detail = place.engine.storage_detail(storage.id).await.expect("a storage");
    assert!(detail.health.waiting_runs.is_empty(), "{:?}", detail.health);
}

#[tokio::test]
async fn a_change_is_tried_with_the_stored_secrets_and_never_carries_them_elsewhere() {
    // I6
    let place = Place::new().await;
    let storage = place.family().await;
    place.world.renew("first", "second");
    let try_it = async |config| place.engine.open_changed(storage.id, map(config)).await;
    let unsaved = try_it(json!({"client": "ours", "read_only": true})).await.expect("a change");
    assert!(!unsaved.storage().facts().capabilities.upload);
    unsaved.test().collect::<Vec<_>>().await;
    assert_eq!(place.token_of(storage.id).await, "second", "what was renewed by the test is stored");
    assert!(!unsaved.config().contains_key("token"), "and is not handed out");
    let before = place.engine.storage_by_id(storage.id).await.expect("a storage");
    assert_eq!((before.revision, before.config.contains_key("read_only")), (storage.revision, false));

    let refused = try_it(json!({"client": "ours", "server": "http://elsewhere.example"})).await;
    let Err(Error::Config { mistakes, .. }) = refused else { panic!("{refused:?}") };
    assert_eq!(mistakes.0.iter().map(|mistake| mistake.pointer.as_str()).collect::<Vec<_>>(), ["/token"]);
    place.world.requests();
    let entered = json!({"client": "ours", "server": "http://elsewhere.example", "token": "third"});
    let unsaved = try_it(entered).await.expect("a change");
    unsaved.test().collect::<Vec<_>>().await;
    assert_eq!(unsaved.config()["token"], "third");
    assert_eq!(place.token_of(storage.id).await, "second", "nothing is stored");
}

#[tokio::test]
async fn a_consent_tells_whose_account_it_is_until_there_is_another_one() {
    let place = Place::new().await;
    let storage = place.family().await;
    let told = AccountTold { name: Some("anna@example.org".into()), id: Some("anna".into()) };
    place.engine.account_was_told(storage.id, &told).await.expect("told");
    let account = async || place.engine.storage_detail(storage.id).await.expect("a storage").health.account;
    assert_eq!(account().await.as_deref(), Some("anna@example.org"));
    let new = change("family", json!({"client": "ours", "start_year": 2001}), storage.revision);
    let changed = place.engine.change_storage(storage.id, new).await.expect("changed");
    assert_eq!(account().await.as_deref(), Some("anna@example.org"), "it is the same consent");
    let new = change("family", json!({"client": "ours", "token": "second"}), changed.revision);
    place.engine.change_storage(storage.id, new).await.expect("changed");
    assert_eq!(account().await, None);
}
