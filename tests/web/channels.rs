//! Channels in a browser: nobody's change is lost, stored secrets can be forgotten, and what went wrong is told where it was done.

use serde_json::{Value, json};

use super::client::{Answer, Client};
use crate::{notify::http_server::HttpServer, support::Place};

const HERE: &str = "/settings/notifications";
const EMAIL: [(&str, &str); 6] = [
    ("/host", "mail.example.org"),
    ("/user", "pat"),
    ("/from", "charon@example.org"),
    ("/to", "pat@example.org"),
    ("event", "failure"),
    ("in_a_row", "3"),
];

fn with<'a>(fields: &[(&'a str, &'a str)], more: &[(&'a str, &'a str)]) -> Vec<(&'a str, &'a str)> {
    let is_other = |(name, _): &&(&str, &str)| more.iter().all(|(other, _)| other != name);
    fields.iter().filter(is_other).chain(more).copied().collect()
}

/// What a hidden field of the page holds.
fn hidden(page: &Answer, name: &str) -> String {
    let value =
        page.body.split(&format!("name=\"{name}\" value=\"")).nth(1).and_then(|rest| rest.split('"').next());
    value.unwrap_or_else(|| panic!("no field {name}: {}", page.body)).to_owned()
}

async fn channels(api: &mut Client) -> Vec<Value> {
    let listed = api.api("GET", "/notifications", None, &[]).await;
    listed.json()["items"].as_array().expect("channels").clone()
}

/// Adds a channel; gives where it is.
async fn add(browser: &mut Client, kind: &str, fields: &[(&str, &str)]) -> String {
    let added = browser.post(&format!("{HERE}/new?kind={kind}"), fields).await;
    assert_eq!(added.status, 303, "{added:?}");
    let told = added.location().to_owned();
    let page = browser.get(&told).await;
    assert!(page.body.contains("is saved. Test it"), "{page:?}");
    format!("{HERE}/{}", told.split("channel=").nth(1).expect("its id"))
}

#[tokio::test(flavor = "multi_thread")]
async fn a_form_that_is_drawn_again_still_knows_which_version_was_seen() {
    let place = Place::new().await;
    let served = place.web().await;
    let mut anna = served.first_browser().await;
    let mut bert = served.browser().await;
    let hooks = HttpServer::start().await;
    let url = hooks.url("/hook");
    let fields = [("/url", url.as_str()), ("event", "failure"), ("in_a_row", "3")];
    let at = add(&mut anna, "webhook", &with(&fields, &[("name", "hook")])).await;
    let seen = hidden(&anna.get(&at).await, "seen");

    let saved = bert.post(&at, &[("seen", &seen), ("event", "failure"), ("in_a_row", "5")]).await;
    assert_eq!(
        saved.location(),
        format!("{HERE}?told=changed&channel={}", at.rsplit('/').next().expect("an id"))
    );
    assert!(bert.get(saved.location()).await.body.contains("hook: your changes are saved."));
    // Tried, and refused, the form comes back twice.
    let mut form = anna.post(&at, &[("seen", &seen), ("event", "failure"), ("do", "test")]).await;
    assert_eq!((form.status, hidden(&form, "seen")), (200, seen.clone()), "{form:?}");
    for in_a_row in ["none", "7", "7"] {
        let mine =
            [("seen", hidden(&form, "seen")), ("event", "failure".into()), ("in_a_row", in_a_row.into())];
        let mine: Vec<(&str, &str)> = mine.iter().map(|(name, value)| (*name, value.as_str())).collect();
        form = anna.post(&at, &mine).await;
        assert_eq!((form.status, hidden(&form, "seen")), (422, seen.clone()), "{form:?}");
        assert!(form.body.contains("<title>Not saved – Channel hook"), "{form:?}");
    }
    assert!(form.body.contains("changed") && form.body.contains("See the channel as it is now"), "{form:?}");
    assert!(form.body.contains("value=\"7\""), "what was entered stays: {form:?}");
    assert_eq!(channels(&mut anna).await[0]["in_a_row"], 5, "bert's change is there");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stored_secret_that_is_not_needed_can_be_forgotten() {
    let place = Place::new().await;
    let served = place.web().await;
    let mut browser = served.first_browser().await;
    let at = add(&mut browser, "email", &with(&EMAIL, &[("name", "mail"), ("/password", "hunter2")])).await;
    let page = browser.get(&at).await;
    assert!(page.body.contains("name=\"/password~forget\""), "{page:?}");
    let nobody = with(&EMAIL, &[("/user", "")]);
    let refused = browser.post(&at, &nobody).await;
    assert!(refused.status == 422 && refused.body.contains("is to be entered again"), "I6: {refused:?}");
    let forgotten = with(&nobody, &[("/password~forget", "true")]);
    // A box that is ticked stays so while something else is mended.
    let refused = browser.post(&at, &with(&forgotten, &[("/to", "")])).await;
    assert_eq!(refused.status, 422, "{refused:?}");
    let box_of = refused.body.split("name=\"/password~forget\"").nth(1).expect("the box");
    assert!(box_of.split('>').next().is_some_and(|control| control.contains("checked")), "{refused:?}");
    assert_eq!(browser.post(&at, &forgotten).await.status, 303);
    assert_eq!(channels(&mut browser).await[0]["config"].get("password"), None);
    assert!(!browser.get(&at).await.body.contains("~forget"), "there is nothing to forget any more");

    // The same by the API, where null says so.
    let again = with(&EMAIL, &[("/password", "hunter2")]);
    assert_eq!(browser.post(&at, &again).await.status, 303);
    let mut config = channels(&mut browser).await[0]["config"].clone();
    assert_eq!(config["password"], "••••••••");
    config["password"] = Value::Null;
    config["user"] = "".into();
    let path = at.replace("/settings", "");
    let changed = browser
        .api("PUT", &path, Some(&json!({"config": config, "name": "post"})), &[("If-Match", "*")])
        .await;
    assert_eq!((changed.status, &changed.json()["name"]), (200, &json!("post")), "{changed:?}");
    assert_eq!(changed.json()["config"].get("password"), None, "{changed:?}");
    assert!(!served.heard().contains("hunter2"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_channel_is_renamed_tested_and_removed_and_each_is_told() {
    let place = Place::new().await;
    let served = place.web().await;
    let mut browser = served.first_browser().await;
    let hooks = HttpServer::start().await;
    let (there, deaf) = (hooks.url("/hook"), "http://127.0.0.1:1/hook");
    let fields = [("event", "failure"), ("in_a_row", "3")];
    let hook = add(&mut browser, "webhook", &with(&fields, &[("name", "hook"), ("/url", &there)])).await;
    let at = add(&mut browser, "webhook", &with(&fields, &[("name", "lost"), ("/url", deaf)])).await;

    let failed = browser.post(&format!("{at}/test"), &[]).await;
    assert_eq!(failed.status, 502, "{failed:?}");
    for words in ["The test did not get through.", "aria-label=\"Main\"", "hook", "lost"] {
        assert!(failed.body.contains(words), "{words}: {failed:?}");
    }
    let tested = browser.post(&format!("{hook}/test"), &[]).await;
    assert!(browser.get(tested.location()).await.body.contains("hook was told."), "{tested:?}");

    for name in ["hook", ""] {
        let taken = browser.post(&at, &with(&fields, &[("name", name)])).await;
        assert_eq!(taken.status, 422, "{taken:?}");
        assert!(taken.body.contains("<a href=\"#name\">Name</a>"), "{taken:?}");
        assert!(taken.body.contains("aria-describedby=\"name-mistake name-help\""), "{taken:?}");
    }
    assert_eq!(browser.post(&at, &with(&fields, &[("name", "found")])).await.status, 303);
    assert_eq!(channels(&mut browser).await[0]["name"], "found");

    let asked = browser.get(&format!("{at}/remove")).await;
    assert!(asked.body.contains("Remove found?"), "{asked:?}");
    assert_eq!(browser.post(&format!("{at}/remove"), &[]).await.status, 422, "nobody was asked");
    let seen = hidden(&asked, "seen");
    let removed = browser.post(&format!("{at}/remove"), &[("seen", &seen)]).await;
    assert!(browser.get(removed.location()).await.body.contains("The channel is removed."), "{removed:?}");
    assert_eq!(channels(&mut browser).await.len(), 1);
    let audit = browser.get("/settings/audit").await;
    assert!(audit.body.contains("change notification") && audit.body.contains("name: found"), "{audit:?}");
}
