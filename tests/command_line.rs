//! What scripts depend on: arguments, JSON, exit codes.

use std::fs;

use gphotos_emulator::{Action, Fault, Limit, Settings};
use serde_json::{Value, json};

use crate::support::{CLIENT_ID, Ended, Place, picture};

/// Every field that a Google Photos storage can have.
const FIELDS: [&str; 23] = [
    "client_id",
    "client_secret",
    "token",
    "read_only",
    "description",
    "start_year",
    "include_archived",
    "read_size",
    "batch_mode",
    "batch_size",
    "batch_timeout",
    "batch_commit_timeout",
    "connections",
    "requests_per_minute",
    "bandwidth_up",
    "bandwidth_down",
    "daily_requests",
    "daily_downloads",
    "uploads_count",
    "proxy",
    "auth_url",
    "token_url",
    "api_url",
];

impl Place {
    /// Runs a command to its end that shall succeed.
    pub(crate) async fn done(&self, arguments: &[&str]) -> Ended {
        let ended = self.charon(arguments).await;
        assert_eq!(ended.code, Some(0), "{arguments:?}: {ended:?}");
        ended
    }

    async fn demo(&self, arguments: &[&str]) -> Ended {
        let mut command = self.elsewhere(&[], &["demo"]);
        command.args(arguments).output().await.expect("the program runs").into()
    }
}

/// Checks that a command failed with a sentence on standard error, and said nothing on standard output.
pub(crate) fn assert_failed(ended: &Ended, code: i32, words: &[&str]) {
    assert_eq!(ended.code, Some(code), "{ended:?}");
    assert_eq!(ended.stdout, "", "{ended:?}");
    for word in words {
        assert!(ended.stderr.contains(word), "{word:?} is not told: {}", ended.stderr);
    }
    assert!(!ended.stderr.contains("panicked"), "{ended:?}");
}

/// Checks that this is a moment, as RFC 3339 writes it, in UTC.
fn assert_is_a_time(value: &Value) {
    let text = value.as_str().expect("a text");
    assert!(text.len() >= 20 && text.as_bytes()[10] == b'T' && text.ends_with('Z'), "{text}");
}

#[tokio::test]
async fn a_configuration_comes_from_a_file_or_from_standard_input() {
    let place = Place::new().await;
    place.seed(2);
    fs::write(place.path("storage.json"), place.config().to_string()).expect("a file");
    let file = place.path("storage.json");
    let file = file.to_str().expect("a path");
    place.done(&["storage", "add", "one", "--provider", "gphotos", "--config", file]).await;
    let two = ["storage", "add", "two", "--provider", "gphotos", "--config", "-"];
    let ended = place.charon_with(&two, &place.config()).await;
    assert_eq!(ended.code, Some(0), "{ended:?}");
    assert!(ended.stdout.contains("charon storage test two"), "what to do next: {ended:?}");

    // Relative paths are of the folder in which the command is given.
    let plan = json!({"kind": "backup", "storage": "one", "destination": "mirror"});
    fs::write(place.path("plan.json"), plan.to_string()).expect("a file");
    let ended = place.done(&["plan", "add", "home", "--config", "plan.json"]).await;
    assert!(ended.stdout.contains("charon run home"), "what to do next: {ended:?}");
    let (code, summary) = place.run("home").await;
    assert_eq!((code, &summary["items"]["done"]), (0, &json!(2)), "{summary:#}");
    place.assert_mirror_is_complete();
}

#[tokio::test]
async fn a_run_ends_with_one_json_object_that_scripts_can_read() {
    let place = Place::new().await;
    place.seed(3);
    place.add_backup().await;
    let ended = place.done(&["run", "home", "--json"]).await;
    let summary = ended.json();
    assert_eq!(summary["state"], "succeeded");
    assert_eq!(summary["items"], json!({"done": 3, "unchanged": 0, "skipped": 0, "failed": 0}));
    let bytes: usize = place.mirrored().iter().map(|(_, bytes)| bytes.len()).sum();
    assert_eq!(summary["bytes"], bytes);
    let stats = place.world().stats();
    assert_eq!(
        summary["requests"],
        ["mediaItems.list", "mediaItems.search", "albums.list", "media.bytes", "oauth.token"]
            .map(|method| stats.count(method))
            .iter()
            .sum::<u64>()
    );
    assert_is_a_time(&summary["started_at"]);
    assert_is_a_time(&summary["ended_at"]);
    assert!(summary["started_at"].as_str() <= summary["ended_at"].as_str(), "{summary:#}");
    assert_eq!(summary["errors"], json!([]));
    assert_eq!(summary["plan"], "home");

    let runs = place.runs().await;
    assert_eq!(runs.len(), 1);
    assert_eq!((&runs[0]["state"], &runs[0]["run"]), (&json!("succeeded"), &summary["run"]));
    assert_eq!(runs[0]["items"], summary["items"]);
}

#[tokio::test]
async fn the_exit_code_tells_how_a_run_ended() {
    let place = Place::with(Settings { keep_bytes: true, ..Settings::default() }).await;
    place.seed(2);
    place.add_backup().await;
    let (code, summary) = place.run("home").await;
    assert_eq!((code, &summary["state"]), (0, &json!("succeeded")));

    // An item that fails.
    fs::create_dir(place.path("pictures")).expect("a folder");
    fs::write(place.path("pictures/empty.jpg"), "").expect("a file");
    fs::write(place.path("pictures/good.jpg"), picture(1)).expect("a picture");
    let out = json!({"kind": "upload", "storage": "family", "sources": [place.path("pictures")]});
    place.add_plan("out", &out).await;
    let (code, summary) = place.run("out").await;
    assert_eq!((code, &summary["state"]), (3, &json!("partial")), "{summary:#}");
    let error = &summary["errors"][0];
    assert_eq!((&error["item"], &error["class"]), (&json!("empty.jpg"), &json!("item")), "{summary:#}");

    // A quota that is spent.
    place.fault(Fault::always(Action::TooManyRequests {
        limit: Limit::AllRequestsPerDay,
        retry_after_seconds: None,
    }));
    let (code, summary) = place.run("home").await;
    assert_eq!((code, &summary["state"]), (4, &json!("parked")), "{summary:#}");
    assert_is_a_time(&summary["parked_until"]);
    let told = place.charon(&["run", "home"]).await;
    assert_eq!(told.code, Some(4));
    assert!(told.stdout.contains("run it again after"), "what to do next: {told:?}");
    place.world().clear_faults();
    place.test_passes().await;

    // A person is needed.
    place.world().revoke_refresh_tokens();
    place.world().expire_access_tokens();
    let (code, summary) = place.run("home").await;
    assert_eq!((code, &summary["state"]), (4, &json!("parked")), "{summary:#}");
    assert_eq!(summary["errors"][0]["class"], "auth", "{summary:#}");
    assert!(
        summary["errors"][0]["message"].as_str().is_some_and(|m| m.contains("charon authorize")),
        "{summary:#}"
    );

    // A failure.
    fs::remove_dir_all(place.path("mirror/.charon")).expect("removed");
    let (code, summary) = place.run("home").await;
    assert_eq!((code, &summary["state"]), (1, &json!("failed")), "{summary:#}");

    // The run that was parked went on each time it was asked for, until it failed.
    let runs = place.runs().await;
    let told: Vec<Value> =
        runs.iter().map(|run| json!([run["plan"], run["state"], run["attempts"]])).collect();
    let expected =
        [json!(["home", "failed", 4]), json!(["out", "partial", 1]), json!(["home", "succeeded", 1])];
    assert_eq!(told, expected, "every run is told: {runs:#?}");
}

#[tokio::test]
async fn wrong_usage_and_unknown_names_are_told_apart() {
    let place = Place::new().await;
    for arguments in [
        &["run", "home", "--jsn"][..],
        &["run"],
        &["sing"],
        &["storage"],
        &["storage", "sing"],
        &["storage", "add", "family"],
        &["plan", "add", "home"],
        &["runs", "--limit", "many"],
        &["demo", "--items", "0"],
        &["demo", "--items", "many"],
    ] {
        let ended = place.charon(arguments).await;
        assert_failed(
            &ended,
            2,
            &["Usage: charon", "--help"][..usize::from(ended.stderr.contains("Usage:")) * 2],
        );
        assert_ne!(ended.stderr, "");
    }
    let ended = place.charon(&[]).await;
    assert_failed(&ended, 2, &["Usage: charon", "demo", "storage", "plan", "run", "serve", "runs", "schema"]);
    assert!(!place.data_dir().exists(), "wrong usage leaves nothing behind");

    let ended = place
        .charon_with(&["storage", "add", "x", "--provider", "dropbox", "--config", "-"], &json!({}))
        .await;
    assert_failed(&ended, 2, &["there is no provider named dropbox; the providers are gphotos, s3, webdav"]);
    let ended = place.charon(&["schema", "dropbox"]).await;
    assert_failed(&ended, 2, &["there is no provider named dropbox; the providers are gphotos, s3, webdav"]);

    place.add_backup().await;
    for (arguments, words) in [
        (&["run", "hom"][..], "there is no plan named hom; the only plan is home"),
        (&["run", "hom", "--json"], "there is no plan named hom; the only plan is home"),
        (&["runs", "hom"], "there is no plan named hom"),
        (&["plan", "show", "hom"], "there is no plan named hom"),
        (&["plan", "remove", "hom"], "there is no plan named hom"),
        (&["storage", "show", "work"], "there is no storage named work; the only storage is family"),
        (&["storage", "test", "work"], "there is no storage named work"),
        (&["storage", "albums", "work"], "there is no storage named work"),
        (&["storage", "remove", "work"], "there is no storage named work"),
        (&["storage", "remove", "family"], "the storage family is used by home; remove the plans first"),
    ] {
        assert_failed(&place.charon(arguments).await, 1, &[words]);
    }
}

#[tokio::test]
async fn every_command_prints_json_and_nothing_else_when_it_is_asked_to() {
    let place = Place::new().await;
    place.seed(2);
    let added =
        place.charon_with(&["storage", "add", "family", "--config", "-", "--json"], &place.config()).await;
    assert_eq!(added.json()["name"], "family");
    let list = place.done(&["storage", "list", "--json"]).await.json();
    assert_eq!((&list[0]["name"], &list[0]["provider"]), (&json!("family"), &json!("gphotos")));
    let show = place.done(&["--json", "storage", "show", "family"]).await.json();
    assert_eq!(show["config"]["client_id"], CLIENT_ID);
    assert_eq!(show, list[0]);
    let test = place.done(&["storage", "test", "family", "--json"]).await.json();
    assert_eq!(test["passed"], true);
    assert_eq!(place.done(&["storage", "albums", "family", "--json"]).await.json(), json!([]));

    let backup = json!({"kind": "backup", "storage": "family", "destination": place.path("mirror")});
    let added = place.charon_with(&["plan", "add", "home", "--config", "-", "--json"], &backup).await.json();
    assert_eq!(added["name"], "home");
    assert_eq!(place.done(&["plan", "list", "--json"]).await.json(), json!([added]));
    let show = place.done(&["plan", "show", "home", "--json"]).await.json();
    assert_eq!(show, added);
    for (field, value) in backup.as_object().expect("an object") {
        assert_eq!(&show[field], value);
    }

    assert_eq!(place.done(&["runs", "--json"]).await.json(), json!([]));
    assert_eq!(place.done(&["run", "home", "--json"]).await.json()["state"], "succeeded");
    assert_eq!(place.done(&["runs", "home", "--json", "-n", "1"]).await.json()[0]["plan"], "home");
    assert_eq!(place.done(&["schema", "--json"]).await.json()["type"], "object");
    assert!(place.done(&["schema", "plan", "--json"]).await.json()["backup"].is_object());
    assert_eq!(place.done(&["plan", "remove", "home", "--json"]).await.json(), json!({"removed": "home"}));
    assert_eq!(
        place.done(&["storage", "remove", "family", "--json"]).await.json(),
        json!({"removed": "family"})
    );
    assert_eq!(place.done(&["plan", "list", "--json"]).await.json(), json!([]));
    assert_eq!(place.mirrored().len(), 2, "the files stay where they are");
}

#[tokio::test]
async fn people_are_told_the_same_in_words() {
    let place = Place::new().await;
    place.draw("pictures", 0..2);
    place.add_upload().await;
    place.add_plan("home", &json!({"kind": "backup", "storage": "family", "destination": "mirror"})).await;
    let run = place.done(&["run", "out"]).await;
    assert!(run.stdout.starts_with("out: succeeded\n  2 done"), "{run:?}");
    for (arguments, words) in [
        (&["storage", "list"][..], &["NAME", "family", "gphotos"][..]),
        (&["storage", "show", "family"], &["family (gphotos)", "client_id", CLIENT_ID]),
        (&["storage", "albums", "family"], &["Album", "TITLE"]),
        (&["plan", "list"], &["home", "out", "backup", "upload", "→ album Album"]),
        (&["plan", "show", "out"], &["pictures"]),
        (&["runs"], &["out", "succeeded"]),
        (&["runs", "home"], &["There was no run yet. Start one: charon run PLAN"]),
    ] {
        let ended = place.done(arguments).await;
        for word in words {
            assert!(ended.stdout.contains(word), "{arguments:?} does not tell {word:?}: {}", ended.stdout);
        }
        assert_eq!(ended.stderr, "");
    }
}

#[tokio::test]
async fn a_secret_goes_in_and_never_comes_out() {
    // I6
    let place = Place::new().await;
    place.seed(2);
    let config = place.config();
    place.add_backup_with(&json!({"token": config["token"]})).await;
    let token: Value = serde_json::from_str(config["token"].as_str().expect("a blob")).expect("JSON");
    let secret = |field: &str| token[field].as_str().expect("a token").to_owned();
    let at_rest = ["a-client-secret".to_owned(), secret("access_token"), secret("refresh_token")];
    // All tokens begin like that, those too that a command gets for itself.
    let secrets = ["a-client-secret", "ya29.", "1//0"];
    for (token, beginning) in at_rest.iter().zip(secrets) {
        assert!(token.starts_with(beginning), "{beginning}");
    }
    for arguments in [
        &["storage", "list"][..],
        &["storage", "list", "--json"],
        &["storage", "show", "family"],
        &["storage", "show", "family", "--json"],
        &["storage", "test", "family", "--json", "-vv"],
        &["storage", "albums", "family", "-vv"],
        &["run", "home", "-vv"],
        &["run", "home", "--json"],
        &["runs", "--json"],
        &["runs", "show", "home", "--json"],
        &["runs", "events", "--after", "0", "--no-follow"],
        &["plan", "list", "--json"],
    ] {
        let mut command = place.command(arguments);
        let ended: Ended = command.env("RUST_LOG", "trace").output().await.expect("it runs").into();
        assert_eq!(ended.code, Some(0), "{ended:?}");
        for secret in secrets {
            let is_told = ended.stdout.contains(secret) || ended.stderr.contains(secret);
            assert!(!is_told, "{arguments:?} tells {secret}: {ended:?}");
        }
    }
    let shown = place.done(&["storage", "show", "family", "--json"]).await.json();
    assert_eq!(shown["config"]["client_secret"], "••••••••", "that one is set is told");
    assert_eq!(shown["config"]["token"], "••••••••");
    for entry in fs::read_dir(place.data_dir()).expect("the data directory") {
        let bytes = fs::read(entry.expect("an entry").path()).expect("a file");
        for secret in &at_rest {
            let is_kept = bytes.windows(secret.len()).any(|window| window == secret.as_bytes());
            assert!(!is_kept, "{secret} is on the disk in plain");
        }
    }
}

#[tokio::test]
async fn the_schema_is_json_schema_and_describes_every_field() {
    let place = Place::new().await;
    let schema = place.done(&["schema"]).await.json();
    assert_eq!(schema["$schema"], "https://json-schema.org/draft/2020-12/schema");
    assert!(jsonschema::meta::is_valid(&schema), "{schema:#}");
    let fields = schema["properties"].as_object().expect("fields");
    let mut names: Vec<&str> = fields.keys().map(String::as_str).collect();
    let mut expected = FIELDS;
    names.sort_unstable();
    expected.sort_unstable();
    assert_eq!(names, expected);
    for (name, field) in fields {
        for annotation in ["title", "description"] {
            let is_told = field[annotation].as_str().is_some_and(|text| !text.trim().is_empty());
            assert!(is_told, "{name} has no {annotation}");
        }
        assert_eq!(field["x-secret"] == true, ["client_secret", "token"].contains(&name.as_str()), "{name}");
    }
    assert_eq!(schema["additionalProperties"], false);
    assert_eq!(schema["required"], json!(["token"]));
    assert_eq!(place.done(&["schema", "gphotos"]).await.json(), schema);
    // It judges as the program does.
    let validator = jsonschema::validator_for(&schema).expect("a schema");
    assert!(validator.is_valid(&place.config()));
    assert!(!validator.is_valid(&json!({"client_id": "x", "token": "y", "batch_size": 51})));

    let plans = place.done(&["schema", "plan"]).await.json();
    for kind in ["backup", "upload"] {
        assert!(jsonschema::meta::is_valid(&plans[kind]), "{kind}");
    }
    assert!(!place.data_dir().exists(), "a schema needs no data directory");
}

#[tokio::test]
async fn a_second_demo_changes_nothing() {
    let place = Place::new().await;
    let dir = place.path("a demo");
    let dir = dir.to_str().expect("a path");
    let first = place.demo(&["--items", "20", "--dir", dir]).await;
    assert_eq!(first.code, Some(0), "{first:?}");
    assert!(first.stdout.contains("send out: succeeded"), "{first:?}");
    assert!(first.stdout.contains("bring home: succeeded"), "{first:?}");
    assert!(first.stdout.contains("Look into"), "{first:?}");
    let second = place.demo(&["--items", "20", "--dir", dir, "--json"]).await;
    assert_eq!(second.code, Some(0), "{second:?}");
    let told = second.json();
    for run in told["runs"].as_array().expect("the runs") {
        assert_eq!((&run["state"], &run["items"]["done"]), (&json!("succeeded"), &json!(0)), "{told:#}");
        assert!(run["items"]["unchanged"].as_u64() > Some(0), "{told:#}");
    }
    let third = place.demo(&["--dir", dir]).await;
    assert!(third.stdout.contains("Nothing had changed, so nothing was moved."), "{third:?}");
    assert!(!place.path("charon-demo").exists() && !place.path("home").exists(), "it keeps to its folder");
}

#[tokio::test]
async fn a_demo_refuses_a_folder_that_is_not_its_own() {
    let place = Place::new().await;
    fs::write(place.path("file"), "a file").expect("a file");
    for option in ["--data-dir", "--key-file"] {
        let ended = place.demo(&["--items", "1", "--dir", "new", option, "elsewhere"]).await;
        assert_failed(
            &ended,
            2,
            &["the demo keeps everything in a folder of its own: give --dir, not", option],
        );
    }
    let ended = place.demo(&["--items", "1", "--dir", "file"]).await;
    assert_failed(&ended, 2, &["file is not a folder; choose another --dir"]);
    for text in [
        "{\"owner\": \"me\"}",
        "not JSON",
        "{\"items\": -1, \"port\": 80}",
        "[]",
        "{\"items\": 4, \"port\": 99999}",
    ] {
        let account = place.path("foreign/account.json");
        fs::create_dir_all(place.path("foreign")).expect("a folder");
        fs::write(&account, text).expect("a file");
        let ended = place.demo(&["--items", "1", "--dir", "foreign"]).await;
        assert_failed(&ended, 1, &["account.json is not what a demo wrote", "choose another --dir"]);
        assert_eq!(fs::read_to_string(&account).expect("the file"), text, "it is left as it is");
        assert_eq!(fs::read_dir(place.path("foreign")).expect("a folder").count(), 1, "nothing is added");
    }
}

#[tokio::test]
async fn a_pipe_gets_plain_lines_and_no_escape_codes() {
    let place = Place::new().await;
    place.seed(5);
    place.add_backup().await;
    for (arguments, environment) in [
        (&["run", "home", "-vv"][..], None),
        (&["run", "home", "-v"], Some(("NO_COLOR", "1"))),
        (&["run", "home", "--json", "-vv"], Some(("CLICOLOR_FORCE", "1"))),
        (&["storage", "test", "family", "-vv"], None),
    ] {
        let mut command = place.command(arguments);
        let ended: Ended = command.envs(environment).output().await.expect("it runs").into();
        assert_eq!(ended.code, Some(0), "{ended:?}");
        assert!(!ended.stderr.contains(['\u{1b}', '\r']), "{ended:?}");
        assert!(!ended.stdout.contains(['\u{1b}', '\r']), "{ended:?}");
    }
    let quiet = place.done(&["run", "home", "--quiet"]).await;
    assert_eq!(quiet.stderr, "");
}

#[tokio::test]
async fn whoever_stops_reading_gets_no_panic() {
    let place = Place::new().await;
    place.seed(2);
    place.add_backup().await;
    for arguments in [
        &["schema"][..],
        &["storage", "show", "family"],
        &["storage", "test", "family"],
        &["run", "home"],
        &["run", "home", "--json"],
        &["runs", "--json"],
        &["--help"],
    ] {
        let (reader, writer) = std::io::pipe().expect("a pipe");
        drop(reader);
        let ended: Ended = place.command(arguments).stdout(writer).output().await.expect("it runs").into();
        assert_eq!(ended.code, Some(0), "{arguments:?}: {ended:?}");
        assert_eq!(ended.stderr, "", "{arguments:?}");
    }
    for (arguments, code) in [(&["run", "nothing"][..], 1), (&["run", "home", "-vv"], 0), (&["sing"], 2)] {
        let (reader, writer) = std::io::pipe().expect("a pipe");
        drop(reader);
        let ended: Ended = place.command(arguments).stderr(writer).output().await.expect("it runs").into();
        assert_eq!(ended.code, Some(code), "{arguments:?}: {ended:?}");
    }
}

#[tokio::test]
async fn the_help_tells_the_exit_codes_and_the_first_thing_to_try() {
    let place = Place::new().await;
    let help = place.done(&["--help"]).await.stdout;
    for words in [
        "Exit codes:",
        "\n  0 ",
        "\n  1 ",
        "\n  2 ",
        "\n  3 ",
        "\n  4 ",
        "\n  130 ",
        "charon demo",
        "CHARON_DATA_DIR",
    ] {
        assert!(help.contains(words), "{words:?} is missing: {help}");
    }
    assert!(place.done(&["plan", "add", "--help"]).await.stdout.contains("\"kind\": \"backup\""));
    assert!(place.done(&["--version"]).await.stdout.starts_with("charon "));
    assert!(!place.data_dir().exists());
}

#[tokio::test]
async fn a_dead_consent_is_cured_by_updating_the_storage_and_nothing_is_moved_again() {
    let place = Place::new().await;
    place.seed(3);
    place.add_backup().await;
    assert_eq!(place.run("home").await.0, 0);
    place.world().revoke_refresh_tokens();
    place.world().expire_access_tokens();
    assert_eq!(place.run("home").await.0, 4);

    let ended = place.charon_with(&["storage", "update", "family", "--config", "-"], &place.config()).await;
    assert_eq!(ended.code, Some(0), "{ended:?}");
    let (code, summary) = place.run("home").await;
    assert_eq!((code, &summary["items"]["unchanged"]), (0, &json!(3)), "{summary:#}");

    // Another client would not see what this one has sent.
    let mut other = place.config();
    other["client_id"] = "987654321-other.apps.googleusercontent.com".into();
    let ended = place.charon_with(&["storage", "update", "family", "--config", "-"], &other).await;
    assert_eq!(ended.code, Some(1), "{ended:?}");
    assert!(ended.stderr.contains("another client"), "{ended:?}");
}

#[tokio::test]
async fn the_owners_words_on_a_storage_are_shown_with_it() {
    let place = Place::new().await;
    place.add_storage_with(&json!({"description": "the photos of all of us"})).await;
    for arguments in [&["storage", "list"][..], &["storage", "show", "family"]] {
        let told = place.done(arguments).await.stdout;
        assert!(told.contains("the photos of all of us"), "{told}");
    }
    let shown = place.done(&["storage", "show", "family"]).await.stdout;
    assert!(shown.starts_with("family (gphotos): the photos of all of us\n"), "{shown}");
}

#[tokio::test]
async fn a_plan_is_shown_with_what_it_wants() {
    let place = Place::new().await;
    place.add_storage().await;
    for (name, selection, words) in [
        ("all", json!({}), "selection: all photos and videos\n"),
        ("videos", json!({"kind": "video", "start_year": 1990}), "selection: all videos, from 1990 on\n"),
        (
            "stars",
            json!({"favourites": true, "include_archived": true}),
            "selection: favourite photos and videos, archived ones too\n",
        ),
        (
            "albums",
            json!({"albums": "every", "include_archived": false}),
            "selection: all photos and videos in any album, no archived ones\n",
        ),
        (
            "some",
            json!({"albums": ["Summer", "ALid"], "kind": "photo"}),
            "selection: all photos in Summer, ALid\n",
        ),
    ] {
        let plan = json!({"kind": "backup", "storage": "family", "destination": place.path(name), "selection": selection});
        place.add_plan(name, &plan).await;
        let shown = place.done(&["plan", "show", name]).await.stdout;
        assert!(shown.contains(words), "{shown}");
        assert!(shown.contains("a listing goes to the end every 24 hours"), "{shown}");
        let told = place.done(&["plan", "show", name, "--json"]).await.json();
        for (field, value) in selection.as_object().expect("an object") {
            assert_eq!(&told["selection"][field], value, "{told:#}");
        }
    }
    fs::create_dir(place.path("pictures")).expect("a folder");
    let plan = json!({"kind": "upload", "storage": "family", "sources": ["pictures"], "album": "A", "album_position": "first", "descriptions": false});
    place.add_plan("out", &plan).await;
    let shown = place.done(&["plan", "show", "out"]).await.stdout;
    assert!(
        shown.contains("before all others in the album") && shown.contains("descriptions are not sent"),
        "{shown}"
    );
}
