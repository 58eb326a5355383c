//! Secrets go in and never come out. // I6
//!
//! The program lives through good days and bad ones, against a server that repeats in its errors whatever it was sent.
//! Then everything that was printed, and everything that was stored, is searched for every secret that went over the
//! wire, in whatever form.

mod needles;
mod tap;

use std::{
    fs,
    path::{Path, PathBuf},
};

use gphotos_emulator::{Action, Fault, SCOPES, Seed, Settings, picture::Picture};
use serde_json::{Value, json};
use url::Url;

use crate::{
    browser::visit,
    support::{CLIENT_ID, Ended, Place},
};
use needles::Needles;
use tap::{Form, Tap};

const CLIENT_SECRET: &str = "GOCSPX-a-client-secret/of+its=own";
const BASE_URL: &str = "a base URL";

/// An account behind a server that hears everything, and what the program said of it.
struct Life {
    place: Place,
    tap: Tap,
    /// What the environment says.
    variables: Vec<(&'static str, String)>,
    said: Vec<(String, Ended)>,
}

impl Life {
    async fn begin(variables: &[(&'static str, &str)]) -> Self {
        let place =
            Place::with(Settings { keep_bytes: true, auto_approve: true, ..Settings::default() }).await;
        let tap = Tap::start(place.emulator.address()).await;
        let variables = variables.iter().map(|(name, value)| (*name, (*value).to_owned())).collect();
        Self { place, tap, variables, said: Vec::new() }
    }

    fn config(&self) -> Value {
        let url = self.tap.url();
        let rights = [&SCOPES[..], &["openid", "email"]].concat();
        json!({
            "client_id": CLIENT_ID,
            "client_secret": CLIENT_SECRET,
            "token": self.place.emulator.token_blob(CLIENT_ID, &rights),
            "auth_url": format!("{url}/o/oauth2/auth"),
            "token_url": format!("{url}/token"),
            "api_url": url,
        })
    }

    async fn charon(&mut self, arguments: &[&str]) -> &Ended {
        self.charon_with(arguments, "").await
    }

    async fn charon_with(&mut self, arguments: &[&str], stdin: &str) -> &Ended {
        let mut command = self.place.command(arguments);
        command.envs(self.variables.iter().map(|(name, value)| (name, value)));
        let ended = Place::give_text(&mut command, stdin).await;
        self.said.push((arguments.join(" "), ended));
        &self.said.last().expect("it was just put there").1
    }

    async fn done(&mut self, arguments: &[&str]) {
        let ended = self.charon(arguments).await;
        assert_eq!(ended.code, Some(0), "{arguments:?}: {ended:?}");
    }

    async fn done_with(&mut self, arguments: &[&str], stdin: &str) {
        let ended = self.charon_with(arguments, stdin).await;
        assert_eq!(ended.code, Some(0), "{arguments:?}: {ended:?}");
    }

    /// Every secret there is.
    fn needles(&self) -> Needles {
        let mut needles = Needles::default();
        let heard = self.tap.heard();
        needles.add("the client secret", CLIENT_SECRET);
        let ends = ['"', '\\', '&', ' ', '\r', '\n'];
        needles.add_between("an access token", &heard, "Bearer ", &ends);
        needles.add_between("a refresh token", &heard, "refresh_token=", &ends);
        for (what, field) in [
            ("an access token", "access_token"),
            ("a refresh token", "refresh_token"),
            ("an ID token", "id_token"),
            ("an upload token", "uploadToken"),
        ] {
            for before in [format!("\"{field}\":\""), format!("\"{field}\": \"")] {
                needles.add_between(what, &heard, &before, &ends);
            }
        }
        needles.add_between("an upload session", &heard, "upload_id=", &ends);
        needles.add_between(BASE_URL, &heard, "/lr/", &['"', '=', ' ', '\r', '\\', '?']);
        needles.add_between("a code", &heard, "&code=", &ends);
        needles.add_between("a verifier", &heard, "code_verifier=", &ends);
        let key = fs::read(self.place.data_dir().join("charon.key")).expect("the key");
        needles.add("the key", &key);
        needles.add("the key", key.trim_ascii());
        needles
    }

    /// Searches what was printed and what was stored.
    fn leaks(&self, needles: &Needles) -> Vec<String> {
        let (needles, mut leaks) = (needles.search(), Vec::new());
        for (arguments, ended) in &self.said {
            for (stream, text) in [("standard output", &ended.stdout), ("standard error", &ended.stderr)] {
                for line in text.lines() {
                    for found in needles.found_in(line.as_bytes()) {
                        leaks.push(format!("{found}: in {stream} of `{arguments}`: {line:.600}"));
                    }
                }
            }
        }
        let mut files = Vec::new();
        for folder in ["data", "mirror", "originals", "home"] {
            collect(&self.place.path(folder), &mut files);
        }
        assert!(files.iter().any(|path| path.extension().is_some_and(|extension| extension == "db")));
        for path in files.iter().filter(|path| !path.ends_with("charon.key")) {
            for found in needles.found_in(&fs::read(path).expect("a file")) {
                leaks.push(format!("{found}: in the file {}", path.display()));
            }
        }
        leaks
    }
}

fn collect(folder: &Path, files: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).into_iter().flatten() {
        let path = entry.expect("an entry").path();
        if path.is_dir() {
            collect(&path, files);
        } else {
            files.push(path);
        }
    }
}

/// Good days: a storage, a consent, plans, runs.
async fn good_days(life: &mut Life) {
    let config = life.config();
    life.done_with(&["storage", "test", "--config", "-", "-vv"], &config.to_string()).await;
    life.done_with(&["storage", "add", "family", "--config", "-"], &config.to_string()).await;
    import(life).await;
    plugin(life, &config).await;
    for arguments in [["storage", "list"].as_slice(), &["storage", "show", "family"]] {
        life.done(arguments).await;
        life.done(&[arguments, &["--json"]].concat()).await;
    }
    for arguments in [["storage", "test", "family"], ["storage", "albums", "family"]] {
        life.done(&arguments).await;
        life.done(&[&arguments[..], &["--json", "-vv"]].concat()).await;
    }
    // The answer of the browser is pasted, as on a machine without one.
    consent(life, &["--storage", "family"]).await;
    fs::write(life.place.path("before.json"), before_consent(&config).to_string()).expect("a file");
    consent(life, &["--config", "before.json"]).await;
    consent(life, &["--config", "before.json", "--json"]).await;

    life.place.seed(5);
    life.place.draw("pictures", 100..103);
    // One that is large enough for a session.
    let large = Picture { number: Some(9), padded_to: Some(36 * 1024 * 1024), ..Picture::new(9) };
    fs::write(life.place.path("pictures/large.jpg"), large.jpeg()).expect("a picture");
    let home = json!({"kind": "backup", "storage": "family", "destination": life.place.path("mirror")});
    let pictures = life.place.path("pictures");
    let out = json!({"kind": "upload", "storage": "family", "sources": [pictures], "album": "Album"});
    life.done_with(&["plan", "add", "home", "--config", "-"], &home.to_string()).await;
    life.done_with(&["plan", "add", "out", "--config", "-"], &out.to_string()).await;
    life.place.world().expire_access_tokens();
    for plan in ["out", "home"] {
        life.done(&["plan", "preview", plan, "-vv"]).await;
        life.done(&["run", plan, "--dry-run", "--json"]).await;
        life.done(&["run", plan, "-vv"]).await;
        life.done(&["run", plan, "--json"]).await;
    }
    originals(life).await;
    life.done(&["runs"]).await;
    life.done(&["runs", "--json"]).await;
}

fn before_consent(config: &Value) -> Value {
    let mut config = config.clone();
    config.as_object_mut().expect("an object").remove("token");
    config
}

/// Another program tests a configuration, and runs a plan again and again.
async fn plugin(life: &mut Life, config: &Value) {
    life.done(&["plugin", "describe"]).await;
    let test = json!({"config": config});
    life.done_with(&["plugin", "test", "-vv"], &test.to_string()).await;
    let plan = json!({"name": "plugged", "kind": "backup", "destination": life.place.path("home/plugged")});
    let mut run = json!({"storage": {"name": "plugged", "config": config}, "plan": plan});
    for _ in 0..2 {
        life.place.world().expire_access_tokens();
        life.done_with(&["plugin", "run", "-vv"], &run.to_string()).await;
    }
    // Secrets where they do not belong.
    let in_a_field = json!({"storage": config["token"], "plan": {"name": "plugged"}});
    let in_a_config =
        json!({"storage": {"name": "plugged", "config": config["token"]}, "plan": {"name": "plugged"}});
    let no_json = config["token"].as_str().expect("text").replace(':', " ");
    run["storage"]["config"]["token"] = format!("{CLIENT_SECRET} is no token").into();
    for wrong in [run.to_string(), in_a_field.to_string(), in_a_config.to_string(), no_json] {
        let ended = life.charon_with(&["plugin", "run", "-vv"], &wrong).await;
        assert_eq!(ended.code, Some(2), "{ended:?}");
    }
}

/// Remotes of rclone: one that is taken over, and others that are refused.
async fn import(life: &mut Life) {
    let config = life.config();
    let remote = |name: &str, without: &str| {
        let lines = config.as_object().expect("an object").iter().filter(|(field, _)| *field != without);
        lines.fold(format!("[{name}]\ntype = google photos\n"), |text, (field, value)| {
            text + &format!("{field} = {}\n", value.as_str().expect("text"))
        })
    };
    let remotes = remote("imported", "")
        + &remote("family", "")
        + &remote("rclones", "client_id")
        + &remote("new", "token");
    // A field that a secret was put into by mistake.
    let wrong = remote("wrong", "api_url") + &format!("api_url = {CLIENT_SECRET}\n");
    let ended = life.charon_with(&["storage", "import", "-", "-vv"], &(remotes + &wrong)).await;
    assert_eq!(ended.code, Some(2), "{ended:?}");
    assert!(
        ended.stdout.contains("Added the storage imported") && ended.stderr.contains("wrong was not"),
        "{ended:?}"
    );
    let ended = life.charon_with(&["storage", "import", "-", "--json"], &remote("imported", "")).await;
    assert_eq!(ended.code, Some(2), "{ended:?}");
    let ended = life.charon_with(&["storage", "import", "-"], &format!("[a]\n{CLIENT_SECRET}\n")).await;
    assert_ne!(ended.code, Some(0), "{ended:?}");
}

/// A storage whose originals come from another server, which has no business with any secret.
async fn originals(life: &mut Life) {
    let listen = "127.0.0.1:0".parse().expect("an address");
    let proxy = life.place.emulator.full_resolution_proxy(listen).await.expect("the proxy starts");
    let mut config = life.config();
    config["proxy"] = proxy.url().into();
    life.done_with(&["storage", "add", "originals", "--config", "-"], &config.to_string()).await;
    let plan = json!({"kind": "backup", "storage": "originals", "destination": life.place.path("originals")});
    life.done_with(&["plan", "add", "originals", "--config", "-"], &plan.to_string()).await;
    life.done(&["storage", "test", "originals", "--json"]).await;
    life.done(&["run", "originals", "-vv"]).await;
    assert!(proxy.stats().requests >= 5 && !proxy.saw_authorization(), "{:?}", proxy.stats());
}

/// A person consents anew, and pastes where the browser was sent. Without a storage the token is printed, which is what is
/// asked for, and nothing else says it.
async fn consent(life: &mut Life, whose: &[&str]) {
    use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
    let arguments = [&["authorize", "--no-browser"], whose].concat();
    let mut command = life.place.command(&arguments);
    command.envs(life.variables.iter().map(|(name, value)| (name, value)));
    let mut child = command.stdin(std::process::Stdio::piped()).spawn().expect("the program starts");
    let mut aloud = BufReader::new(child.stderr.take().expect("its standard error"));
    let mut said = String::new();
    let page = loop {
        let mut words = String::new();
        assert_ne!(aloud.read_line(&mut words).await.expect("text"), 0, "no page was told: {said}");
        let page = Url::parse(words.trim()).ok().filter(|url| url.path().ends_with("/auth"));
        // The page itself is told on purpose: it is for the person.
        if let Some(page) = page {
            break page;
        }
        said += &words;
    };
    let answer = visit(page.as_str()).await.location.expect("the consent is given");
    let mut input = child.stdin.take().expect("its standard input");
    input.write_all(format!("{answer}\n").as_bytes()).await.expect("it reads");
    drop(input);
    aloud.read_to_string(&mut said).await.expect("text");
    let mut ended: Ended = child.wait_with_output().await.expect("it ends").into();
    ended.stderr = said;
    assert_eq!(ended.code, Some(0), "{ended:?}");
    let code = Url::parse(&answer).expect("a URL");
    let state = page.query_pairs().find(|(name, _)| name == "state").expect("a state").1.into_owned();
    assert!(!ended.stderr.contains(&state) && !ended.stdout.contains(&state), "the state is told: {ended:?}");
    assert!(code.query_pairs().any(|(name, _)| name == "code"));
    if !whose.contains(&"--storage") {
        assert!(ended.stdout.contains("refresh_token"), "the token is printed: {ended:?}");
        ended.stdout.clear();
    }
    life.said.push((arguments.join(" "), ended));
}

/// Bad days: every kind of request is answered once with an error that repeats it.
async fn bad_days(life: &mut Life) {
    let forms = [Form::Google, Form::Text];
    let mut number = 200;
    for form in forms {
        for (to, status) in [
            ("GET /v1/mediaItems", 400),
            ("GET /lr/", 404),
            ("GET /lr/", 500),
            ("POST /v1/uploads", 400),
            ("POST /v1/mediaItems:batchCreate", 500),
            ("POST /v1/mediaItems:batchCreate", 400),
        ] {
            // More to bring home, and more to send.
            number += 1;
            life.place.draw("pictures", number..number + 1);
            life.place
                .world()
                .seed(&Seed::plain(1, 3_000 + usize::try_from(number).expect("a small number")));
            life.tap.echo(to, status, form);
            let plan = if to.starts_with("POST") { "out" } else { "home" };
            life.charon(&["run", plan, "--json", "-vv"]).await;
        }
        for (to, status) in [("GET /v1/albums", 500), ("GET /v1/albums", 401), ("GET /v1/mediaItems", 403)] {
            life.tap.echo(to, status, form);
            life.charon(&["storage", "test", "family", "--json"]).await;
            if to.ends_with("albums") {
                life.tap.echo(to, status, form);
                life.charon(&["storage", "albums", "family"]).await;
            }
        }
        for status in [400, 500] {
            life.place.world().expire_access_tokens();
            let form = if status == 400 { Form::OAuth } else { form };
            life.tap.echo("POST /token", status, form);
            life.charon(&["storage", "albums", "family"]).await;
            life.tap.echo("POST /token", status, form);
            life.charon(&["storage", "test", "family"]).await;
        }
    }
    life.charon(&["runs", "--json"]).await;
    let left = life.tap.echoes_left();
    assert!(left.is_empty(), "these errors did not happen: {left:?}");

    // Configurations that are refused.
    let mut wrong = life.config();
    wrong["api_url"] = "not a URL".into();
    wrong["no_such_field"] = CLIENT_SECRET.into();
    wrong["token"] = format!("{CLIENT_SECRET} is no token").into();
    let ended = life.charon_with(&["storage", "add", "wrong", "--config", "-"], &wrong.to_string()).await;
    assert_eq!(ended.code, Some(2), "{ended:?}");
    let config = life.config();
    life.done_with(&["storage", "update", "family", "--config", "-"], &config.to_string()).await;
    // Google takes the consent back, and the run is parked.
    life.place.world().expire_access_tokens();
    life.place.world().revoke_refresh_tokens();
    let ended = life.charon(&["run", "home", "--json"]).await;
    assert_eq!(ended.code, Some(4), "{ended:?}");
    life.charon(&["storage", "test", "family"]).await;
}

/// Searches for something that is no secret and known to be there: what is not looked at cannot be clean.
fn assert_searched(life: &Life) {
    let mut needles = Needles::default();
    needles.add("no secret", CLIENT_ID);
    let found = life.leaks(&needles);
    for place in ["standard output of `storage show family`", "the file"] {
        assert!(found.iter().any(|leak| leak.contains(place)), "{place} was not searched: {found:?}");
    }
    let repeated = life.said.iter().any(|(_, ended)| ended.stderr.contains("This was wrong"));
    assert!(repeated, "what the server repeated was told");
}

fn assert_heard_all(needles: &Needles) {
    for (what, least) in [
        ("an access token", 3),
        ("a refresh token", 2),
        ("an ID token", 1),
        ("an upload token", 4),
        ("an upload session", 1),
        (BASE_URL, 5),
        ("a code", 1),
        ("a verifier", 1),
        ("the key", 1),
    ] {
        assert!(needles.count(what) >= least, "{what} was heard {} times", needles.count(what));
    }
}

#[tokio::test]
async fn no_secret_is_printed_or_stored() {
    let mut life = Life::begin(&[]).await;
    good_days(&mut life).await;
    bad_days(&mut life).await;
    let needles = life.needles();
    assert_heard_all(&needles);
    assert_searched(&life);
    let leaks = life.leaks(&needles);
    assert!(leaks.is_empty(), "secrets came out:\n{}", leaks.join("\n"));
}

#[tokio::test]
async fn no_secret_is_logged_however_much_is_asked_for() {
    let mut life = Life::begin(&[("RUST_LOG", "trace")]).await;
    good_days(&mut life).await;
    bad_days(&mut life).await;
    let needles = life.needles();
    assert_heard_all(&needles);
    assert_searched(&life);
    let leaks = life.leaks(&needles);
    assert!(leaks.is_empty(), "secrets came out:\n{}", leaks.join("\n"));
    assert!(life.said.iter().any(|(_, ended)| ended.stderr.contains("TRACE")), "much was logged");
}

#[tokio::test]
async fn the_password_of_a_proxy_stays_with_the_proxy() {
    const PASSWORD: &str = "a-password-of-the-proxy";
    let mut life = Life::begin(&[("RUST_LOG", "trace")]).await;
    let proxy = life.place.emulator.tls_proxy(([127, 0, 0, 1], 0).into()).await.expect("the proxy starts");
    let certificate = life.place.path("ca.pem");
    fs::write(&certificate, proxy.ca_pem()).expect("a file");
    // Google's own addresses.
    let config = json!({
        "client_id": CLIENT_ID,
        "client_secret": CLIENT_SECRET,
        "token": life.place.emulator.token_blob(CLIENT_ID, &[]),
    });
    let mut needles = Needles::default();
    needles.add("the password", PASSWORD);
    needles.add("the credentials", format!("somebody:{PASSWORD}"));
    let token: Value = serde_json::from_str(config["token"].as_str().expect("a token")).expect("JSON");
    for part in ["access_token", "refresh_token"] {
        needles.add("a token", token[part].as_str().expect("text"));
    }
    needles.add("the client secret", CLIENT_SECRET);
    life.place.seed(3);
    for (address, works) in [(proxy.address().to_string(), true), ("127.0.0.1:9".to_owned(), false)] {
        let proxy = format!("http://somebody:{PASSWORD}@{address}");
        life.variables = vec![
            ("RUST_LOG", "trace".into()),
            ("HTTPS_PROXY", proxy),
            ("NO_PROXY", String::new()),
            ("SSL_CERT_FILE", certificate.to_str().expect("a path").into()),
        ];
        if works {
            let config = config.to_string();
            life.done_with(&["storage", "add", "family", "--config", "-"], &config).await;
            let home =
                json!({"kind": "backup", "storage": "family", "destination": life.place.path("mirror")});
            life.done_with(&["plan", "add", "home", "--config", "-"], &home.to_string()).await;
            life.done(&["run", "home"]).await;
        }
        let ended = life.charon(&["storage", "test", "family"]).await;
        assert_eq!(ended.code, Some(i32::from(!works)), "{ended:?}");
        life.charon(&["storage", "albums", "family", "--json"]).await;
    }
    let leaks = life.leaks(&needles);
    assert!(leaks.is_empty(), "secrets came out:\n{}", leaks.join("\n"));
}

/// How many files of the mirror are under way.
fn half_done(place: &Place) -> usize {
    fs::read_dir(place.path("mirror/.charon/incoming")).map_or(0, Iterator::count)
}

#[tokio::test]
async fn a_kill_leaves_no_secret_lying_about() {
    let mut life = Life::begin(&[("RUST_LOG", "trace")]).await;
    let mut config = life.config();
    // So slowly that a photo has a middle.
    config["bandwidth_down"] = 200.into();
    life.done_with(&["storage", "add", "family", "--config", "-"], &config.to_string()).await;
    life.place.world().seed(&Seed::plain(3, 2_000_000));
    life.place.draw("pictures", 100..103);
    let large = Picture { number: Some(9), padded_to: Some(36 * 1024 * 1024), ..Picture::new(9) };
    fs::write(life.place.path("pictures/large.jpg"), large.jpeg()).expect("a picture");
    let home = json!({"kind": "backup", "storage": "family", "destination": life.place.path("mirror")});
    let out = json!({"kind": "upload", "storage": "family", "sources": [life.place.path("pictures")]});
    life.done_with(&["plan", "add", "home", "--config", "-"], &home.to_string()).await;
    life.done_with(&["plan", "add", "out", "--config", "-"], &out.to_string()).await;
    life.place.world().expire_access_tokens();
    // In the middle of a session, and in the middle of a photo.
    life.place.fault(Fault::always(Action::Latency { ms: 600_000 }).on(&["uploads.finalize"]));
    for (plan, method) in [("out", "uploads.finalize"), ("home", "media.bytes")] {
        let mut command = life.place.command(&["run", plan]);
        command.envs(life.variables.iter().map(|(name, value)| (name, value)));
        let mut child = command.spawn().expect("the program starts");
        let is_begun = || plan == "out" || half_done(&life.place) > 0;
        life.place.until(method, |stats| stats.count(method) > 0 && is_begun()).await;
        child.start_kill().expect("it can be killed");
        let ended: Ended = child.wait_with_output().await.expect("its words").into();
        assert_eq!(ended.code, None, "it was at work: {ended:?}");
        life.said.push((format!("run {plan}, killed"), ended));
    }
    let needles = life.needles();
    for (what, least) in
        [("an access token", 2), ("a refresh token", 1), ("an upload session", 1), (BASE_URL, 1)]
    {
        assert!(needles.count(what) >= least, "{what} was heard {} times", needles.count(what));
    }
    assert!(half_done(&life.place) > 0, "something half done is left");
    let leaks = life.leaks(&needles);
    assert!(leaks.is_empty(), "secrets came out:\n{}", leaks.join("\n"));
}
