//! Consent from end to end: the program asks, a browser answers, a storage has its token.

use std::{collections::BTreeMap, fs};

use gphotos_emulator::Settings;
use serde_json::{Value, json};
use tokio::{
    io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader},
    process::{Child, ChildStderr, ChildStdin, Command},
};
use url::Url;

use crate::{
    browser::{follow, visit},
    command_line::assert_failed,
    support::{CLIENT_ID, Ended, Place, interrupt},
};

const SECRET: &str = "a-client-secret";

/// The program, while it waits for a consent.
pub(crate) struct Asking {
    child: Child,
    stdin: Option<ChildStdin>,
    stderr: BufReader<ChildStderr>,
    said: String,
    /// Where it sends the browser.
    pub(crate) url: Url,
}

impl Asking {
    pub(crate) async fn begin(command: &mut Command) -> Self {
        Self::begin_with(command, None, "paste it here").await
    }

    /// Begins with the whole of standard input, or none of it yet; the words are the last ones that are said.
    async fn begin_with(command: &mut Command, config: Option<&Value>, last: &str) -> Self {
        let mut child = command.stdin(std::process::Stdio::piped()).spawn().expect("the program starts");
        let mut stdin = child.stdin.take();
        if let (Some(config), Some(mut stdin)) = (config, stdin.take_if(|_| config.is_some())) {
            stdin.write_all(config.to_string().as_bytes()).await.expect("it reads");
        }
        let stderr = BufReader::new(child.stderr.take().expect("its standard error"));
        let url = Url::parse("about:blank").expect("a URL");
        let mut asking = Self { child, stdin, stderr, said: String::new(), url };
        let line = asking.hears("  http").await;
        asking.url = Url::parse(line.trim()).expect("an address");
        // The rest of the sentences.
        asking.hears(last).await;
        asking
    }

    /// Reads standard error up to a line that holds these words.
    async fn hears(&mut self, words: &str) -> String {
        loop {
            let mut line = String::new();
            let count = self.stderr.read_line(&mut line).await.expect("text");
            assert_ne!(count, 0, "{words:?} was not said: {}", self.said);
            self.said += &line;
            if line.contains(words) {
                return line;
            }
        }
    }

    async fn paste(&mut self, line: &str) {
        let stdin = self.stdin.as_mut().expect("it is open");
        stdin.write_all(format!("{line}\n").as_bytes()).await.expect("it reads");
    }

    pub(crate) async fn ended(mut self) -> Ended {
        self.stderr.read_to_string(&mut self.said).await.expect("text");
        let mut ended: Ended = self.child.wait_with_output().await.expect("it ends").into();
        ended.stderr = self.said;
        // I6: the codes and what is got for them stay between the program and Google, unless a token was asked for.
        for secret in ["4/0A", "ya29.", SECRET] {
            assert!(!ended.stderr.contains(secret), "{secret} is told: {ended:?}");
        }
        ended
    }

    fn asks(&self) -> BTreeMap<String, String> {
        self.url.query_pairs().into_owned().collect()
    }
}

/// An account that gives its consent by itself, to this client alone.
fn willing() -> Settings {
    let clients = BTreeMap::from([(CLIENT_ID.to_owned(), SECRET.to_owned())]);
    Settings { keep_bytes: true, auto_approve: true, clients, ..Settings::default() }
}

impl Place {
    /// The configuration of a storage that has no token yet.
    fn before_consent(&self) -> Value {
        let mut config = self.config();
        config.as_object_mut().expect("an object").remove("token");
        config["auth_url"] = format!("{}/o/oauth2/v2/auth", self.emulator.url()).into();
        config
    }

    /// Adds the storage `family`, whose consent is then withdrawn.
    async fn add_dead_storage(&self) {
        self.add_storage_with(&json!({"auth_url": self.before_consent()["auth_url"]})).await;
        self.world().revoke_refresh_tokens();
        self.world().expire_access_tokens();
    }

    async fn asking(&self, arguments: &[&str]) -> Asking {
        let mut all = vec!["authorize", "--no-browser"];
        all.extend(arguments);
        Asking::begin(&mut self.command(&all)).await
    }

    async fn asking_for_family(&self) -> Asking {
        self.asking(&["--storage", "family", "--json"]).await
    }
}

#[tokio::test]
async fn a_consent_goes_straight_into_a_storage() {
    let place = Place::with(willing()).await;
    place.seed(2);
    place.add_backup_with(&json!({"auth_url": place.before_consent()["auth_url"]})).await;
    place.world().revoke_refresh_tokens();
    place.world().expire_access_tokens();
    assert_eq!(place.run("home").await.0, 4);

    let asking = place.asking_for_family().await;
    let page = follow(asking.url.as_str()).await;
    assert_eq!(page.status, 200, "{page:?}");
    assert!(page.text.contains("It worked"), "{page:?}");
    assert!(!page.text.contains("http") && !page.text.contains("4/0A"), "nothing from elsewhere: {page:?}");
    let ended = asking.ended().await;
    assert_eq!(ended.code, Some(0), "{ended:?}");
    assert_eq!(ended.json(), json!({"storage": "family", "account": "pat@example.com"}));
    assert_eq!(place.run("home").await.0, 0);
}

#[tokio::test]
async fn a_consent_is_asked_for_with_a_challenge_and_the_rights_that_are_needed() {
    let place = Place::new().await;
    let secret = place.path("secret");
    fs::write(&secret, SECRET).expect("a file");
    let secret = secret.to_str().expect("a path");
    let client = ["--client-id", CLIENT_ID, "--client-secret-file", secret];
    let taken = std::net::TcpListener::bind("127.0.0.1:0").expect("a free port");
    let free = taken.local_addr().expect("its address").port().to_string();
    let cannot = format!("cannot listen on 127.0.0.1:{free}");
    let arguments = [&["authorize", "--no-browser", "--port", &free][..], &client].concat();
    assert_failed(&place.charon(&arguments).await, 1, &[&cannot, "choose another --port"]);
    drop(taken);
    for (read_only, port) in [(false, "0"), (true, "0"), (false, free.as_str())] {
        let mut arguments = client.to_vec();
        arguments.extend(["--port", port]);
        arguments.extend(read_only.then_some("--read-only"));
        let mut asking = place.asking(&arguments).await;
        assert!(asking.url.as_str().starts_with("https://accounts.google.com/"), "{}", asking.url);
        let asks = asking.asks();
        assert_eq!((asks["client_id"].as_str(), asks["response_type"].as_str()), (CLIENT_ID, "code"));
        assert_eq!(
            (asks["code_challenge_method"].as_str(), asks["access_type"].as_str()),
            ("S256", "offline")
        );
        assert_eq!(asks["code_challenge"].len(), 43);
        assert!(asks["state"].len() >= 22, "nobody can guess it");
        assert_eq!(asks["scope"].contains("photoslibrary.appendonly"), !read_only, "{asks:?}");
        let redirect = Url::parse(&asks["redirect_uri"]).expect("a URL");
        assert_eq!((redirect.host_str(), redirect.path()), (Some("127.0.0.1"), "/"));
        if port != "0" {
            assert_eq!(redirect.port().map(|port| port.to_string()).as_deref(), Some(port));
        }
        asking.child.kill().await.expect("it can be killed");
    }
}

#[tokio::test]
async fn what_is_printed_can_be_pasted_into_a_configuration() {
    let place = Place::with(willing()).await;
    place.seed(2);
    let config = place.path("config.json");
    fs::write(&config, place.before_consent().to_string()).expect("a file");
    let config = config.to_str().expect("a path");

    let asking = place.asking(&["--config", config]).await;
    follow(asking.url.as_str()).await;
    let ended = asking.ended().await;
    assert_eq!(ended.code, Some(0), "{ended:?}");
    let lines: Vec<&str> = ended.stdout.lines().collect();
    assert!(lines[0].ends_with("--->") && lines[2] == "<---End paste" && lines.len() == 3, "{ended:?}");
    let token: Value = serde_json::from_str(lines[1]).expect("rclone's JSON");
    assert!(token["refresh_token"].is_string() && token["expiry"].is_string(), "{token}");
    place.add_backup_with(&json!({"token": ended.stdout})).await;
    assert_eq!(place.run("home").await.0, 0);

    // For scripts: a piece of the configuration.
    let asking = place.asking(&["--config", config, "--json"]).await;
    follow(asking.url.as_str()).await;
    let told = asking.ended().await.json();
    assert_eq!(told.as_object().map(serde_json::Map::len), Some(1), "{told}");
    let mut whole = place.before_consent();
    whole["token"] = told["token"].clone();
    let added = place.charon_with(&["storage", "add", "other", "--config", "-"], &whole).await;
    assert_eq!(added.code, Some(0), "{added:?}");
}

#[cfg(unix)]
#[tokio::test]
async fn a_storage_is_made_in_one_line_that_leaves_no_secret_on_the_disk() {
    let place = Place::with(willing()).await;
    fs::write(place.path("before.json"), place.before_consent().to_string()).expect("a file");
    let google = json!({"installed": {"client_id": CLIENT_ID, "client_secret": SECRET}});
    fs::write(place.path("client_secret.json"), google.to_string()).expect("a file");
    // Both begin at once, on a data directory that is not there yet.
    let line = "\"$0\" authorize --no-browser --config before.json --json | \
                \"$0\" storage add family --config - --client-secret-file client_secret.json";
    let mut shell = Command::new("sh");
    shell
        .args(["-c", line, env!("CARGO_BIN_EXE_charon")])
        .current_dir(place.path(""))
        .env("CHARON_DATA_DIR", place.data_dir())
        .stdout(std::process::Stdio::piped())
        .stderr(std::process::Stdio::piped())
        .kill_on_drop(true);
    let asking = Asking::begin(&mut shell).await;
    follow(asking.url.as_str()).await;
    let ended = asking.ended().await;
    assert_eq!(ended.code, Some(0), "{ended:?}");
    assert!(ended.stdout.starts_with("Added the storage family."), "{ended:?}");
    assert_eq!(place.charon(&["storage", "show", "family"]).await.code, Some(0));
}

#[tokio::test]
async fn without_a_browser_the_address_that_it_ended_on_is_pasted() {
    let place = Place::with(willing()).await;
    place.add_dead_storage().await;
    let mut asking = place.asking_for_family().await;
    // The browser of another machine stops there.
    let redirect = visit(asking.url.as_str()).await.location.expect("a redirect");
    asking.paste("").await;
    asking.paste("hello").await;
    asking.hears("this is not the address that the browser ended on").await;
    let state = &asking.asks()["state"];
    let other = redirect.replace(state.as_str(), "another");
    asking.paste(&other).await;
    asking.hears("this address is of another asking").await;
    asking.paste(&format!("  {redirect}  ")).await;
    let ended = asking.ended().await;
    assert_eq!((ended.code, &ended.json()["storage"]), (Some(0), &json!("family")), "{ended:?}");
    place.seed(1);
    assert_eq!(place.charon(&["storage", "test", "family"]).await.code, Some(0));
}

#[tokio::test]
async fn an_answer_with_another_state_is_refused_and_the_right_one_still_counts() {
    let place = Place::with(willing()).await;
    place.add_dead_storage().await;
    let asking = place.asking_for_family().await;
    let asks = asking.asks();
    let here = &asks["redirect_uri"];
    for (path, status) in
        [("?state=another&code=4/0Astolen", 400), ("?code=4/0Astolen", 400), ("", 400), ("favicon.ico", 404)]
    {
        let page = visit(&format!("{here}{path}")).await;
        assert_eq!(page.status, status, "{page:?}");
        assert!(!page.text.contains("stolen"), "{page:?}");
    }
    assert_eq!(place.count("oauth.token"), 0, "nothing was redeemed");
    follow(asking.url.as_str()).await;
    let ended = asking.ended().await;
    assert_eq!(ended.code, Some(0), "{ended:?}");
}

#[tokio::test]
async fn a_consent_that_is_refused_or_given_in_part_changes_nothing() {
    let readonly = vec!["photoslibrary.readonly.appcreateddata".to_owned()];
    for (settings, page_says, words) in [
        (Settings { auto_deny: true, ..willing() }, "No consent was given", "access was refused"),
        (
            Settings { granted_scopes: Some(readonly), ..willing() },
            "photoslibrary.appendonly",
            "leave every box ticked",
        ),
    ] {
        let place = Place::with(settings).await;
        place.seed(1);
        place.add_storage_with(&json!({"auth_url": place.before_consent()["auth_url"]})).await;
        let asking = place.asking_for_family().await;
        let page = follow(asking.url.as_str()).await;
        assert!(page.text.contains(page_says), "{page:?}");
        assert_failed(&asking.ended().await, 1, &[words]);
        // The consent that was there before is there still.
        let test = place.charon(&["storage", "test", "family"]).await;
        assert_eq!(test.code, Some(0), "{test:?}");
    }
}

#[tokio::test]
async fn the_client_secret_comes_from_a_file_or_the_environment() {
    let place = Place::with(willing()).await;
    let mut config = place.before_consent();
    let fields = config.as_object_mut().expect("an object");
    fields.remove("client_secret");
    fs::write(place.path("plain"), format!("{SECRET}\n")).expect("a file");
    let google = json!({"installed": {"client_id": CLIENT_ID, "client_secret": SECRET, "redirect_uris": ["http://localhost"]}});
    fs::write(place.path("client_secret.json"), google.to_string()).expect("a file");
    for (file, environment) in [
        (Some("plain"), None),
        // What Google's console gives has the id too, and is enough.
        (Some("client_secret.json"), None),
        (None, Some(("CHARON_CLIENT_SECRET", SECRET))),
        (Some("plain"), Some(("CHARON_CLIENT_SECRET", "another"))),
    ] {
        if file == Some("client_secret.json") {
            config.as_object_mut().expect("an object").remove("client_id");
        } else {
            config["client_id"] = CLIENT_ID.into();
        }
        fs::write(place.path("no-secret.json"), config.to_string()).expect("a file");
        let mut arguments = vec!["authorize", "--no-browser", "--config", "no-secret.json", "--json"];
        arguments.extend(file.iter().flat_map(|file| ["--client-secret-file", file]));
        let asking = Asking::begin(place.command(&arguments).envs(environment)).await;
        follow(asking.url.as_str()).await;
        let ended = asking.ended().await;
        assert_eq!(ended.code, Some(0), "{file:?} {environment:?}: {ended:?}");

        // What was got is a storage, with the same options.
        let mut whole = config.clone();
        whole["token"] = ended.json()["token"].clone();
        place.world().expire_access_tokens();
        for verb in ["add", "update"] {
            let mut arguments = vec!["storage", verb, "family", "--config", "-"];
            arguments.extend(file.iter().flat_map(|file| ["--client-secret-file", file]));
            let ended = Place::give(place.command(&arguments).envs(environment), &whole).await;
            assert_eq!(ended.code, Some(0), "{ended:?}");
            let test = place.charon(&["storage", "test", "family"]).await;
            assert_eq!(test.code, Some(0), "{test:?}");
        }
        assert_eq!(place.charon(&["storage", "remove", "family"]).await.code, Some(0));
    }
    let ended = place.charon(&["authorize", "--client-id", "x", "--client-secret-file", "nowhere"]).await;
    assert_failed(&ended, 2, &["the client secret nowhere cannot be read"]);
    let ended = place.charon(&["authorize", "--client-id", "x", "--client-secret", SECRET]).await;
    assert_failed(&ended, 2, &["--client-secret-file"]);
}

#[tokio::test]
async fn what_stands_in_the_way_is_told_before_anybody_is_asked() {
    let place = Place::new().await;
    for arguments in [
        &["authorize"][..],
        &["authorize", "--storage", "family", "--client-id", "x"],
        &["authorize", "--storage", "family", "--read-only"],
    ] {
        assert_failed(&place.charon(arguments).await, 2, &["Usage: charon"]);
    }
    let ended = place.charon(&["authorize", "--storage", "work"]).await;
    assert_failed(&ended, 1, &["there is no storage named work"]);
    let ended = place.charon(&["authorize", "--provider", "dropbox", "--client-id", "x"]).await;
    assert_failed(&ended, 2, &["there is no provider named dropbox"]);
    let wrong = json!({"client_id": "x", "auth_url": "nowhere"});
    let ended = place.charon_with(&["authorize", "--config", "-"], &wrong).await;
    assert_failed(&ended, 2, &["auth_url: "]);
}

#[cfg(unix)]
#[tokio::test]
async fn ctrl_c_ends_the_wait() {
    let place = Place::with(willing()).await;
    let asking = place.asking(&["--client-id", CLIENT_ID]).await;
    interrupt(&asking.child).await;
    assert_failed(&asking.ended().await, 130, &[]);
}

#[cfg(unix)]
#[tokio::test]
async fn ctrl_c_ends_a_configuration_that_never_comes() {
    use std::{os::unix::process::ExitStatusExt, time::Duration};
    let place = Place::with(willing()).await;
    let mut command = place.command(&["authorize", "--no-browser", "--config", "-"]);
    let mut child = command.stdin(std::process::Stdio::piped()).spawn().expect("the program starts");
    let mut stdin = child.stdin.take().expect("its standard input");
    // More than a pipe holds, so that it is being read.
    stdin.write_all(" ".repeat(300_000).as_bytes()).await.expect("it reads");
    interrupt(&child).await;
    let ended = tokio::time::timeout(Duration::from_secs(20), child.wait()).await.expect("it ends");
    let ended = ended.expect("a status");
    assert!(ended.code() == Some(130) || ended.signal() == Some(2), "{ended:?}");
}

#[cfg(unix)]
#[tokio::test]
async fn nobody_is_told_to_paste_where_standard_input_is_at_its_end() {
    let place = Place::with(willing()).await;
    let begin = async || {
        let mut command = place.command(&["authorize", "--no-browser", "--config", "-", "--json"]);
        let config = place.before_consent();
        Asking::begin_with(&mut command, Some(&config), "give the configuration as a file").await
    };
    let asking = begin().await;
    follow(asking.url.as_str()).await;
    let ended = asking.ended().await;
    assert_eq!(ended.code, Some(0), "{ended:?}");
    assert!(ended.json()["token"].is_string() && !ended.stderr.contains("paste"), "{ended:?}");

    let asking = begin().await;
    interrupt(&asking.child).await;
    assert_failed(&asking.ended().await, 130, &[]);
}

#[cfg(target_os = "linux")]
#[tokio::test]
async fn a_browser_is_opened_unless_there_shall_be_none() {
    use std::os::unix::fs::PermissionsExt;
    let place = Place::with(willing()).await;
    place.add_dead_storage().await;
    fs::create_dir(place.path("bin")).expect("a folder");
    let opener = place.path("bin/xdg-open");
    let seen = place.path("seen");
    fs::write(
        &opener,
        format!("#!/bin/sh\nprintf %s \"$1\" > '{0}.new' && mv '{0}.new' '{0}'\n", seen.display()),
    )
    .expect("a script");
    fs::set_permissions(&opener, fs::Permissions::from_mode(0o755)).expect("chmod");
    let path = format!("{}:/usr/bin:/bin", place.path("bin").display());
    for no_browser in [true, false] {
        let mut arguments = vec!["authorize", "--storage", "family"];
        arguments.extend(no_browser.then_some("--no-browser"));
        let mut asking = Asking::begin(place.command(&arguments).env("PATH", &path)).await;
        if no_browser {
            assert!(!seen.exists());
            asking.child.kill().await.expect("it can be killed");
            continue;
        }
        place.until_file(&seen).await;
        assert_eq!(fs::read_to_string(&seen).expect("what it was given"), asking.url.as_str());
        follow(asking.url.as_str()).await;
        let ended = asking.ended().await;
        assert_eq!(ended.code, Some(0), "{ended:?}");
        assert!(
            ended.stdout.starts_with("The storage family has its new token, of pat@example.com."),
            "{ended:?}"
        );
    }
}

impl Place {
    /// Waits until a file is there.
    #[cfg(target_os = "linux")]
    async fn until_file(&self, path: &std::path::Path) {
        self.until("the file is there", |_| path.exists()).await;
    }
}
