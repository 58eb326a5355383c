//! Runs over HTTP: followed as they happen, steered, looked into; and what the dashboard says of them.

use std::{net::SocketAddr, time::Duration};

use gphotos_emulator::{Action, Fault};
use serde_json::{Value, json};
use tokio::{
    io::{AsyncBufReadExt, AsyncWriteExt, BufReader},
    net::TcpStream,
    time::timeout,
};

use super::client::{Client, Served};
use crate::support::Place;

/// Nothing here takes longer, unless it never comes.
const PATIENCE: Duration = Duration::from_mins(1);

/// One who listens to events.
struct Listening {
    status: u16,
    lines: tokio::io::Lines<BufReader<TcpStream>>,
}

/// What it is told.
#[derive(Clone, Debug, Default)]
struct Told {
    id: Option<i64>,
    event: String,
    data: Value,
}

impl Listening {
    async fn to(address: SocketAddr, path: &str, token: &str, last: Option<i64>) -> Self {
        let mut stream = TcpStream::connect(address).await.expect("a connection");
        let last = last.map(|last| format!("Last-Event-ID: {last}\r\n")).unwrap_or_default();
        // In the old version of HTTP, an answer is not sent in chunks.
        let request = format!(
            "GET /api/v1{path} HTTP/1.0\r\nHost: {address}\r\nAuthorization: Bearer {token}\r\n{last}\r\n"
        );
        stream.write_all(request.as_bytes()).await.expect("it is sent");
        let mut lines = BufReader::new(stream).lines();
        let first = timeout(PATIENCE, lines.next_line()).await.expect("an answer").expect("it can be read");
        let status =
            first.as_deref().and_then(|line| line.split(' ').nth(1)?.parse().ok()).expect("a status");
        while lines.next_line().await.expect("a head").is_some_and(|line| !line.is_empty()) {}
        Self { status, lines }
    }

    /// What comes next; `None` at the end.
    async fn next(&mut self) -> Option<Told> {
        let mut told = Told::default();
        loop {
            let line = timeout(PATIENCE, self.lines.next_line())
                .await
                .expect("it comes")
                .expect("it can be read")?;
            match line.split_once(": ") {
                _ if line.is_empty() && told.event.is_empty() => told = Told::default(),
                _ if line.is_empty() => return Some(told),
                Some(("id", id)) => told.id = Some(id.parse().expect("a number")),
                Some(("event", event)) => event.clone_into(&mut told.event),
                Some(("data", data)) => told.data = serde_json::from_str(data).expect("JSON"),
                _ => {}
            }
        }
    }

    /// All that comes until something is told that is wanted, that included.
    async fn until(&mut self, wanted: impl Fn(&Told) -> bool) -> Vec<Told> {
        let mut all = Vec::new();
        loop {
            let told = self.next().await.unwrap_or_else(|| panic!("it ended before: {all:?}"));
            let is_it = wanted(&told);
            all.push(told);
            if is_it {
                return all;
            }
        }
    }
}

fn numbers(told: &[Told]) -> Vec<i64> {
    told.iter().filter_map(|told| told.id).collect()
}

async fn token(browser: &mut Client, scope: &str) -> String {
    let made = browser.api("POST", "/tokens", Some(&json!({"name": scope, "scope": scope})), &[]).await;
    assert_eq!(made.status, 201, "{made:?}");
    made.json()["secret"].as_str().expect("a secret").to_owned()
}

/// The newest run, once it stands so.
async fn run_that_is(place: &Place, state: &str) -> String {
    let runs = place.until_runs(state, |runs| runs.first().is_some_and(|run| run["state"] == state)).await;
    runs[0]["run"].as_str().expect("an id").to_owned()
}

/// A backup of so many photos whose bytes take their time.
async fn slow_backup(place: &Place, items: u32) -> Served {
    place.seed(items);
    place.add_backup_with(&json!({"connections": 1})).await;
    place.fault(Fault::always(Action::Latency { ms: 60 }).on(&["GET"]));
    place.web().await
}

#[tokio::test]
async fn who_listens_and_comes_again_is_told_everything_once_and_in_order() {
    let place = Place::new().await;
    let served = slow_backup(&place, 120).await;
    let mut browser = served.first_browser().await;
    let token = token(&mut browser, "read").await;
    let mut first = Listening::to(served.address, "/events?after=0", &token, None).await;
    assert_eq!(first.status, 200);
    let running = place.spawn(&["run", "home", "--json"]);

    // It breaks off in the middle of the run, and comes again from where it was, as a browser does.
    let mut told = first.until(|told| told.event == "run.items").await;
    drop(first);
    let last = numbers(&told).last().copied();
    let mut again = Listening::to(served.address, "/events", &token, last).await;
    told.extend(again.until(|told| told.event == "run.ended").await);
    let heard = numbers(&told);
    let ended = running.wait_with_output().await.expect("its end");
    assert!(ended.status.success(), "{ended:?}");
    let happened: Vec<i64> =
        place.events().await.iter().map(|event| event["seq"].as_i64().expect("a number")).collect();
    assert_eq!(heard, happened[..heard.len()], "none is missing and none comes twice");
    assert!(heard.len() > 10, "{heard:?}");

    // How far it was came beside them, and never more often than four times a second.
    let progress: Vec<&Told> = told.iter().filter(|told| told.event == "progress").collect();
    assert!(
        progress.iter().any(|told| told.data["progress"]["items"]["done"].as_u64() > Some(0)),
        "{told:?}"
    );
    assert!(progress.iter().all(|told| told.id.is_none()));

    // The run alone: it ends with the run, and who has heard all of it is told that there is no more.
    let run = told.last().expect("its end").data["run"].as_str().expect("an id").to_owned();
    let path = format!("/runs/{run}/events");
    let mut of_run = Listening::to(served.address, &path, &token, None).await;
    let mut all = Vec::new();
    while let Some(told) = of_run.next().await {
        assert_eq!(told.data["run"], run.as_str());
        all.push(told);
    }
    let kinds: Vec<&str> = all.iter().map(|told| told.event.as_str()).collect();
    assert_eq!(
        (kinds[0], kinds[1], *kinds.last().expect("some")),
        ("run.queued", "run.started", "run.ended")
    );
    assert!(kinds.contains(&"run.items"), "{kinds:?}");
    let mut without = Listening::to(served.address, &format!("{path}?items=false"), &token, None).await;
    let mut kinds = Vec::new();
    while let Some(told) = without.next().await {
        kinds.push(told.event);
    }
    assert_eq!(kinds, ["run.queued", "run.started", "run.ended"]);
    let last = numbers(&all).last().copied();
    assert_eq!(Listening::to(served.address, &path, &token, last).await.status, 204);
    // A wrong place is told, and a stranger is told nothing.
    assert_eq!(Listening::to(served.address, &format!("{path}?after=-1"), &token, None).await.status, 400);
    assert_eq!(Listening::to(served.address, &path, "charon_wrong", None).await.status, 401);
}

#[tokio::test]
async fn who_may_listen_no_more_is_told_no_more() {
    let place = Place::new().await;
    let served = place.web().await;
    let mut browser = served.first_browser().await;
    let token = token(&mut browser, "read").await;
    let mut listening = Listening::to(served.address, "/events", &token, None).await;
    let tokens = browser.api("GET", "/tokens", None, &[]).await.json();
    let id = tokens["items"][0]["id"].as_str().expect("an id");
    let revoked = browser.api("DELETE", &format!("/tokens/{id}"), None, &[]).await;
    assert_eq!(revoked.status, 204, "{revoked:?}");
    assert!(listening.next().await.is_none(), "it ends");
}

#[tokio::test]
async fn a_run_is_paused_resumed_and_stopped_over_the_api_by_those_who_may() {
    let place = Place::new().await;
    let served = slow_backup(&place, 60).await;
    let mut browser = served.first_browser().await;
    let (reads, runs) = (token(&mut browser, "read").await, token(&mut browser, "run").await);
    let mut api = served.stranger();
    let (reads, runs) = (format!("Bearer {reads}"), format!("Bearer {runs}"));
    let (reads, runs) = ([("Authorization", reads.as_str())], [("Authorization", runs.as_str())]);

    let running = place.spawn(&["run", "home", "--json"]);
    let run = run_that_is(&place, "running").await;
    let at = |verb: &str| format!("/runs/{run}:{verb}");
    assert_eq!(api.api("POST", &at("pause"), None, &reads).await.status, 403);
    let asked = api.api("POST", &at("pause"), None, &runs).await;
    assert_eq!(asked.status, 202, "{asked:?}");
    assert!(matches!(asked.json()["state"].as_str(), Some("pausing" | "paused")), "{asked:?}");
    run_that_is(&place, "paused").await;
    drop(running);
    let far = api.api("GET", &format!("/runs/{run}/progress"), None, &reads).await.json();
    assert!(far["items"]["done"].as_u64() < Some(60), "{far}");

    assert_eq!(api.api("POST", &at("resume"), None, &runs).await.status, 202);
    run_that_is(&place, "running").await;
    assert_eq!(api.api("POST", &at("resume"), None, &runs).await.status, 409);
    // A browser is asked first, also without a script.
    let page = browser.get(&format!("/runs/{run}")).await.link("/cancel");
    let asked = browser.get(&page).await;
    assert!(asked.status == 200 && asked.body.contains("Stop it"), "{asked:?}");
    assert_eq!(api.api("POST", &at("cancel"), None, &runs).await.status, 202);
    run_that_is(&place, "cancelled").await;
    let again = api.api("POST", &at("cancel"), None, &runs).await;
    assert_eq!((again.status, again.header("content-type")), (409, Some("application/problem+json")));
    assert!(
        again.json()["detail"].as_str().is_some_and(|words| words.contains("has ended already")),
        "{again:?}"
    );

    let shown = api.api("GET", &format!("/runs/{run}"), None, &reads).await.json();
    assert_eq!((shown["state"].as_str(), shown["attempts"].as_u64()), (Some("cancelled"), Some(2)));
    for (path, found) in [("/runs", 1), ("/runs?state=cancelled", 1), ("/runs?state=failed", 0)] {
        let listed = api.api("GET", path, None, &reads).await.json();
        assert_eq!(listed["items"].as_array().map(Vec::len), Some(found), "{path}: {listed}");
    }
    let nothing = "/runs/018bcfe5-6800-7000-8000-000000000001";
    for (method, path) in [
        ("GET", nothing.to_owned()),
        ("POST", format!("{nothing}:cancel")),
        ("GET", format!("{nothing}/log")),
    ] {
        assert_eq!(api.api(method, &path, None, &runs).await.status, 404, "{path}");
    }
    assert_eq!(api.api("GET", "/runs?state=lost", None, &reads).await.status, 400);
}

#[tokio::test]
async fn what_failed_is_looked_into_and_tried_again_in_a_browser_without_a_script() {
    // I9
    let place = Place::new().await;
    place.add_upload().await;
    place.draw("pictures", 1..4);
    for name in ["a.jpg", "b.jpg"] {
        std::fs::write(place.path("pictures").join(name), "").expect("a file");
    }
    assert_eq!(place.run("out").await.1["state"], "partial");
    let served = place.web().await;
    let mut browser = served.first_browser().await;
    let runs = browser.get("/runs?plan=&state=partial").await;
    assert!(runs.body.contains("some failed"), "{runs:?}");
    let path = runs.link("/runs/0");
    let run = browser.get(&path).await;
    for words in [
        "What became of the items",
        "2 items: the file is empty (zero bytes)",
        "a.jpg, b.jpg",
        "Try the failed items again",
    ] {
        assert!(run.body.contains(words), "{words}: {}", run.body);
    }
    let failed = browser.get(&run.link("outcome=failed")).await;
    assert!(failed.body.contains("a.jpg") && !failed.body.contains("IMG_0001.jpg"), "{}", failed.body);
    let done = browser.get(&run.link("outcome=done")).await;
    assert!(done.body.contains("IMG_0001.jpg") && !done.body.contains("a.jpg"), "{}", done.body);

    let id = path.trim_start_matches("/runs/").to_owned();
    let causes = browser.api("GET", &format!("/runs/{id}/failures"), None, &[]).await.json();
    assert_eq!(
        (causes["causes"][0]["items"].as_u64(), causes["looked_at"].as_u64()),
        (Some(2), Some(2)),
        "{causes}"
    );
    let mut items = Vec::new();
    let mut next = format!("/runs/{id}/items?limit=2");
    loop {
        let page = browser.api("GET", &next, None, &[]).await.json();
        items.extend(page["items"].as_array().expect("items").iter().map(|item| item["name"].clone()));
        let Some(cursor) = page["next"].as_str() else { break };
        next = format!("/runs/{id}/items?limit=2&cursor={cursor}");
    }
    assert_eq!(items.len(), 5, "{items:?}");
    let log = browser.get(&run.link("/log")).await;
    assert_eq!(log.header("content-type"), Some("text/plain; charset=utf-8"));
    assert!(
        log.header("content-disposition").is_some_and(|name| name.contains(&format!("charon-run-{id}.log")))
    );
    for line in [
        "attempt 1 has begun\n",
        "it ended as partial\n",
        "\nfailed items:\n",
        "a.jpg (item): the file is empty",
    ] {
        assert!(log.body.contains(line), "{line}: {}", log.body);
    }

    // The dashboard says so, and has the button.
    let dashboard = browser.get("/").await;
    let truth = "3 of the 5 files in the folders are at the storage family: 2 failed (the file is empty (zero bytes)).";
    assert!(dashboard.body.contains(truth), "{}", dashboard.body);
    assert!(dashboard.body.contains(&format!("/runs/{id}/retry-failed")), "{}", dashboard.body);
    place.draw("pictures", 10..12);
    for (name, drawn) in [("a.jpg", "IMG_0010.jpg"), ("b.jpg", "IMG_0011.jpg")] {
        std::fs::rename(place.path("pictures").join(drawn), place.path("pictures").join(name))
            .expect("renamed");
    }
    let again = browser.post(&format!("/runs/{id}/retry-failed"), &[]).await;
    assert_eq!(again.status, 303, "{again:?}");
    assert_ne!(again.location(), path);
    run_that_is(&place, "succeeded").await;
    let dashboard = browser.get("/").await;
    assert!(
        dashboard.body.contains("All 5 files in the folders are at the storage family."),
        "{}",
        dashboard.body
    );
    assert!(!dashboard.body.contains("retry-failed"), "{}", dashboard.body);
    let refused = browser.post(&format!("{}/retry-failed", again.location()), &[]).await;
    assert_eq!(refused.status, 409, "{refused:?}");

    // Nothing that the policy of pages forbids stands in any of them.
    for page in [&runs, &run, &failed, &dashboard] {
        assert!(
            !page.body.contains(" style=")
                && !page.body.contains("<style")
                && !page.body.contains(" onclick")
        );
        assert_eq!(page.body.matches("<script").count(), 1, "{}", page.body);
    }
}

#[tokio::test]
async fn the_dashboard_tells_the_truth_of_a_good_account_of_a_broken_one_and_of_its_cure() {
    // I10
    let place = Place::new().await;
    place.seed(7);
    place.add_backup().await;
    let served = place.web().await;
    let mut browser = served.first_browser().await;
    let sentence = async |browser: &mut Client| {
        let told = browser.api("GET", "/dashboard?timezone=Europe/Berlin", None, &[]).await.json();
        (told["sentence"]["text"].as_str().expect("a text").to_owned(), told)
    };
    assert!(sentence(&mut browser).await.0.starts_with("Nothing is backed up yet: there was no run."));
    assert_eq!(place.run("home").await.0, 0);
    let truth = "All 7 items that Google Photos shows Charon are backed up.";
    let (said, told) = sentence(&mut browser).await;
    assert!(said.starts_with(truth), "{said}");
    let strip = told["plans"][0]["strip"].as_array().expect("days");
    assert_eq!((strip.len(), strip[29]["verdict"].as_str()), (30, Some("good")), "{strip:?}");
    assert_eq!(told["days"].as_array().and_then(|days| days.last()?["items"].as_u64()), Some(7), "{told}");
    let page = browser.get("/").await.body;
    assert!(page.contains(truth) && page.contains("Items moved by day") && page.contains("<meter"), "{page}");
    assert!(!page.contains("What needs you"), "{page}");

    // Nobody is let in any more.
    place.world().expire_access_tokens();
    place.world().revoke_refresh_tokens();
    let stuck = place.charon(&["run", "home", "--json"]).await;
    assert_ne!(stuck.code, Some(0), "{stuck:?}");
    let (said, told) = sentence(&mut browser).await;
    assert!(said.starts_with(truth) && said.contains("A run waits for you: "), "{said}");
    assert_eq!(
        (told["sentence"]["tone"].as_str(), told["attention"][0]["cure"]["do"].as_str()),
        (Some("bad"), Some("reconnect")),
        "{told}"
    );
    let page = browser.get("/").await.body;
    assert!(page.contains("does not let Charon in") && page.contains("/reconnect\""), "{page}");

    // It is connected again, and the run goes on by itself.
    let config = place.config();
    let ended = place.charon_with(&["storage", "update", "family", "--config", "-"], &config).await;
    assert_eq!(ended.code, Some(0), "{ended:?}");
    run_that_is(&place, "succeeded").await;
    let (said, told) = sentence(&mut browser).await;
    assert!(said.starts_with(truth), "{said}");
    assert_eq!(
        (told["sentence"]["tone"].as_str(), told["attention"].as_array().map(Vec::len)),
        (Some("good"), Some(0)),
        "{told}"
    );
    let wrong = browser.api("GET", "/dashboard?timezone=Mars/Olympus", None, &[]).await;
    assert_eq!(wrong.status, 400, "{wrong:?}");
}
