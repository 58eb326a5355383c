//! Whose account is behind a storage. I11.

use serde_json::{Value, json};

use crate::support::{CLIENT_ID, Place};

const RIGHTS: [&str; 3] = [
    "https://www.googleapis.com/auth/photoslibrary.appendonly",
    "https://www.googleapis.com/auth/photoslibrary.readonly.appcreateddata",
    "https://www.googleapis.com/auth/photoslibrary.edit.appcreateddata",
];

/// A token of the account with this address, which can tell whose it is or cannot.
pub(crate) fn token(place: &Place, email: &str, tells: bool) -> Value {
    place.world().update_settings(|settings| email.clone_into(&mut settings.account_email));
    let identity: &[&str] = if tells { &["openid", "email"] } else { &[] };
    place.emulator.token_blob(CLIENT_ID, &[&RIGHTS, identity].concat()).into()
}

async fn update(place: &Place, token: Value) {
    let mut config = place.config();
    config["token"] = token;
    let ended = place.charon_with(&["storage", "update", "family", "--config", "-"], &config).await;
    assert_eq!(ended.code, Some(0), "{ended:?}");
}

/// Runs both plans, which must be parked for the reason given, and must have moved nothing.
async fn assert_refused(place: &Place, reason: &str) {
    let before = place.mirrored();
    for plan in ["home", "out"] {
        let (code, summary) = place.run(plan).await;
        assert_eq!((code, &summary["state"]), (4, &json!("parked")), "{summary:#}");
        assert_eq!(summary["errors"][0]["class"], "auth", "{summary:#}");
        let message = summary["errors"][0]["message"].as_str().expect("a message");
        assert!(message.contains(reason) && message.contains("authorise the storage again"), "{message}");
    }
    assert_eq!(place.mirrored(), before);
    for (method, calls) in [("mediaItems.list", 0), ("uploads", 0), ("mediaItems.batchCreate", 0)] {
        assert_eq!(place.count(method), calls, "{method}");
    }
}

/// Four photos at home, and a plan that sends pictures out, on a storage whose token tells or does not.
async fn at_home(tells: bool) -> Place {
    let place = Place::new().await;
    place.seed(4);
    place.add_backup_with(&json!({"token": token(&place, "pat@example.com", tells)})).await;
    place.draw("pictures", 0..2);
    let out = json!({"kind": "upload", "storage": "family", "sources": [place.path("pictures")]});
    place.add_plan("out", &out).await;
    place.world().expire_access_tokens();
    assert_eq!(place.run("home").await.0, 0);
    assert_eq!(place.mirrored().len(), 4);
    place
}

#[tokio::test]
async fn another_account_that_tells_itself_is_refused_before_anything_is_moved() {
    let place = at_home(true).await;
    let other = token(&place, "alex@example.com", true);
    place.seed(4);
    update(&place, other).await;
    place.world().expire_access_tokens();
    place.world().reset_stats();
    assert_refused(&place, "another account than the storage has been used with").await;

    let own = token(&place, "pat@example.com", true);
    update(&place, own).await;
    place.world().expire_access_tokens();
    let (code, summary) = place.run("home").await;
    assert_eq!((code, &summary["items"]["unchanged"]), (0, &json!(4)), "{summary:#}");
    assert_eq!(summary["attempts"], 2, "the run that was parked went on: {summary:#}");
}

#[tokio::test]
async fn another_account_that_does_not_tell_is_known_by_what_it_does_not_show() {
    let place = at_home(false).await;
    let other = token(&place, "alex@example.com", false);
    place.seed(4);
    update(&place, other).await;
    place.world().reset_stats();
    assert_refused(&place, "none of 4 items that this storage is known to hold can be seen").await;

    let own = token(&place, "pat@example.com", false);
    update(&place, own).await;
    place.world().reset_stats();
    for attempts in [2, 1] {
        let (code, summary) = place.run("home").await;
        assert_eq!((code, &summary["items"]["unchanged"]), (0, &json!(4)), "{summary:#}");
        assert_eq!(
            summary["attempts"], attempts,
            "the run that was parked went on, then a new one: {summary:#}"
        );
    }
    assert_eq!(place.count("mediaItems.batchGet"), 1, "once it is certain, nobody asks again");
}
