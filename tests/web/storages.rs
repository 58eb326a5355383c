//! Storages in a browser and over the API: made, tested, connected, changed, removed.

use std::collections::BTreeMap;

use gphotos_emulator::Settings;
use serde_json::{Value, json};

use super::client::{Answer, Client, Served};
use crate::{
    browser::visit,
    support::{CLIENT_ID, Place},
};

const SECRET: &str = "a-client-secret";

/// An account that gives its consent by itself, to this client alone.
fn willing() -> Settings {
    let clients = BTreeMap::from([(CLIENT_ID.to_owned(), SECRET.to_owned())]);
    Settings { keep_bytes: true, auto_approve: true, clients, ..Settings::default() }
}

impl Place {
    fn auth_url(&self) -> String {
        format!("{}/o/oauth2/v2/auth", self.emulator.url())
    }

    /// What a person types into the form, without a token.
    fn typed(&self) -> Vec<(String, String)> {
        let url = self.emulator.url();
        let fields = [
            ("name", "family".to_owned()),
            ("/client_id", CLIENT_ID.to_owned()),
            ("/client_secret", SECRET.to_owned()),
            ("/auth_url", self.auth_url()),
            ("/token_url", format!("{url}/token")),
            ("/api_url", url.clone()),
        ];
        fields.into_iter().map(|(name, value)| (name.to_owned(), value)).collect()
    }

    fn refresh_token(&self) -> String {
        let blob: Value = serde_json::from_str(&self.emulator.token_blob(CLIENT_ID, &[])).expect("JSON");
        blob["refresh_token"].as_str().expect("a token").to_owned()
    }
}

fn pairs<'a>(fields: &'a [(String, String)], more: &[(&'a str, &'a str)]) -> Vec<(&'a str, &'a str)> {
    let mut all: Vec<(&str, &str)> =
        fields.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
    all.extend(more);
    all
}

/// The stages that a test has told, one on each line.
fn stages(answer: &Answer) -> Vec<(String, String)> {
    assert_eq!(
        (answer.status, answer.header("content-type")),
        (200, Some("application/x-ndjson")),
        "{answer:?}"
    );
    let read = |line: &str| serde_json::from_str::<Value>(line).expect("JSON");
    let word = |check: &Value, name: &str| check[name].as_str().expect("a word").to_owned();
    answer.body.lines().map(read).map(|check| (word(&check, "stage"), word(&check, "verdict"))).collect()
}

fn have_passed(stages: &[(String, String)]) -> bool {
    stages.len() > 4 && stages.iter().all(|(_, verdict)| verdict == "passed")
}

fn pointers(answer: &Answer) -> Vec<String> {
    assert_eq!(
        (answer.status, answer.header("content-type")),
        (422, Some("application/problem+json")),
        "{answer:?}"
    );
    let errors = answer.json()["errors"].as_array().expect("mistakes").clone();
    errors.iter().map(|wrong| wrong["pointer"].as_str().expect("a pointer").to_owned()).collect()
}

/// Nothing that was answered holds any of these (I6).
fn assert_untold(served: &Served, secrets: &[&str]) {
    let heard = served.heard();
    assert!(heard.len() > 1_000, "something was told");
    for secret in secrets {
        assert!(!heard.contains(secret), "{secret} was told");
    }
}

/// Begins a storage in the form, and asks for the consent; gives the draft's path and the page that leads to the consent.
async fn connecting(place: &Place, browser: &mut Client) -> (String, Answer) {
    let new = browser.get("/storages/new?provider=gphotos").await;
    assert_eq!(new.status, 303, "{new:?}");
    let draft = new.location().to_owned();
    let typed = place.typed();
    let sent = browser.post(&draft, &pairs(&typed, &[("do", "connect")])).await;
    assert_eq!((sent.status, sent.location()), (303, format!("{draft}/connect").as_str()), "{sent:?}");
    let page = browser.get(&format!("{draft}/connect")).await;
    assert_eq!(page.status, 200, "{page:?}");
    (draft, page)
}

/// Gives the consent on the emulator's page; gives where the browser is sent afterwards.
async fn consent(page: &Answer) -> String {
    let answered = visit(&page.link("/o/oauth2/v2/auth")).await;
    answered.location.unwrap_or_else(|| panic!("it sends the browser nowhere: {}", answered.text))
}

#[tokio::test(flavor = "multi_thread")]
async fn a_storage_is_made_changed_and_removed_and_nobodys_change_is_lost() {
    let place = Place::new().await;
    place.seed(2);
    let served = place.web().await;
    let mut api = served.first_browser().await;
    let new = json!({"name": "family", "provider": "gphotos", "config": place.config()});

    let wrong = json!({"name": "family", "provider": "gphotos", "config": {"batch_size": 51, "tokn": "x"}});
    let refused = api.api("POST", "/storages", Some(&wrong), &[]).await;
    assert_eq!(
        pointers(&refused),
        ["/config/batch_size", "/config/client_id", "/config/token", "/config/tokn"]
    );
    let unknown = json!({"name": "family", "provider": "dropbox", "config": {}});
    assert_eq!(api.api("POST", "/storages", Some(&unknown), &[]).await.status, 404);

    let added = api.api("POST", "/storages", Some(&new), &[]).await;
    assert_eq!(added.status, 201, "{added:?}");
    let (first, storage) = (added.header("etag").expect("a version").to_owned(), added.json());
    let path = format!("/storages/{}", storage["id"].as_str().expect("an id"));
    assert_eq!(added.header("location"), Some(format!("/api/v1{path}").as_str()));
    assert_eq!(storage["config"]["token"], "••••••••");
    assert_eq!(pointers(&api.api("POST", "/storages", Some(&new), &[]).await), ["/name"]);
    let got = api.api("GET", &path, None, &[]).await;
    assert_eq!(got.header("etag"), Some(first.as_str()));
    assert_eq!(got.json()["capabilities"]["upload"], true);
    assert_eq!(got.json()["health"]["state"], "untested");
    assert_eq!(got.json()["meters"][0]["limit"], 10_000);

    // The test renews the token, which is no change of the storage.
    let tested = api.api("POST", &format!("{path}:test"), None, &[]).await;
    assert!(have_passed(&stages(&tested)), "{tested:?}");
    let got = api.api("GET", &path, None, &[]).await;
    assert_eq!((got.header("etag"), &got.json()["health"]["state"]), (Some(first.as_str()), &json!("works")));

    // What was shown can be sent back, dots and all.
    let mut config = storage["config"].clone();
    config["read_only"] = true.into();
    let change = json!({"name": "kin", "config": config});
    assert_eq!(api.api("PUT", &path, Some(&change), &[]).await.status, 428);
    let other = api.api("PUT", &path, Some(&change), &[("If-Match", "\"another\"")]).await;
    assert_eq!(other.status, 412, "{other:?}");
    let changed = api.api("PUT", &path, Some(&change), &[("If-Match", &first)]).await;
    assert_eq!(changed.status, 200, "{changed:?}");
    assert_eq!(
        (&changed.json()["name"], &changed.json()["capabilities"]["upload"]),
        (&json!("kin"), &json!(false))
    );
    let second = changed.header("etag").expect("a version").to_owned();
    assert_ne!(second, first);
    assert_eq!(api.api("PUT", &path, Some(&change), &[("If-Match", &first)]).await.status, 412);
    let listed = api.api("GET", "/storages", None, &[]).await.json();
    assert_eq!(listed["items"].as_array().map(Vec::len), Some(1), "{listed}");

    // I6: an endpoint that changes asks for the secrets again, also for a test.
    let mut elsewhere = config.clone();
    elsewhere["api_url"] = "http://127.0.0.1:1".into();
    let asked_again = ["/config/client_secret", "/config/token"];
    let change = json!({"name": "kin", "config": elsewhere});
    assert_eq!(pointers(&api.api("PUT", &path, Some(&change), &[("If-Match", &second)]).await), asked_again);
    let try_it = json!({"config": elsewhere});
    assert_eq!(pointers(&api.api("POST", &format!("{path}:test"), Some(&try_it), &[]).await), asked_again);
    // Without another endpoint a change is tried with what is stored.
    let tried = api
        .api(
            "POST",
            &format!("{path}:test"),
            Some(&json!({"config": {"read_only": true, "client_id": CLIENT_ID,
        "token_url": config["token_url"], "api_url": config["api_url"]}})),
            &[],
        )
        .await;
    assert!(have_passed(&stages(&tried)), "{tried:?}");

    // Null forgets a secret that is not needed, and is no way around one that is.
    let mut without = config.clone();
    without["client_secret"] = serde_json::Value::Null;
    without["token"] = serde_json::Value::Null;
    let change = json!({"name": "kin", "config": without});
    let refused = api.api("PUT", &path, Some(&change), &[("If-Match", &second)]).await;
    assert_eq!(pointers(&refused), ["/config/token"]);
    without["token"] = config["token"].clone();
    let change = json!({"name": "kin", "config": without});
    let changed = api.api("PUT", &path, Some(&change), &[("If-Match", &second)]).await;
    assert_eq!((changed.status, changed.json()["config"].get("client_secret")), (200, None), "{changed:?}");
    let second = changed.header("etag").expect("a version").to_owned();

    place
        .add_plan("home", &json!({"kind": "backup", "storage": "kin", "destination": place.path("mirror")}))
        .await;
    let used = api.api("DELETE", &path, None, &[]).await;
    assert_eq!(used.status, 409, "{used:?}");
    assert!(used.body.contains("is used by home"), "{used:?}");
    assert_eq!(place.charon(&["plan", "remove", "home"]).await.code, Some(0));
    assert_eq!(api.api("DELETE", &path, None, &[("If-Match", &first)]).await.status, 412);
    assert_eq!(api.api("DELETE", &path, None, &[("If-Match", &second)]).await.status, 204);
    assert_eq!(api.api("GET", &path, None, &[]).await.status, 404);
    assert_untold(&served, &[SECRET, &place.refresh_token()]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_configuration_is_tested_before_it_is_saved_stage_by_stage() {
    let place = Place::new().await;
    place.seed(2);
    let served = place.web().await;
    let mut api = served.first_browser().await;
    let test = json!({"provider": "gphotos", "config": place.config()});
    let passed = api.api("POST", "/storages:test", Some(&test), &[]).await;
    assert!(have_passed(&stages(&passed)), "{passed:?}");
    assert_eq!(stages(&passed)[0].0, "config");
    let mut dead = place.config();
    dead["token"] = "1//no-such-refresh-token".into();
    let failed =
        api.api("POST", "/storages:test", Some(&json!({"provider": "gphotos", "config": dead})), &[]).await;
    let last = stages(&failed).pop().expect("a stage");
    assert_eq!(last, ("refresh the token".to_owned(), "failed".to_owned()));
    let wrong = json!({"provider": "gphotos", "config": {"batch_size": 51}});
    let refused = api.api("POST", "/storages:test", Some(&wrong), &[]).await;
    assert!(pointers(&refused).contains(&"/config/batch_size".to_owned()), "{refused:?}");
    assert!(
        api.api("GET", "/storages", None, &[]).await.json()["items"].as_array().is_some_and(Vec::is_empty)
    );
    assert_untold(&served, &[SECRET, &place.refresh_token(), "no-such-refresh-token"]);

    let providers = api.api("GET", "/providers", None, &[]).await.json();
    assert_eq!(providers["items"][0]["consenting"]["button"], "Connect with Google", "{providers}");
    let provider = api.api("GET", "/providers/gphotos", None, &[]).await.json();
    assert_eq!(provider["schema"]["properties"]["token"]["x-secret"], true);
    assert!(provider["pluton_fields"].as_array().is_some_and(|fields| fields.len() > 10), "{provider}");
    assert_eq!(api.api("GET", "/providers/dropbox", None, &[]).await.status, 404);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_storage_is_connected_tested_and_saved_in_a_browser() {
    let place = Place::with(willing()).await;
    place.seed(2);
    let served = place.web().await;
    let mut browser = served.first_browser().await;
    let (draft, page) = connecting(&place, &mut browser).await;
    assert!(page.body.contains("Connect with Google"), "{page:?}");

    let callback = consent(&page).await;
    assert!(callback.starts_with(&format!("http://{}/oauth/callback?", served.address)), "{callback}");
    let back = browser.get(&callback).await;
    assert_eq!((back.status, back.location()), (303, draft.as_str()), "{back:?}");
    let form = browser.get(&draft).await;
    assert!(form.body.contains("Connected as <strong>pat@example.com</strong>"), "{form:?}");
    assert!(form.body.contains("entered, not shown"), "{form:?}");

    // Live, as the script asks for it, and whole, as a form does.
    let mut typed = place.typed();
    typed.retain(|(name, _)| name != "/client_secret");
    let test = format!("{draft}/test");
    let live = browser.post_accepting(&test, &pairs(&typed, &[]), "application/x-ndjson").await;
    assert!(have_passed(&stages(&live)), "{live:?}");
    let whole = browser.post(&test, &pairs(&typed, &[])).await;
    let shown = browser.follow(whole.location()).await;
    assert!(shown.body.contains("It works: every stage passed."), "{shown:?}");

    let saved = browser.post(&draft, &pairs(&typed, &[("do", "save")])).await;
    let path = saved.location().strip_suffix("?told=added").expect("the new storage").to_owned();
    let page = browser.get(saved.location()).await;
    for words in ["family", "works", "pat@example.com", "It works: every stage passed.", "entered, not shown"]
    {
        assert!(page.body.contains(words), "{words}: {page:?}");
    }
    let over = browser.get(&draft).await;
    assert_eq!(over.location(), "/storages?told=draft-over", "the draft is over");
    assert!(browser.get(over.location()).await.body.contains("That form is over"));
    assert!(browser.get("/storages").await.body.contains("family"));

    // A mistake is told at its field, and nothing that was typed is lost.
    let edit = browser.get(&format!("{path}/edit")).await.location().to_owned();
    let mut wrong = typed.clone();
    wrong.push(("/batch_size".into(), "51".into()));
    let sent = browser.post(&edit, &pairs(&wrong, &[("do", "save")])).await;
    let form = browser.follow(sent.location()).await;
    assert!(form.body.contains("51 is greater than the maximum of 50"), "{form:?}");
    let elsewhere: Vec<(String, String)> = typed
        .iter()
        .map(|(name, value)| {
            (name.clone(), if name == "/api_url" { "http://127.0.0.1:1".into() } else { value.clone() })
        })
        .collect();
    let sent = browser.post(&edit, &pairs(&elsewhere, &[("do", "save")])).await;
    let form = browser.follow(sent.location()).await;
    assert!(form.body.contains("is to be entered again"), "I6: {form:?}");
    let live = browser
        .post_accepting(&format!("{edit}/test"), &pairs(&elsewhere, &[]), "application/x-ndjson")
        .await;
    assert_eq!(stages(&live), [("config".to_owned(), "failed".to_owned())]);

    let tested = browser.post(&format!("{path}/test"), &[]).await;
    assert!(tested.body.contains("It works: every stage passed."), "{tested:?}");
    let asked = browser.get(&format!("{path}/remove")).await;
    let revision =
        asked.body.split("name=\"revision\" value=\"").nth(1).and_then(|rest| rest.split('"').next());
    let removed =
        browser.post(&format!("{path}/remove"), &[("revision", revision.expect("a revision"))]).await;
    assert_eq!((removed.status, removed.location()), (303, "/storages?told=removed"), "{removed:?}");
    assert!(browser.get(removed.location()).await.body.contains("The storage is removed."));
    assert_eq!(browser.get(&path).await.status, 404);
    assert_untold(&served, &[SECRET, "ya29.", "1//"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_answer_is_taken_once_from_the_session_that_has_asked_and_a_refusal_says_what_to_do() {
    let place = Place::with(willing()).await;
    let served = place.web().await;
    let mut browser = served.first_browser().await;
    let mut other = served.browser().await;
    let (draft, page) = connecting(&place, &mut browser).await;
    let callback = consent(&page).await;
    assert_eq!(served.stranger().get(&callback).await.status, 303, "who is not known signs in first");
    let refused = other.get(&callback).await;
    assert!(refused.status == 400 && refused.body.contains("another session has asked"), "{refused:?}");
    assert_eq!(other.get(&draft).await.location(), "/storages?told=draft-over", "nor is the draft theirs");
    let forged = callback.replace("state=", "state=x");
    let refused = browser.get(&forged).await;
    assert!(refused.status == 400 && refused.body.contains("nobody waits for this answer"), "{refused:?}");
    assert_eq!(browser.get(&callback).await.status, 303);
    let again = browser.get(&callback).await;
    assert!(again.status == 400 && again.body.contains("it was used already"), "{again:?}");

    let (_, page) = connecting(&place, &mut browser).await;
    let state = consent(&page).await;
    let state = state.split("state=").nth(1).and_then(|rest| rest.split('&').next()).expect("a state");
    let denied = browser.get(&format!("/oauth/callback?state={state}&error=access_denied")).await;
    assert!(denied.status == 400 && denied.body.contains("choose Allow"), "{denied:?}");
    assert!(denied.body.contains("Back to the form"), "{denied:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn where_the_browser_is_elsewhere_its_last_address_or_a_token_is_pasted() {
    let place = Place::with(willing()).await;
    let served = place.web().await;
    let mut browser = served.first_browser().await;
    let (draft, page) = connecting(&place, &mut browser).await;
    let address = consent(&page).await;
    let connect = format!("{draft}/connect");
    for (pasted, told) in [
        (address.split("code=").next().expect("its beginning"), "that one has code= in it"),
        (&address.replace("state=", "state=x"), "the answer to another question"),
    ] {
        let wrong = browser.post(&connect, &[("answer", pasted)]).await;
        assert!(wrong.status == 422 && wrong.body.contains(told), "{wrong:?}");
    }
    let taken = browser.post(&connect, &[("answer", &format!(" {address}\n"))]).await;
    assert_eq!((taken.status, taken.location()), (303, draft.as_str()), "{taken:?}");
    assert!(browser.get(&draft).await.body.contains("pat@example.com"));

    let (draft, _) = connecting(&place, &mut browser).await;
    let refused = browser.post(&format!("{draft}/connect"), &[("answer", "hello world")]).await;
    assert!(refused.status == 422 && refused.body.contains("answer-mistake"), "it is no token: {refused:?}");
    assert!(browser.get(&draft).await.body.contains("Not connected yet"), "nor is it taken");
    let blob = place.emulator.token_blob(CLIENT_ID, &[]);
    let taken = browser.post(&format!("{draft}/connect"), &[("answer", &blob)]).await;
    assert_eq!((taken.status, taken.location()), (303, draft.as_str()), "{taken:?}");
    let form = browser.get(&draft).await;
    assert!(form.body.contains("Token: it is entered. Test the connection, then save."), "{form:?}");
    let typed = place.typed();
    let live =
        browser.post_accepting(&format!("{draft}/test"), &pairs(&typed, &[]), "application/x-ndjson").await;
    assert_eq!(stages(&live)[2], ("refresh the token".to_owned(), "passed".to_owned()));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_dead_consent_is_cured_from_the_page_of_the_storage_and_the_run_goes_on() {
    let place = Place::with(willing()).await;
    place.seed(2);
    place.add_backup_with(&json!({"auth_url": place.auth_url()})).await;
    place.world().revoke_refresh_tokens();
    place.world().expire_access_tokens();
    let served = place.web().await;
    let mut browser = served.first_browser().await;
    let storage = browser.api("GET", "/storages", None, &[]).await.json()["items"][0]["id"].clone();
    let path = format!("/storages/{}", storage.as_str().expect("an id"));
    assert_eq!(place.charon(&["run", "home", "--json"]).await.code, Some(4), "it waits for a person");
    let page = browser.get(&path).await;
    for words in ["needs you", "1 run waits", "Reconnect"] {
        assert!(page.body.contains(words), "{words}: {page:?}");
    }
    // What happened is told whole on the page of the run, once, with what cures it; elsewhere in brief.
    let whole = "most likely the consent was withdrawn";
    let plans = browser.get("/plans").await;
    let runs = browser.get("/runs").await;
    let run = browser.get(&runs.link("/runs/0")).await;
    assert!(plans.body.contains("does not get on") && !plans.body.contains("is under way"), "{plans:?}");
    assert_eq!(run.body.matches(whole).count(), 1, "{run:?}");
    let cure = run.body.find(&format!("action=\"{path}/reconnect\"")).expect("a cure");
    assert!(cure < run.body.find("/resume\"").expect("it can be resumed"), "the cure comes first: {run:?}");
    assert!(run.body.contains(&format!("href=\"{path}\"")), "{run:?}");
    for brief in ["/", "/plans", "/runs"] {
        assert!(!browser.get(brief).await.body.contains(whole), "{brief}");
    }

    let begun = browser.post(&format!("{path}/reconnect"), &[]).await;
    let page = browser.follow(begun.location()).await;
    let callback = consent(&page).await;
    let back = browser.get(&callback).await;
    assert_eq!(back.location(), format!("{path}?told=connected"), "{back:?}");
    let page = browser.get(back.location()).await;
    assert!(page.body.contains("pat@example.com"), "{page:?}");
    place.until_runs("it goes on", |runs| runs.len() == 1 && runs[0]["state"] == "succeeded").await;
    assert_untold(&served, &[SECRET, "ya29.", "1//"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_program_asks_for_a_consent_and_brings_the_answer() {
    let place = Place::with(willing()).await;
    let served = place.web().await;
    let mut api = served.first_browser().await;
    let mut config = place.config();
    config.as_object_mut().expect("an object").remove("token");
    config["auth_url"] = place.auth_url().into();
    let ask = json!({"provider": "gphotos", "config": config});
    let asked = api.api("POST", "/storages:authorize", Some(&ask), &[]).await;
    assert_eq!(asked.status, 201, "{asked:?}");
    let id = asked.json()["id"].as_str().expect("an id").to_owned();
    let address = visit(asked.json()["url"].as_str().expect("a URL")).await.location.expect("an answer");
    let answer = format!("/authorizations/{id}");
    assert_eq!(pointers(&api.api("POST", &answer, Some(&json!({"answer": "4/0A"})), &[]).await), ["/answer"]);
    let mut other = served.browser().await;
    assert_eq!(other.api("POST", &answer, Some(&json!({"answer": address})), &[]).await.status, 404);
    let given = api.api("POST", &answer, Some(&json!({"answer": address})), &[]).await;
    assert_eq!(given.json(), json!({"storage": null, "field": "token", "account": "pat@example.com"}));
    assert_eq!(api.api("POST", &answer, Some(&json!({"answer": address})), &[]).await.status, 404);

    let test = json!({"provider": "gphotos", "config": config, "authorization": id});
    assert_eq!(stages(&api.api("POST", "/storages:test", Some(&test), &[]).await)[2].1, "passed");
    // It goes to whom it was given for, and to nobody else (I6).
    let mut elsewhere = config.clone();
    elsewhere["token_url"] = format!("{}/token", place.auth_url()).into();
    let test = json!({"provider": "gphotos", "config": elsewhere, "authorization": id});
    let sent = place.count("oauth.token");
    assert_eq!(pointers(&api.api("POST", "/storages:test", Some(&test), &[]).await), ["/authorization"]);
    let new = json!({"name": "family", "provider": "gphotos", "config": elsewhere, "authorization": id});
    assert_eq!(pointers(&api.api("POST", "/storages", Some(&new), &[]).await), ["/authorization"]);
    assert_eq!(place.count("oauth.token"), sent);
    let new = json!({"name": "family", "provider": "gphotos", "config": config, "authorization": id});
    assert_eq!(pointers(&other.api("POST", "/storages", Some(&new), &[]).await), ["/authorization"]);
    let added = api.api("POST", "/storages", Some(&new), &[]).await;
    assert_eq!(
        (added.status, &added.json()["health"]["account"]),
        (201, &json!("pat@example.com")),
        "{added:?}"
    );
    assert_eq!(pointers(&api.api("POST", "/storages", Some(&new), &[]).await), ["/authorization"]);

    let path = format!("/storages/{}", added.json()["id"].as_str().expect("an id"));
    let asked = api.api("POST", &format!("{path}:authorize"), None, &[]).await.json();
    let address = visit(asked["url"].as_str().expect("a URL")).await.location.expect("an answer");
    let answer = format!("/authorizations/{}", asked["id"].as_str().expect("an id"));
    let given = api.api("POST", &answer, Some(&json!({"answer": address})), &[]).await;
    assert_eq!(given.json()["storage"], added.json()["id"], "{given:?}");
    let away = json!({"redirect": "http://photos.example.org/"});
    assert_eq!(
        pointers(&api.api("POST", &format!("{path}:authorize"), Some(&away), &[]).await),
        ["/redirect"]
    );
    assert_untold(&served, &[SECRET, "ya29.", "1//"]);
}
