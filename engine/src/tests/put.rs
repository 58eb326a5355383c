//! What a host gives along with each run.

use charon_schema::Mistake;
use futures::StreamExt;
use serde_json::{Map, Value, json};

use super::{Place, config, map};
use crate::{error::Error, host::unseal, put::Put};

impl Place {
    async fn put(&self, config: Map<String, Value>) -> Put {
        self.engine.put_storage("family", "fake", config).await.expect("a right configuration")
    }

    async fn stored_token(&self) -> Value {
        let row = self.engine.storage_row("family").await.expect("a row");
        unseal(&self.engine.vault, &row).expect("secrets").expose()["token"].clone()
    }

    /// Lets the stored token be renewed, as a run does.
    async fn renew(&self, token: &str, with: &str) {
        self.world.renew(token, with);
        self.engine.test("family").await.expect("a storage").collect::<Vec<_>>().await;
        assert_eq!(self.stored_token().await, with);
    }
}

fn with(config: Map<String, Value>, more: &Value) -> Map<String, Value> {
    config.into_iter().chain(map(more.clone())).collect()
}

#[tokio::test]
async fn a_token_that_a_host_sends_again_does_not_undo_a_renewal() {
    let place = Place::new().await;
    assert_eq!(place.put(config("first")).await, Put::Added);
    place.renew("first", "second").await;
    assert_eq!(place.put(config("first")).await, Put::Unchanged);
    assert_eq!(place.stored_token().await, "second");
    // Another field is changed, and the token is the same old one.
    assert_eq!(place.put(with(config("first"), &json!({"start_year": 1990}))).await, Put::Updated);
    assert_eq!(place.stored_token().await, "second");
    assert_eq!(place.engine.storage("family").await.expect("a view").config["start_year"], 1990);
    // Secrets that are left out are kept.
    assert_eq!(place.put(map(json!({"client": "ours"}))).await, Put::Updated);
    assert_eq!(place.stored_token().await, "second");
    assert_eq!(place.put(config("third")).await, Put::Updated);
    assert_eq!(place.stored_token().await, "third");
}

#[tokio::test]
async fn a_storage_that_a_person_added_becomes_as_the_host_says() {
    let place = Place::new().await;
    place.add_storage("first").await;
    assert_eq!(place.put(config("second")).await, Put::Updated);
    assert_eq!(place.stored_token().await, "second");
    assert_eq!(place.put(config("second")).await, Put::Unchanged);
}

#[tokio::test]
async fn what_a_host_sent_cannot_be_read_from_the_database() {
    // I6
    let place = Place::new().await;
    place.put(config("a-token-of-some-length")).await;
    let id = place.engine.storage("family").await.expect("a view").id;
    let sealed = place.engine.store.sent_config(id).await.expect("read").expect("fingerprints");
    let text = String::from_utf8_lossy(&sealed);
    assert!(!text.contains("token") && !text.contains("client"), "{text}");
}

#[tokio::test]
async fn a_wrong_configuration_changes_nothing() {
    let place = Place::new().await;
    place.put(config("first")).await;
    let wrong = with(config("second"), &json!({"read_only": "perhaps"}));
    for _ in 0..2 {
        let refused = place.engine.put_storage("family", "fake", wrong.clone()).await;
        assert!(matches!(refused, Err(Error::Config { .. })), "{refused:?}");
    }
    assert_eq!(place.stored_token().await, "first");
    assert_eq!(place.put(config("first")).await, Put::Unchanged);
}

#[tokio::test]
async fn a_plan_is_made_changed_and_left_alone() {
    let place = Place::new().await;
    place.add_storage("first").await;
    let plan = map(
        json!({"kind": "backup", "storage": "family", "destination": place.folder.path().join("mirror")}),
    );
    assert_eq!(place.engine.put_plan("home", plan.clone()).await.expect("a plan"), Put::Added);
    assert_eq!(place.engine.put_plan("home", plan.clone()).await.expect("a plan"), Put::Unchanged);
    let hourly = with(plan.clone(), &json!({"full_listing_hours": 1}));
    assert_eq!(place.engine.put_plan("home", hourly.clone()).await.expect("a plan"), Put::Updated);
    assert_eq!(place.engine.put_plan("home", hourly).await.expect("a plan"), Put::Unchanged);
    let view = serde_json::to_value(place.engine.plan("home").await.expect("a view")).expect("JSON");
    assert_eq!(view["full_listing_hours"], 1);
    place.run("home").await;
}

#[tokio::test]
async fn a_plan_stays_where_it_is() {
    // I4, I11
    let place = Place::new().await;
    place.add_storage("first").await;
    let backup = |folder: &str| {
        map(json!({"kind": "backup", "storage": "family", "destination": place.folder.path().join(folder)}))
    };
    place.engine.put_plan("home", backup("mirror")).await.expect("a plan");
    for (other, field) in [
        (backup("elsewhere"), "/destination"),
        (with(backup("mirror"), &json!({"storage": "other"})), "/storage"),
        (place.upload_plan(), "/kind"),
    ] {
        let Err(Error::Config { mistakes, .. }) = place.engine.put_plan("home", other).await else {
            panic!("{field} was changed");
        };
        let fields: Vec<&str> = mistakes.0.iter().map(|Mistake { pointer, .. }| pointer.as_str()).collect();
        assert_eq!(fields, [field]);
    }
    assert!(!place.folder.path().join("elsewhere").exists());
}
