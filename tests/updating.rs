//! Changing a storage: what is not said anew is kept, unless it would then go elsewhere.

use serde_json::{Value, json};

use crate::support::{Ended, Place};

const SECRETS: [&str; 2] = ["token", "client_secret"];

impl Place {
    /// The configuration of the storage with other fields, without these.
    fn changed(&self, changes: &Value, without: &[&str]) -> Value {
        let mut config = self.config();
        let fields = config.as_object_mut().expect("an object");
        fields.extend(changes.as_object().expect("an object").clone());
        fields.retain(|field, _| !without.contains(&field.as_str()));
        config
    }

    async fn update(&self, config: &Value) -> Ended {
        self.charon_with(&["storage", "update", "family", "--config", "-"], config).await
    }
}

#[tokio::test]
async fn secrets_that_an_update_leaves_out_are_kept() {
    let place = Place::new().await;
    place.world().update_settings(|settings| {
        settings.clients.insert(crate::support::CLIENT_ID.into(), "a-client-secret".into());
    });
    place.seed(3);
    place.add_backup_with(&json!({"start_year": 2100})).await;
    let (_, summary) = place.run("home").await;
    assert!(
        summary["hints"][0]
            .as_str()
            .is_some_and(|hint| hint.contains("set start_year lower, in the storage"))
    );

    // As the hint says.
    let ended = place.update(&place.changed(&json!({"start_year": 1990}), &SECRETS)).await;
    assert_eq!(ended.code, Some(0), "{ended:?}");
    // Both secrets are needed for a new access token.
    place.world().expire_access_tokens();
    let (code, summary) = place.run("home").await;
    assert_eq!((code, &summary["items"]["done"]), (0, &json!(3)), "{summary:#}");

    // One of them may be given anew, or be taken away.
    let ended = place.update(&place.changed(&json!({"client_secret": "another"}), &["token"])).await;
    assert_eq!(ended.code, Some(0), "{ended:?}");
    place.world().expire_access_tokens();
    assert_eq!(place.charon(&["storage", "test", "family"]).await.code, Some(1), "the token is the old one");
    let ended = place.update(&place.changed(&json!({"client_secret": ""}), &["token"])).await;
    assert_eq!(ended.code, Some(0), "{ended:?}");
    let ended = place.update(&place.changed(&json!({"client_id": "99-another"}), &SECRETS)).await;
    assert_eq!(ended.code, Some(1), "{ended:?}");
    assert!(ended.stderr.contains("of another client"), "{ended:?}");
}

#[tokio::test]
async fn whoever_changes_where_secrets_go_enters_them_again() {
    // I6
    let place = Place::new().await;
    place.add_storage().await;
    let shown = place.charon(&["storage", "show", "family", "--json"]).await.json();
    let elsewhere = Place::new().await;
    let url = elsewhere.emulator.url();
    for field in ["token_url", "api_url", "auth_url", "proxy"] {
        let change = json!({field: url});
        for without in [&SECRETS[..], &["token"], &["client_secret"]] {
            let ended = place.update(&place.changed(&change, without)).await;
            assert_eq!(ended.code, Some(2), "{field}: {ended:?}");
            for secret in without {
                let words = format!("{secret}: is to be entered again, since {field} is another one now");
                assert!(ended.stderr.contains(&words), "{words}: {ended:?}");
            }
        }
    }
    // What is left out is Google's.
    for field in ["token_url", "api_url"] {
        let ended = place.update(&place.changed(&json!({}), &[field, "token"])).await;
        assert_eq!(ended.code, Some(2), "{field}: {ended:?}");
    }
    assert_eq!(place.charon(&["storage", "show", "family", "--json"]).await.json(), shown);
    place.world().expire_access_tokens();
    place.charon(&["storage", "test", "family"]).await;
    let stats = elsewhere.world().stats();
    assert_eq!((stats.api_requests, stats.oauth_requests, stats.requests.len()), (0, 0, 0), "{stats:?}");

    // With them it may be.
    let moved =
        json!({"token_url": format!("{url}/token"), "api_url": url, "token": elsewhere.config()["token"]});
    let ended = place.update(&place.changed(&moved, &[])).await;
    assert_eq!(ended.code, Some(0), "{ended:?}");
    elsewhere.seed(1);
    let ended = place.charon(&["storage", "test", "family"]).await;
    assert_eq!(ended.code, Some(0), "{ended:?}");
    assert!(elsewhere.world().stats().api_requests > 0);
}
