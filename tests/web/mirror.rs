//! The mirror over HTTP: proof and its reports, the trash, what a run asks about, fidelity; on pages without a script, and over the API.

use std::{fs, path::Path};

use serde_json::{Value, json};

use super::client::{Answer, Client, Served};
use crate::support::Place;

/// A plan with its mirror, in a program that serves it.
struct Mirror {
    place: Place,
    _served: Served,
    browser: Client,
    plan: String,
}

impl Mirror {
    /// So many photos are home, by a plan that says this as well.
    async fn of(items: u32, more: &Value) -> Self {
        let place = Place::new().await;
        place.seed(items);
        place.add_storage().await;
        let mut config = json!({"kind": "backup", "storage": "family", "destination": place.path("mirror")});
        config.as_object_mut().expect("an object").extend(more.as_object().expect("an object").clone());
        place.add_plan("home", &config).await;
        assert_eq!(place.run("home").await.0, 0);
        let plan = place.charon(&["plan", "show", "home", "--json"]).await.json();
        let plan = plan["id"].as_str().expect("an id").to_owned();
        let served = place.web().await;
        let browser = served.first_browser().await;
        Self { place, _served: served, browser, plan }
    }

    async fn get(&mut self, rest: &str) -> Value {
        let path = format!("/plans/{}{rest}", self.plan);
        let answer = self.browser.api("GET", &path, None, &[]).await;
        assert_eq!(answer.status, 200, "{path}: {answer:?}");
        answer.json()
    }

    async fn post(&mut self, rest: &str, body: &Value) -> Answer {
        self.browser.api("POST", &format!("/plans/{}{rest}", self.plan), Some(body), &[]).await
    }

    async fn page(&mut self, rest: &str) -> String {
        let answer = self.browser.get(&format!("/plans/{}{rest}", self.plan)).await;
        assert_eq!(answer.status, 200, "{rest}: {answer:?}");
        answer.body
    }

    /// Sends a form of one of the plan's pages; gives where that leads.
    async fn form(&mut self, rest: &str, fields: &[(&str, &str)]) -> String {
        let answer = self.browser.post(&format!("/plans/{}{rest}", self.plan), fields).await;
        assert_eq!(answer.status, 303, "{rest}: {answer:?}");
        answer.location().to_owned()
    }

    /// The newest run, once it has ended.
    async fn ended(&self) -> Value {
        let is_over = |run: &Value| matches!(run["state"].as_str(), Some("succeeded" | "partial" | "failed"));
        self.place.until_runs("the run ends", |runs| runs.first().is_some_and(is_over)).await[0].clone()
    }

    async fn full(&self) -> i32 {
        let ended = self.place.charon(&["run", "home", "--full", "--json"]).await;
        ended.code.expect("an exit code")
    }

    fn remove(&self, items: usize) {
        for item in &self.place.world().items()[..items] {
            assert!(self.place.world().remove_item(&item.id));
        }
    }
}

/// A plan that moves what is gone to the trash, after two listings.
fn trashes(most_percent: u32) -> Value {
    json!({"deletion": {"gone": "trash", "after_listings": 2, "most_percent": most_percent}})
}

/// Changes a byte, and not the size.
fn rot(path: &Path) {
    let mut bytes = fs::read(path).expect("a file");
    bytes[100] ^= 1;
    fs::write(path, bytes).expect("written");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_verification_finds_is_told_everywhere_until_it_is_repaired() {
    // I9, I10
    let mut mirror = Mirror::of(12, &json!({})).await;
    let files = mirror.place.mirrored();
    let root = mirror.place.path("mirror");
    let before = mirror.get("/mirror").await;
    assert_eq!(
        [&before["files"], &before["api_copies"]["items"], &before["originals"]["files"]],
        [12, 12, 0].map(|n| json!(n)).each_ref(),
        "{before:#}"
    );
    assert_eq!((&before["verified"]["never"], &before["last_verification"]), (&json!(12), &Value::Null));
    assert!(mirror.page("/mirror").await.contains("has not been verified yet"));

    rot(&root.join(&files[2].0));
    fs::remove_file(root.join(&files[5].0)).expect("removed");
    fs::write(root.join("photos/<b>letter.txt"), "dear all").expect("written");
    let asked = mirror.post(":verify", &json!({})).await;
    assert_eq!((asked.status, &asked.json()["is_new"]), (202, &json!(true)), "{asked:?}");
    let run = asked.json()["run"].as_str().expect("a run").to_owned();
    assert_eq!(asked.location(), format!("/api/v1/runs/{run}"));
    assert_eq!(mirror.ended().await["state"], "partial");

    let listed = mirror.get("/verifications").await;
    assert_eq!(listed["items"].as_array().map(Vec::len), Some(1), "{listed:#}");
    let first = &listed["items"][0];
    let found = ["files", "good", "missing", "changed", "strange"].map(|what| first[what].clone());
    assert_eq!((first["run"].as_str(), found), (Some(run.as_str()), [12, 10, 1, 1, 1].map(|n| json!(n))));
    let report = mirror.get(&format!("/verifications/{run}")).await;
    let problem = |report: &Value, path: &str| {
        let all = report["problems"].as_array().expect("a list").clone();
        all.into_iter().find(|one| one["path"] == path).unwrap_or_else(|| panic!("{path}: {report:#}"))
    };
    assert_eq!(report["problems"].as_array().map(Vec::len), Some(3), "{report:#}");
    assert_eq!(problem(&report, &files[2].0)["outcome"], "failed");
    assert_eq!(problem(&report, &files[5].0)["outcome"], "failed");
    assert_eq!(problem(&report, "photos/<b>letter.txt")["outcome"], "skipped");
    let now = mirror.get("/mirror").await;
    assert_eq!(
        [&now["verified"]["good"], &now["verified"]["in_30_days"], &now["verified"]["damaged"]],
        [10, 10, 2].map(|n| json!(n)).each_ref(),
        "{now:#}"
    );
    assert_eq!(now["last_verification"]["run"], run.as_str());

    // The pages say so, each with a link to the next.
    let page = mirror.page(&format!("/verifications/{run}")).await;
    assert!(page.contains(&files[2].0) && page.contains("&lt;b&gt;letter.txt"), "{page}");
    assert!(page.contains("10 of 12 files good, 1 missing, 1 changed, 1 not Charon's"), "{page}");
    let report_at = format!("/plans/{}/verifications/{run}", mirror.plan);
    assert!(mirror.browser.get(&format!("/runs/{run}")).await.body.contains(&report_at));
    assert!(mirror.page("/mirror").await.contains(&report_at));
    let dashboard = mirror.browser.get("/").await.body;
    assert!(dashboard.contains("2 files of home are damaged"), "{dashboard}");
    assert!(dashboard.contains(&format!("/plans/{}/mirror", mirror.plan)), "{dashboard}");
    assert!(dashboard.contains("2 files at home are known to be damaged"), "{dashboard}");
    let items = mirror.get("/items").await;
    let (mut damaged, mut good) = (0, 0);
    for item in items["items"].as_array().expect("a list") {
        let page = mirror.browser.get(&format!("/library/{}/{}", mirror.plan, item["id"])).await.body;
        damaged += usize::from(page.contains(">changed<") || page.contains(">missing<"));
        good += usize::from(page.contains("It is as it was stored: read again"));
    }
    assert_eq!((damaged, good), (2, 10));

    // A button, and all is well.
    let at = mirror.form("/verify", &[("percent", ""), ("repair", "yes")]).await;
    let repair = at.rsplit('/').next().expect("a run").to_owned();
    assert_eq!(mirror.ended().await["items"]["done"], 2);
    let report = mirror.get(&format!("/verifications/{repair}")).await;
    assert_eq!(problem(&report, &files[2].0)["outcome"], "done");
    assert_eq!(problem(&report, &files[5].0)["outcome"], "done");
    let page = mirror.page(&format!("/verifications/{repair}")).await;
    assert_eq!(page.matches(">repaired<").count(), 2, "{page}");
    assert!(page.contains("What was damaged is repaired."), "{page}");
    assert_eq!(mirror.get("/mirror").await["verified"]["damaged"], 0);
    assert!(!mirror.browser.get("/").await.body.contains("damaged"));
    assert_eq!(mirror.place.mirrored().len(), 12 + 1);
    // The older one is behind the newer one.
    let page = mirror.get("/verifications?limit=1").await;
    assert_eq!(page["items"][0]["run"], repair.as_str());
    let next = page["next"].as_str().expect("one more");
    assert_eq!(mirror.get(&format!("/verifications?cursor={next}")).await["items"][0]["run"], run.as_str());
}

#[tokio::test(flavor = "multi_thread")]
async fn checksums_come_over_http_as_they_do_on_the_command_line_and_what_is_no_mirror_is_refused() {
    let mut mirror = Mirror::of(7, &json!({})).await;
    let sums = mirror.browser.api("GET", &format!("/plans/{}/sums", mirror.plan), None, &[]).await;
    let told = mirror.place.charon(&["sums", "home"]).await;
    assert_eq!((sums.status, sums.body.as_str()), (200, told.stdout.as_str()), "{sums:?}");
    assert_eq!(sums.header("content-type"), Some("text/plain; charset=utf-8"));
    assert_eq!(sums.body.lines().count(), 7);
    for (rest, body, status) in [
        (":verify", json!({"percent": 0}), 422),
        (":verify", json!({"percent": 101}), 422),
        (":verify", json!({"repairs": true}), 422),
        ("/trash:restore", json!({}), 422),
        ("/trash:restore", json!({"items": [1], "all": true}), 422),
        ("/trash:restore", json!({"items": ["1"]}), 422),
        ("/trash:agree", json!({}), 422),
        ("/trash:agree", json!({"items": 1}), 409),
        ("/trash:keep", json!({}), 409),
    ] {
        let answer = mirror.post(rest, &body).await;
        assert_eq!(answer.status, status, "{rest} {body}: {answer:?}");
    }
    // A run that is no verification has no report, and neither has one of another plan.
    let backup = mirror.ended().await["run"].as_str().expect("a run").to_owned();
    for rest in [format!("/verifications/{backup}"), "/verifications/7".into(), "/trash:no".into()] {
        let answer = mirror.browser.api("GET", &format!("/plans/{}{rest}", mirror.plan), None, &[]).await;
        assert_eq!(answer.status, 404, "{rest}: {answer:?}");
        assert_eq!(mirror.browser.get(&format!("/plans/{}{rest}", mirror.plan)).await.status, 404, "{rest}");
    }

    let place = &mirror.place;
    place.draw("pictures", 1..3);
    let out = json!({"kind": "upload", "storage": "family", "sources": [place.path("pictures")]});
    place.add_plan("out", &out).await;
    let out = place.charon(&["plan", "show", "out", "--json"]).await.json();
    mirror.plan = out["id"].as_str().expect("an id").to_owned();
    for rest in ["/mirror", "/verifications", "/trash", "/trash/asked", "/sums"] {
        let answer = mirror.browser.api("GET", &format!("/plans/{}{rest}", mirror.plan), None, &[]).await;
        assert_eq!(answer.status, 409, "{rest}: {answer:?}");
    }
    for (rest, body) in [
        (":verify", json!({})),
        (":originals", json!({})),
        ("/trash:empty", json!({})),
        ("/trash:restore", json!({"all": true})),
    ] {
        let answer = mirror.post(rest, &body).await;
        assert_eq!(answer.status, 409, "{rest}: {answer:?}");
    }
    for rest in ["/mirror", "/trash"] {
        assert_eq!(mirror.browser.get(&format!("/plans/{}{rest}", mirror.plan)).await.status, 409, "{rest}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_in_the_trash_is_listed_put_back_and_removed_for_good() {
    // I5
    let mut mirror = Mirror::of(10, &trashes(90)).await;
    let before = mirror.place.mirrored();
    assert!(mirror.page("/trash").await.contains("The trash is empty."));
    mirror.remove(3);
    assert_eq!((mirror.full().await, mirror.full().await), (0, 0));
    let dashboard = mirror.browser.get("/").await.body;
    assert!(dashboard.contains("All 7 items"), "what is gone is not shown any more: {dashboard}");
    assert!(mirror.page("").await.contains("to the trash after 2 whole listings, for 30 days"));
    let first = mirror.get("/trash?limit=2").await;
    assert_eq!(first["items"].as_array().map(Vec::len), Some(2), "{first:#}");
    let next = first["next"].as_str().expect("there is more");
    let rest = mirror.get(&format!("/trash?cursor={next}")).await;
    let files: Vec<Value> =
        [&first, &rest].iter().flat_map(|page| page["items"].as_array().expect("a list").clone()).collect();
    assert_eq!(files.len(), 3, "{first:#} {rest:#}");
    let page = mirror.page("/trash").await;
    for file in &files {
        assert!(page.contains(file["path"].as_str().expect("a path")), "{page}");
    }
    assert!(page.contains("removed for good after 30 days"), "{page}");

    // Nothing is put back when nothing is chosen.
    let runs = mirror.place.runs().await.len();
    assert!(mirror.form("/trash/restore", &[]).await.ends_with("/trash?told=none"));
    assert!(mirror.page("/trash?told=none").await.contains("No file was chosen"));
    assert_eq!(mirror.place.runs().await.len(), runs);
    // One button, though other boxes are ticked; then some.
    let item = |file: &Value| file["item"].to_string();
    let only = [("item", item(&files[1])), ("only", item(&files[0]))];
    let only: Vec<(&str, &str)> = only.iter().map(|(name, value)| (*name, value.as_str())).collect();
    assert!(mirror.form("/trash/restore", &only).await.starts_with("/runs/"));
    assert_eq!(mirror.ended().await["items"]["done"], 1);
    assert_eq!(mirror.place.mirrored().len(), 8);
    assert_eq!(mirror.get("/trash").await["items"].as_array().map(Vec::len), Some(2));
    let chosen = item(&files[1]);
    mirror.form("/trash/restore", &[("item", &chosen)]).await;
    assert_eq!(mirror.ended().await["items"]["done"], 1);
    assert_eq!(mirror.place.mirrored().len(), 9);

    // It is not old enough, and stays; somebody who is sure says so twice.
    mirror.form("/trash/empty", &[]).await;
    assert_eq!(mirror.ended().await["items"]["done"], 0);
    let sure = mirror.page("/trash/empty?everything=yes").await;
    assert!(sure.contains("1 file,") && sure.contains("cannot be taken back"), "{sure}");
    assert_eq!(mirror.get("/mirror").await["trash"]["files"], 1, "nothing is done by looking");
    mirror.form("/trash/empty", &[("everything", "yes")]).await;
    assert_eq!(mirror.ended().await["items"]["done"], 1);
    assert_eq!(mirror.get("/mirror").await["trash"]["files"], 0);
    let left = before.iter().filter(|file| file.0 != files[2]["path"].as_str().expect("a path")).count();
    assert_eq!(mirror.place.mirrored().len(), left);
}

#[tokio::test(flavor = "multi_thread")]
async fn who_agrees_agrees_to_what_was_seen() {
    // I5
    let mut mirror = Mirror::of(20, &trashes(10)).await;
    mirror.remove(6);
    mirror.full().await;
    assert_eq!(mirror.full().await, 1);
    assert_eq!(mirror.get("/mirror").await["trash"]["asked_about"], 6);
    let asked = mirror.get("/trash/asked").await;
    assert_eq!(asked["items"].as_array().map(Vec::len), Some(6), "{asked:#}");
    let dashboard = mirror.browser.get("/").await.body;
    assert!(dashboard.contains("6 items of home: gone from the account"), "{dashboard}");
    let trash = format!("/plans/{}/trash", mirror.plan);
    assert!(dashboard.contains(&trash) && !dashboard.contains("cannot run as it is"), "{dashboard}");
    for rest in ["", "/mirror", "/trash"] {
        let page = mirror.page(rest).await;
        assert!(page.contains("6 items are gone from the account"), "{page}");
        assert!(page.contains("name=\"items\" value=\"6\""), "{page}");
        assert!(page.contains(asked["items"][5]["path"].as_str().expect("a path")), "{page}");
    }

    // More are gone by now.
    mirror.remove(2);
    mirror.full().await;
    assert_eq!(mirror.full().await, 1);
    let refused = mirror.browser.post(&format!("{trash}/agree"), &[("items", "6")]).await;
    assert_eq!(refused.status, 409, "{refused:?}");
    assert!(refused.body.contains("about 8 items by now, and not about 6"), "{}", refused.body);
    assert_eq!(mirror.post("/trash:agree", &json!({"items": 7})).await.status, 409);
    let refused = mirror.place.charon(&["trash", "agree", "home", "--items", "6"]).await;
    assert!(refused.code == Some(1) && refused.stderr.contains("about 8 items by now"), "{refused:?}");
    assert_eq!(mirror.get("/mirror").await["trash"]["asked_about"], 8, "nobody has agreed to anything");

    let agreed = mirror.post("/trash:agree", &json!({"items": 8})).await;
    assert_eq!((agreed.status, &agreed.json()["items"]), (200, &json!(8)), "{agreed:?}");
    assert_eq!(mirror.full().await, 0);
    assert_eq!(mirror.get("/mirror").await["trash"]["files"], 8);

    // Or they stay: a button says so.
    mirror.remove(3);
    mirror.full().await;
    assert_eq!(mirror.full().await, 1);
    assert!(mirror.form("/trash/keep", &[]).await.ends_with("?told=kept"));
    assert_eq!((mirror.full().await, mirror.full().await), (0, 0));
    assert_eq!(mirror.place.mirrored().len(), 12);
    assert!(!mirror.browser.get("/").await.body.contains("gone from the account"));
}
