//! Plans in a browser and over the API: made, previewed, changed, run, paused, removed; and what is refused from afar.

use std::{fs, path::PathBuf};

use gphotos_emulator::{Action, Fault};
use serde_json::{Value, json};

use super::client::{Answer, Client};
use crate::support::Place;

const JSON: &str = "application/problem+json";
/// An id that is none of a run.
const NO_RUN: &str = "018f3a5e-0000-7000-8000-000000000002";

impl Place {
    /// The folder below which plans may be made from afar.
    fn home_folder(&self) -> PathBuf {
        let home = self.path("home");
        fs::create_dir_all(&home).expect("a folder");
        home.canonicalize().expect("it is there")
    }

    fn backup_at_home(&self) -> Value {
        json!({"kind": "backup", "storage": "family", "destination": self.home_folder().join("mirror")})
    }

    fn upload_from_home(&self) -> Value {
        json!({"kind": "upload", "storage": "family", "sources": [self.home_folder().join("pictures")]})
    }
}

fn mistakes(answer: &Answer) -> Vec<(String, String)> {
    assert_eq!((answer.status, answer.header("content-type")), (422, Some(JSON)), "{answer:?}");
    let errors = answer.json()["errors"].as_array().expect("mistakes").clone();
    let word = |wrong: &Value, name: &str| wrong[name].as_str().expect("a word").to_owned();
    errors.iter().map(|wrong| (word(wrong, "pointer"), word(wrong, "reason"))).collect()
}

fn pointers(answer: &Answer) -> Vec<String> {
    mistakes(answer).into_iter().map(|(pointer, _)| pointer).collect()
}

fn etag(answer: &Answer) -> String {
    answer.header("etag").unwrap_or_else(|| panic!("it has no version: {answer:?}")).to_owned()
}

async fn add(api: &mut Client, name: &str, config: &Value) -> (String, Answer) {
    let added = api.api("POST", "/plans", Some(&json!({"name": name, "config": config})), &[]).await;
    assert_eq!(added.status, 201, "{added:?}");
    (format!("/plans/{}", added.json()["id"].as_str().expect("an id")), added)
}

/// The runs of a plan, once the newest has ended.
async fn ended(place: &Place, plan: &str) -> Value {
    let is_over =
        |run: &Value| matches!(run["state"].as_str(), Some("succeeded" | "partial" | "failed" | "cancelled"));
    let plan = plan.to_owned();
    let runs = place
        .until_runs("the run ends", move |runs| {
            runs.iter().find(|run| run["plan"] == plan.as_str()).is_some_and(is_over)
        })
        .await;
    runs[0].clone()
}

#[tokio::test(flavor = "multi_thread")]
async fn both_kinds_are_made_over_the_api_and_what_is_previewed_is_what_the_run_does() {
    let place = Place::new().await;
    place.seed(7);
    place.home_folder();
    place.add_storage().await;
    place.draw("home/pictures", 100..104);
    let served = place.web().await;
    let mut api = served.first_browser().await;

    // Nothing is saved by a preview, and nothing is made.
    let previewed =
        api.api("POST", "/plans:preview", Some(&json!({"config": place.backup_at_home()})), &[]).await;
    assert_eq!(previewed.status, 200, "{previewed:?}");
    let estimate = previewed.json();
    assert_eq!((&estimate["estimate"]["items"], &estimate["estimate"]["new"]), (&json!(7), &json!(7)));
    assert!(estimate["sentence"].as_str().expect("words").contains("7 items"), "{estimate}");
    assert!(!place.home_folder().join("mirror").exists(), "nothing is made");
    assert_eq!(api.api("GET", "/plans", None, &[]).await.json(), json!({"items": [], "next": null}));

    let (home, added) = add(&mut api, "home", &place.backup_at_home()).await;
    assert_eq!(added.header("location"), Some(format!("/api/v1{home}").as_str()));
    assert_eq!(added.json()["config"]["full_listing_hours"], 24, "what was not said is told");
    let asked = api.api("POST", &format!("{home}:run"), None, &[]).await;
    assert_eq!((asked.status, &asked.json()["is_new"]), (202, &json!(true)), "{asked:?}");
    let run = asked.json()["run"].as_str().expect("a run").to_owned();
    assert_eq!(asked.header("location"), Some(format!("/api/v1/runs/{run}").as_str()));
    let record = ended(&place, "home").await;
    assert_eq!((&record["state"], &record["trigger"]), (&json!("succeeded"), &json!("api")));
    assert_eq!(record["items"]["done"], estimate["estimate"]["new"], "the preview was right");
    assert_eq!(record["requests_by_meter"]["media"], estimate["estimate"]["requests"]["media"]);

    let previewed = api.api("POST", &format!("{home}:preview"), None, &[]).await.json();
    assert_eq!((&previewed["estimate"]["items"], &previewed["estimate"]["new"]), (&json!(7), &json!(0)));
    let mut other = place.backup_at_home();
    other["selection"] = json!({"start_year": 2100});
    let changed =
        api.api("POST", &format!("{home}:preview"), Some(&json!({"config": other})), &[]).await.json();
    assert_eq!(changed["estimate"]["new"], 0, "{changed}");

    let preview = api
        .api("POST", "/plans:preview", Some(&json!({"config": place.upload_from_home()})), &[])
        .await
        .json();
    assert_eq!(preview["estimate"]["new"], 4);
    let (out, _) = add(&mut api, "out", &place.upload_from_home()).await;
    let asked = api.api("POST", &format!("{out}:run"), Some(&json!({"full_listing": true})), &[]).await;
    assert_eq!(asked.status, 202, "{asked:?}");
    assert_eq!(ended(&place, "out").await["items"]["done"], 4);

    let page = api.api("GET", "/plans?limit=1", None, &[]).await.json();
    assert_eq!(page["items"][0]["name"], "home");
    let next = page["next"].as_str().expect("there is more");
    let page = api.api("GET", &format!("/plans?limit=1&cursor={next}"), None, &[]).await.json();
    assert_eq!((&page["items"][0]["name"], &page["next"]), (&json!("out"), &Value::Null));
    let schemas = api.api("GET", "/plans/schemas", None, &[]).await.json();
    assert_eq!(schemas["upload"]["properties"]["sources"]["title"], "Folders");

    let removed = api.api("DELETE", &home, None, &[]).await;
    assert_eq!((removed.status, removed.body.as_str()), (204, ""));
    assert_eq!(api.api("GET", &home, None, &[]).await.status, 404);
    assert!(place.home_folder().join("mirror/.charon/mirror.json").exists(), "files stay");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_preview_ends_when_nobody_waits_for_it_and_there_are_only_so_many() {
    const PAGES: u64 = 100;
    let place = Place::new().await;
    place.seed(500);
    place.home_folder();
    place.add_storage().await;
    let served = place.web().await;
    let mut api = served.first_browser().await;
    place.fault(Fault::always(Action::SmallPages { items: 5 }));
    let late = place.world().add_fault(Fault::always(Action::Latency { ms: 200 }).on(&["mediaItems.list"]));
    let body = json!({"config": place.backup_at_home()});
    let (mut one, mut two) = (served.browser().await, served.browser().await);
    {
        let one = one.api("POST", "/plans:preview", Some(&body), &[]);
        let two = two.api("POST", "/plans:preview", Some(&body), &[]);
        let one_too_many = async {
            place.until("both list", |stats| stats.count("mediaItems.list") >= 4).await;
            let refused = api.api("POST", "/plans:preview", Some(&body), &[]).await;
            assert_eq!(refused.status, 409, "{refused:?}");
            assert!(refused.body.contains("2 previews are being made already"), "{refused:?}");
        };
        tokio::select! {
            answer = one => panic!("it takes 20 seconds: {answer:?}"),
            answer = two => panic!("it takes 20 seconds: {answer:?}"),
            () = one_too_many => {}
        }
        // Both leave.
    }
    place.world().remove_fault(late);
    let mut previewed = api.api("POST", "/plans:preview", Some(&body), &[]).await;
    // It may not have been noticed yet that they left.
    for _ in 0..1_000 {
        if previewed.status != 409 {
            break;
        }
        previewed = api.api("POST", "/plans:preview", Some(&body), &[]).await;
    }
    assert_eq!(previewed.status, 200, "{previewed:?}");
    let pages = place.count("mediaItems.list");
    assert!(pages < PAGES + 50, "those that nobody waited for went on: {pages} pages");
}

#[tokio::test(flavor = "multi_thread")]
async fn each_mistake_is_told_at_its_place_and_nobodys_change_is_lost() {
    let place = Place::new().await;
    place.home_folder();
    place.add_storage().await;
    let served = place.web().await;
    let mut api = served.first_browser().await;

    let mut wrong = place.backup_at_home();
    wrong["schedule"] = json!({"cron": "61 * * * *", "timezone": "Nowhere"});
    let refused = api.api("POST", "/plans", Some(&json!({"name": "home", "config": wrong})), &[]).await;
    assert_eq!(pointers(&refused), ["/config/schedule/timezone", "/config/schedule/cron"]);
    let unknown =
        json!({"kind": "backup", "storage": "familly", "destination": place.home_folder().join("mirror")});
    let refused = api.api("POST", "/plans", Some(&json!({"name": "home", "config": unknown})), &[]).await;
    assert!(mistakes(&refused)[0].1.contains("family"), "it says which ones there are: {refused:?}");
    let mut never = place.backup_at_home();
    never["schedule"] = json!({"cron": "0 3 31 2 *"});
    let refused = api.api("POST", "/plans:preview", Some(&json!({"config": never})), &[]).await;
    assert_eq!(pointers(&refused), ["/config/schedule/cron"]);
    let mut choice = place.backup_at_home();
    choice["selection"] = json!({"kind": "movie"});
    let refused = api.api("POST", "/plans", Some(&json!({"name": "home", "config": choice})), &[]).await;
    let expected =
        ("/config/selection/kind".to_owned(), "must be photo or video, and is \"movie\"".to_owned());
    assert_eq!(mistakes(&refused), [expected]);
    let refused = api
        .api("POST", "/plans", Some(&json!({"name": " home", "config": place.backup_at_home()})), &[])
        .await;
    assert_eq!(pointers(&refused), ["/name"]);

    let (home, added) = add(&mut api, "home", &place.backup_at_home()).await;
    let first = etag(&added);
    let refused = api
        .api("POST", "/plans", Some(&json!({"name": "home", "config": place.backup_at_home()})), &[])
        .await;
    assert_eq!(refused.status, 422, "its mirror and its name are taken: {refused:?}");
    let mut config = api.api("GET", &home, None, &[]).await.json()["config"].clone();
    config["schedule"] = json!({"cron": "0 3 * * *", "timezone": "Europe/Berlin", "jitter_minutes": 5});
    let change = json!({"config": config});
    assert_eq!(api.api("PUT", &home, Some(&change), &[]).await.status, 428);
    assert_eq!(api.api("PUT", &home, Some(&change), &[("If-Match", "\"other\"")]).await.status, 412);
    let changed = api.api("PUT", &home, Some(&change), &[("If-Match", &first)]).await;
    assert_eq!(changed.status, 200, "{changed:?}");
    assert!(changed.json()["next_at"].is_string());
    assert_eq!(api.api("PUT", &home, Some(&change), &[("If-Match", &first)]).await.status, 412);
    // A plan may be called otherwise, and whoever is told of it goes on to be told.
    place.draw("home/pictures", 100..101);
    add(&mut api, "out", &place.upload_from_home()).await;
    let channel = json!({"name": "hook", "kind": "webhook", "config": {"url": "http://127.0.0.1:1/"}, "plans": ["out", "home"]});
    assert_eq!(api.api("POST", "/notifications", Some(&channel), &[]).await.status, 201);
    let named = |name: &str| json!({"name": name, "config": config});
    for name in ["out", "-x", ""] {
        let refused = api.api("PUT", &home, Some(&named(name)), &[("If-Match", "*")]).await;
        assert_eq!(pointers(&refused), ["/name"], "{name}");
    }
    let renamed = api.api("PUT", &home, Some(&named("at home")), &[("If-Match", &etag(&changed))]).await;
    assert_eq!((renamed.status, &renamed.json()["name"]), (200, &json!("at home")), "{renamed:?}");
    let channels = api.api("GET", "/notifications", None, &[]).await.json();
    assert_eq!(channels["items"][0]["plans"], json!(["out", "at home"]));
    assert_eq!(renamed.json()["next_at"], changed.json()["next_at"], "its schedule is as it was");
    let late = api.api("DELETE", &home, None, &[("If-Match", &first)]).await;
    assert_eq!((late.status, late.header("content-type")), (412, Some(JSON)));

    let next = api.api("GET", &format!("{home}/next?count=3"), None, &[]).await.json();
    assert_eq!(next["words"], "every day at 03:00 in Europe/Berlin");
    assert_eq!(
        (next["times"].as_array().expect("times").len(), next["notes"].as_array().expect("notes").len()),
        (3, 1)
    );
    assert_eq!(api.api("GET", &format!("{home}/next?count=0"), None, &[]).await.status, 400);
    let paused = api.api("POST", &format!("{home}:pause"), None, &[]).await;
    assert!(paused.json()["paused_at"].is_string() && paused.json()["next_at"].is_null(), "{paused:?}");
    let past = json!({"until": "2001-01-01T00:00:00Z"});
    assert_eq!(pointers(&api.api("POST", &format!("{home}:pause"), Some(&past), &[]).await), ["/until"]);
    let next = api.api("GET", &format!("{home}/next"), None, &[]).await.json();
    assert!(next["reason"].as_str().expect("why").contains("paused"), "{next}");
    let resumed = api.api("POST", &format!("{home}:resume"), None, &[]).await;
    assert!(resumed.json()["paused_at"].is_null() && etag(&resumed) != etag(&paused));
    let decided = api.api("GET", &format!("{home}/occurrences"), None, &[]).await;
    assert_eq!((decided.status, decided.json()), (200, json!({"items": [], "next": null})));
    let unknown = api.api("POST", &format!("{home}:run"), Some(&json!({"failed_of": NO_RUN})), &[]).await;
    assert_eq!(pointers(&unknown), ["/failed_of"]);
    let nobody = "/plans/018f3a5e-0000-7000-8000-000000000001";
    for (method, path) in
        [("GET", nobody.to_owned()), ("POST", format!("{nobody}:run")), ("GET", format!("{nobody}/next"))]
    {
        assert_eq!(api.api(method, &path, None, &[]).await.status, 404, "{method} {path}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn from_afar_no_folder_outside_the_roots_is_named_or_looked_into_and_no_command_is_set() {
    // I11
    let place = Place::new().await;
    let home = place.home_folder();
    fs::create_dir_all(home.join("pictures/2026")).expect("folders");
    fs::create_dir_all(home.join(".hidden")).expect("a folder");
    let outside = place.path("outside");
    fs::create_dir_all(outside.join("inner")).expect("folders");
    #[cfg(unix)]
    std::os::unix::fs::symlink(&outside, home.join("way-out")).expect("a link");
    place.add_storage().await;
    let commands = json!({"before": "true"});
    let with_commands =
        json!({"kind": "upload", "storage": "family", "sources": [outside.clone()], "commands": commands});
    place.add_plan("theirs", &with_commands).await;
    let served = place.web().await;
    let mut api = served.first_browser().await;

    let dotted = home.join("pictures/../../outside");
    for folder in [
        outside.clone(),
        dotted,
        home.join("way-out/inner"),
        "/etc".into(),
        "pictures".into(),
        place.data_dir(),
    ] {
        let config = json!({"kind": "backup", "storage": "family", "destination": folder});
        let refused = api.api("POST", "/plans", Some(&json!({"name": "x", "config": config})), &[]).await;
        assert_eq!(pointers(&refused), ["/config/destination"], "{}", folder.display());
        let preview = api.api("POST", "/plans:preview", Some(&json!({"config": config})), &[]).await;
        assert_eq!(pointers(&preview), ["/config/destination"], "{}", folder.display());
        let config =
            json!({"kind": "upload", "storage": "family", "sources": [home.join("pictures"), folder]});
        let refused = api.api("POST", "/plans", Some(&json!({"name": "x", "config": config})), &[]).await;
        assert_eq!(pointers(&refused), ["/config/sources/1"], "{}", folder.display());
    }
    let listed = api.api("GET", "/folders", None, &[]).await.json();
    assert_eq!(listed["folders"][0]["path"], json!(home));
    let listed = api.api("GET", &format!("/folders?path={}", home.display()), None, &[]).await.json();
    let names: Vec<&str> = listed["folders"]
        .as_array()
        .expect("folders")
        .iter()
        .map(|one| one["name"].as_str().expect("a name"))
        .collect();
    assert!(names.contains(&"pictures") && !names.contains(&".hidden"), "{names:?}");
    for folder in [outside.display().to_string(), "/etc".into(), format!("{}/..", home.display()), "x".into()]
    {
        let refused = api.api("GET", &format!("/folders?path={folder}"), None, &[]).await;
        assert_eq!((refused.status, refused.header("content-type")), (400, Some(JSON)), "{folder}");
    }

    let mut config = place.upload_from_home();
    config["commands"] = json!({"before": "touch /tmp/owned"});
    let refused = api.api("POST", "/plans", Some(&json!({"name": "x", "config": config})), &[]).await;
    assert_eq!(pointers(&refused), ["/config/commands"]);
    assert!(mistakes(&refused)[0].1.contains("charon plan"), "{refused:?}");
    // What the machine's owner has set stays, folders outside as well.
    let theirs = api.api("GET", "/plans", None, &[]).await.json()["items"][0].clone();
    let path = format!("/plans/{}", theirs["id"].as_str().expect("an id"));
    let mut config = theirs["config"].clone();
    config["commands"]["before"] = "rm -rf /".into();
    let refused = api.api("PUT", &path, Some(&json!({"config": config})), &[("If-Match", "*")]).await;
    assert_eq!(pointers(&refused), ["/config/commands"]);
    let object = config.as_object_mut().expect("an object");
    object.remove("commands");
    object.insert("descriptions".into(), false.into());
    let kept = api.api("PUT", &path, Some(&json!({"config": config})), &[("If-Match", "*")]).await;
    assert_eq!(
        (kept.status, &kept.json()["config"]["commands"]["before"]),
        (200, &json!("true")),
        "{kept:?}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_schedule_is_explained() {
    let place = Place::new().await;
    let served = place.web().await;
    let mut api = served.first_browser().await;
    let explained = api
        .api(
            "POST",
            "/schedules:explain",
            Some(&json!({"cron": "0 3 * * mon", "timezone": "Europe/Berlin"})),
            &[],
        )
        .await;
    assert_eq!(explained.status, 200, "{explained:?}");
    assert_eq!(explained.json()["words"], "every Monday at 03:00 in Europe/Berlin");
    let times = explained.json()["times"].as_array().expect("times").clone();
    assert_eq!(times.len(), 5);
    assert!(times.iter().all(|time| time["local"].as_str().expect("words").starts_with("Mon ")), "{times:?}");
    for (schedule, pointer) in [
        (json!({"cron": "0 3 31 2 *"}), "/cron"),
        (json!({"cron": "x"}), "/cron"),
        (json!({"cron": "@daily", "timezone": "Nowhere"}), "/timezone"),
        (json!({"cron": "@daily", "windows": ["x"]}), "/windows"),
        (json!({"cron": "@daily", "count": 0}), "/count"),
    ] {
        let refused = api.api("POST", "/schedules:explain", Some(&schedule), &[]).await;
        assert_eq!(pointers(&refused), [pointer], "{schedule}");
    }
}

/// Sends a form.
async fn post(browser: &mut Client, path: &str, fields: &[(String, String)]) -> Answer {
    let fields: Vec<(&str, &str)> =
        fields.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
    browser.post(path, &fields).await
}

#[tokio::test(flavor = "multi_thread")]
async fn both_kinds_are_made_through_the_forms_without_javascript() {
    let place = Place::new().await;
    place.seed(3);
    let home = place.home_folder();
    place.draw("home/pictures", 100..102);
    fs::create_dir_all(home.join("mirrors")).expect("a folder");
    place.add_storage().await;
    let served = place.web().await;
    let mut browser = served.first_browser().await;

    let empty = browser.get("/plans").await;
    assert!(empty.body.contains("There is none yet"), "{empty:?}");
    assert!(browser.get("/plans/new").await.body.contains("/plans/new?kind=backup"));
    let form = browser.get("/plans/new?kind=backup").await;
    for expected in [
        "name=\"often\"",
        "Every day",
        "every day at 03:00",
        "<option value=\"family\"",
        "Choose a folder…",
        "Preview",
    ] {
        assert!(form.body.contains(expected), "{expected} is not in {}", form.body);
    }
    assert!(!form.body.contains("/commands/before"), "commands are not asked for");

    // Each button sends the whole form, and nothing of it is lost.
    let typed = [
        ("kind", "backup"),
        ("name", "home"),
        ("/storage", "family"),
        ("/schedule/timezone", "Europe/Berlin"),
        ("often", "weekly"),
        ("at", "04:30"),
        ("weekday", "wed"),
    ];
    let with = |more: &[(&'static str, String)]| {
        let mut all: Vec<(String, String)> =
            typed.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
        all.extend(more.iter().map(|(name, value)| ((*name).to_owned(), value.clone())));
        all
    };
    let checked = post(&mut browser, "/plans/new", &with(&[("do", "check".into())])).await;
    assert!(checked.body.contains("every Wednesday at 04:30 in Europe/Berlin"), "{}", checked.body);
    assert!(checked.body.contains("value=\"home\""), "what was typed stays");
    let part = post(&mut browser, "/plans/explain", &with(&[])).await;
    assert!(part.body.contains("every Wednesday at 04:30") && !part.body.contains("<html"), "{part:?}");
    let roots = post(&mut browser, "/plans/new", &with(&[("browse", "/destination=".into())])).await;
    assert!(roots.body.contains(&format!("value=\"/destination={}\"", home.display())), "{}", roots.body);
    let inner = format!("/destination={}", home.join("mirrors").display());
    let chosen = post(&mut browser, "/plans/new", &with(&[("browse", inner)])).await;
    assert!(
        chosen.body.contains(&format!("name=\"/destination\" value=\"{}\"", home.join("mirrors").display())),
        "{}",
        chosen.body
    );
    let outside = post(&mut browser, "/plans/new", &with(&[("browse", "/destination=/etc".into())])).await;
    assert!(outside.body.contains("is not below"), "{}", outside.body);
    let albums = post(&mut browser, "/plans/new", &with(&[("do", "albums".into())])).await;
    assert_eq!(albums.status, 200, "{albums:?}");
    assert!(albums.body.contains("They count when"), "{}", albums.body);

    let wrong = post(
        &mut browser,
        "/plans/new",
        &with(&[("/destination", "/etc".into()), ("/full_listing_hours", "x".into()), ("do", "save".into())]),
    )
    .await;
    assert_eq!(wrong.status, 422);
    assert!(
        wrong.body.contains("href=\"#field-destination\"") && wrong.body.contains("is not below"),
        "{}",
        wrong.body
    );
    let mirror = home.join("mirrors/family").display().to_string();
    let good = |action: &str| {
        with(&[
            ("/destination", mirror.clone()),
            ("/selection/favourites", "false".into()),
            ("do", action.into()),
        ])
    };
    let previewed = post(&mut browser, "/plans/new", &good("preview")).await;
    assert!(
        previewed.body.contains("3 items") && previewed.body.contains("This is an estimate"),
        "{}",
        previewed.body
    );
    assert!(
        browser.api("GET", "/plans", None, &[]).await.json()["items"].as_array().expect("a list").is_empty()
    );
    let saved = post(&mut browser, "/plans/new", &good("save")).await;
    assert_eq!(saved.status, 303, "{saved:?}");
    let page = browser.follow(saved.location()).await;
    for expected in [
        "The plan is saved",
        "every Wednesday at 04:30 in Europe/Berlin",
        "all photos and videos",
        "There has been no run yet",
    ] {
        assert!(page.body.contains(expected), "{expected} is not in {}", page.body);
    }
    let path = saved.location().split('?').next().expect("a path").to_owned();
    let taken = post(&mut browser, "/plans/new", &good("save")).await;
    assert_eq!(taken.status, 422, "its name and its mirror are taken");

    let run = browser.post(&format!("{path}/run"), &[]).await;
    assert!(run.location().starts_with("/runs/"), "{run:?}");
    let record = ended(&place, "home").await;
    assert_eq!(
        (&record["state"], &record["items"]["done"], &record["trigger"]),
        (&json!("succeeded"), &json!(3), &json!("manual"))
    );
    let page = browser.get(&path).await;
    assert!(
        page.body.contains("succeeded</span>") && page.body.contains("All runs of this plan"),
        "{}",
        page.body
    );

    // What is shown in the editor and sent back changes nothing; a version that is not there any more is not replaced.
    let edit = browser.get(&format!("{path}/edit")).await;
    assert!(edit.body.contains("readonly"), "the mirror stays: {}", edit.body);
    let seen = edit
        .body
        .split("name=\"seen\" value=\"")
        .nth(1)
        .and_then(|rest| rest.split('"').next())
        .expect("a version")
        .to_owned();
    let edited = with(&[
        ("/destination", mirror.clone()),
        ("often", "never".into()),
        ("seen", seen.clone()),
        ("do", "save".into()),
    ]);
    let edited: Vec<_> =
        edited.into_iter().filter(|(name, value)| !(name == "often" && value == "weekly")).collect();
    let changed = post(&mut browser, &format!("{path}/edit"), &edited).await;
    assert_eq!(changed.status, 303, "{changed:?}");
    assert!(browser.follow(changed.location()).await.body.contains("when somebody asks for it"));
    let late = post(&mut browser, &format!("{path}/edit"), &edited).await;
    assert_eq!(late.status, 422, "{late:?}");
    assert!(late.body.contains("changed by somebody else"), "{}", late.body);
    // However often the form is drawn anew, what others have changed was not seen by that.
    let still = format!("name=\"seen\" value=\"{seen}\"");
    assert!(late.body.contains(&still) && late.body.contains("Look at it as it is now"), "{}", late.body);
    for button in ["check", "albums", "preview"] {
        let drawn: Vec<_> = edited.iter().filter(|(name, _)| name != "do").cloned().collect();
        let drawn = [&drawn[..], &[("do".to_owned(), button.to_owned())]].concat();
        let drawn = post(&mut browser, &format!("{path}/edit"), &drawn).await;
        assert!(drawn.status == 200 && drawn.body.contains(&still), "{button}: {drawn:?}");
    }
    // Only its name is another one.
    let renamed: Vec<_> = edited
        .into_iter()
        .filter(|(name, _)| name != "seen")
        .map(|(name, value)| if name == "name" { (name, "at home".to_owned()) } else { (name, value) })
        .collect();
    let renamed = post(&mut browser, &format!("{path}/edit"), &renamed).await;
    assert!(browser.follow(renamed.location()).await.body.contains("<h1>at home</h1>"), "{renamed:?}");

    let sources = home.join("pictures").display().to_string();
    let new = [
        ("kind", "upload"),
        ("name", "out"),
        ("/storage", "family"),
        ("often", "never"),
        ("/descriptions", "false"),
        ("/descriptions", "true"),
    ];
    let added = browser.post("/plans/new", &[&new[..], &[("add", sources.as_str())]].concat()).await;
    assert!(added.body.contains(&format!("{sources}</textarea>")), "{}", added.body);
    let saved = browser
        .post("/plans/new", &[&new[..], &[("/sources", sources.as_str()), ("do", "save")]].concat())
        .await;
    assert_eq!(saved.status, 303, "{saved:?}");
    let out = saved.location().split('?').next().expect("a path").to_owned();
    assert!(browser.get(&out).await.body.contains("fails or is overdue: nobody yet"));
    let run = browser.post(&format!("{out}/run"), &[]).await.location().to_owned();
    assert_eq!(ended(&place, "out").await["items"]["done"], 2);
    let unchanged = browser.get(&format!("{run}/items?outcome=unchanged")).await;
    assert!(unchanged.body.contains("They are in the storage family."), "{unchanged:?}");
    let stop = browser.get(&format!("{run}/cancel")).await;
    assert_eq!((stop.status, stop.location()), (303, run.as_str()), "it has ended");

    let listed = browser.get("/plans").await;
    assert!(listed.body.contains(&path) && listed.body.contains(&out), "{}", listed.body);
    let asked = browser.get(&format!("{out}/remove")).await;
    assert!(asked.body.contains("stay where they are"), "{}", asked.body);
    let removed = browser.post(&format!("{out}/remove"), &[]).await;
    assert_eq!(removed.location(), "/plans?told=removed");
    assert_eq!(browser.get(&out).await.status, 404);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_storage_that_only_reads_is_not_offered_for_uploads_and_a_schedule_is_paused_in_a_browser() {
    let place = Place::new().await;
    place.home_folder();
    place.add_storage_with(&json!({"read_only": true})).await;
    let served = place.web().await;
    let mut browser = served.first_browser().await;
    let form = browser.get("/plans/new?kind=upload").await;
    assert!(!form.body.contains("<option value=\"family\""), "{}", form.body);
    assert!(form.body.contains("family is not offered: it takes no uploads"), "{}", form.body);
    let mut config = place.backup_at_home();
    config["schedule"] = json!({"cron": "@daily", "timezone": "UTC"});
    let (_, added) = add(&mut browser, "home", &config).await;
    let path = format!("/plans/{}", added.json()["id"].as_str().expect("an id"));
    let paused = browser.post(&format!("{path}/pause"), &[("days", "7")]).await;
    let page = browser.follow(paused.location()).await;
    assert!(
        page.body.contains("Its schedule is paused") && page.body.contains("Resume the schedule"),
        "{}",
        page.body
    );
    let resumed = browser.post(&format!("{path}/resume"), &[]).await;
    let page = browser.follow(resumed.location()).await;
    assert!(
        page.body.contains("Its schedule goes on") && page.body.contains("Pause the schedule"),
        "{}",
        page.body
    );
}
