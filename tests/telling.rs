//! What a plan has done around its runs: commands before and after, and people who are told, by a run that somebody asked for and
//! by `charon serve`.

use std::fs;

use serde_json::{Value, json};
use tokio::time::{Duration, sleep, timeout};

use crate::{
    crash::counts,
    notify::http_server::{HttpServer, Received},
    support::{Ended, Place},
};

impl Place {
    /// A webhook that is told of these events.
    async fn told_by(&self, server: &HttpServer, events: &[&str]) {
        let config = json!({"url": server.url("/hook"), "secret": "a-shared-secret"});
        let events = events.iter().flat_map(|event| ["--event", event]);
        let arguments: Vec<&str> = ["notify", "add", "hook", "--kind", "webhook", "--config", "-"]
            .into_iter()
            .chain(events)
            .collect();
        let added = self.charon_with(&arguments, &config).await;
        assert_eq!(added.code, Some(0), "{added:?}");
    }
}

/// What came of these runs, in the order in which it was told.
fn events(told: &[Received]) -> Vec<String> {
    told.iter().map(|one| one.json()["event"].as_str().expect("an event").to_owned()).collect()
}

#[tokio::test]
async fn people_are_told_of_a_failure_and_when_all_is_well_again() {
    let (place, server) = (Place::new().await, HttpServer::start().await);
    place.seed(3);
    place.add_backup().await;
    place.told_by(&server, &["failure", "needs_attention", "recovered", "success"]).await;
    fs::rename(place.path("mirror"), place.path("unmounted")).expect("moved away");
    assert_eq!(place.run("home").await.0, 1);
    let told = server.received();
    assert_eq!(events(&told), ["failure"]);
    let notice = told[0].json();
    assert_eq!((&notice["plan"], &notice["state"]), (&json!("home"), &json!("failed")), "{notice:#}");
    assert!(notice["text"].as_str().expect("words").contains("mirror"), "{notice:#}");

    fs::rename(place.path("unmounted"), place.path("mirror")).expect("mounted again");
    assert_eq!(place.run("home").await.0, 0);
    let mut told = events(&server.received());
    told.sort_unstable();
    assert_eq!(told, ["recovered", "success"]);
    // What has been told stays told.
    let sent = place.done(&["notify", "sent", "--json"]).await.json();
    assert_eq!(sent.as_array().map(Vec::len), Some(3), "{sent:#}");
    assert!(sent.as_array().expect("a list").iter().all(|one| one["state"] == "delivered"), "{sent:#}");
    assert_eq!(place.run("home").await.0, 0);
    assert_eq!(events(&server.received()), ["success"]);
}

#[tokio::test]
async fn serve_tells_that_a_run_waits_for_a_person_and_what_was_not_told_before_it_began() {
    let (place, server) = (Place::new().await, HttpServer::start().await);
    place.seed(3);
    place.add_backup().await;
    place.told_by(&server, &["needs_attention", "success"]).await;
    // The consent has ended.
    place.world().revoke_refresh_tokens();
    place.world().expire_access_tokens();
    let mut serving = place.spawn(&["serve", "--no-http"]);
    assert_eq!(place.run("home").await.0, 4);
    let told = timeout(Duration::from_secs(30), async {
        loop {
            let told = server.received();
            if !told.is_empty() {
                break told;
            }
            sleep(Duration::from_millis(20)).await;
        }
    });
    let told = told.await.expect("it is told");
    assert_eq!(events(&told), ["needs_attention"]);
    serving.start_kill().expect("it can be ended");
    serving.wait().await.expect("it ends");
}

#[cfg(unix)]
#[tokio::test]
async fn a_command_before_and_one_after_a_run_know_what_it_is_about() {
    let place = Place::new().await;
    place.seed(3);
    place.add_storage().await;
    let (before, after) = (place.path("before.txt"), place.path("after.txt"));
    let plan = json!({
        "kind": "backup", "storage": "family", "destination": place.path("mirror"),
        "commands": {
            "before": format!("env | grep ^CHARON_ > '{}'; test ! -e '{}'", before.display(), place.path("mirror/photos").display()),
            "after": ["sh", "-c", format!("env | grep ^CHARON_ > '{}'", after.display())],
        },
    });
    place.add_plan("home", &plan).await;
    let (code, summary) = place.run("home").await;
    assert_eq!((code, &summary["items"]), (0, &counts(3, 0)), "{summary:#}");
    let read = |path: &std::path::Path| fs::read_to_string(path).expect("it was run");
    let (before, after) = (read(&before), read(&after));
    let run = summary["run"].as_str().expect("an id");
    for line in
        ["CHARON_PLAN=home", &format!("CHARON_RUN={run}"), "CHARON_TRIGGER=manual", "CHARON_STATE=running"]
    {
        assert!(before.lines().any(|one| one == line), "{line}: {before}");
    }
    for line in
        ["CHARON_STATE=succeeded", "CHARON_ITEMS_DONE=3", "CHARON_ITEMS_FAILED=0", "CHARON_BYTES=15000"]
    {
        assert!(after.lines().any(|one| one == line), "{line}: {after}");
    }
    // I6
    assert!(
        !before.contains("CHARON_CLIENT_SECRET") && !after.contains("CHARON_KEY_FILE"),
        "{before}{after}"
    );

    // One that fails keeps the run from everything, and the one after it is told why.
    let asked = place.world().stats().api_requests;
    let (code, summary) = place.run("home").await;
    assert_eq!((code, &summary["state"]), (1, &json!("failed")), "{summary:#}");
    let why = summary["errors"][0]["message"].as_str().expect("words");
    assert!(
        why.contains("the command before the run failed with exit code 1, so nothing was moved"),
        "{why}"
    );
    assert_eq!(place.world().stats().api_requests, asked, "nothing was asked for");
    let after = read(&place.path("after.txt"));
    assert!(
        after.contains("CHARON_STATE=failed") && after.contains("CHARON_MESSAGE=the command before"),
        "{after}"
    );
}

#[tokio::test]
async fn commands_that_name_nothing_are_refused_with_their_place() {
    let place = Place::new().await;
    place.add_storage().await;
    let plan = json!({
        "kind": "backup", "storage": "family", "destination": place.path("mirror"), "commands": {"before": " "},
    });
    let refused: Ended = place.charon_with(&["plan", "add", "home", "--config", "-"], &plan).await;
    assert_eq!(refused.code, Some(2), "{refused:?}");
    assert!(
        refused.stderr.contains("commands") && refused.stderr.contains("names no program"),
        "{refused:?}"
    );
    let none: Value = place.done(&["plan", "list", "--json"]).await.json();
    assert_eq!(none, json!([]));
}
