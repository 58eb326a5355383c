//! Taking over the remotes of an rclone.conf.

use std::{fs, path::Path};

use serde_json::{Value, json};

use crate::{
    command_line::assert_failed,
    support::{CLIENT_ID, Ended, Place},
};

impl Place {
    /// The lines of a remote on the emulated account. rclone knows no `api_url`; it is there so that the emulator is asked.
    fn remote(&self, name: &str, more: &str) -> String {
        let config = self.config();
        let field = |field: &str| config[field].as_str().expect("a text").to_owned();
        format!(
            "[{name}]\ntype = google photos\nclient_id = {CLIENT_ID}\nclient_secret = {}\ntoken = {}\ntoken_url = {}\n\
             api_url = {}\n{more}\n",
            field("client_secret"),
            field("token"),
            field("token_url"),
            field("api_url"),
        )
    }

    fn write_conf(&self, text: &str) -> String {
        let path = self.path("rclone.conf");
        fs::write(&path, text).expect("a file");
        path.to_str().expect("a path").to_owned()
    }

    async fn import(&self, arguments: &[&str]) -> Ended {
        self.charon(&[&["storage", "import"], arguments].concat()).await
    }

    async fn storage_config(&self, name: &str) -> Value {
        self.charon(&["storage", "show", name, "--json"]).await.json()["config"].clone()
    }
}

#[tokio::test]
async fn an_rclone_remote_becomes_a_storage_that_works() {
    let place = Place::new().await;
    place.seed(3);
    let conf = place.write_conf(&format!("# made by hand\n\n{}", place.remote("family", "")));
    let ended = place.import(&[&conf]).await;
    assert_eq!((ended.code, ended.stderr.as_str()), (Some(0), ""), "{ended:?}");
    assert!(ended.stdout.contains("charon storage test family"), "what to do next: {ended:?}");
    let home = json!({"kind": "backup", "storage": "family", "destination": place.path("mirror")});
    place.add_plan("home", &home).await;
    assert_eq!(place.run("home").await.0, 0);
    place.assert_mirror_is_complete();
}

#[tokio::test]
async fn every_field_that_both_have_is_taken_over_and_the_others_are_told() {
    let place = Place::new().await;
    let fields = [
        ("read_only", "true", json!(true)),
        ("read_size", "1", json!(true)),
        ("start_year", "1990", json!(1990)),
        ("include_archived", "True", json!(true)),
        ("proxy", "http://localhost:8282", json!("http://localhost:8282")),
        ("batch_mode", "async", json!("async")),
        ("batch_size", "20", json!(20)),
        ("batch_timeout", "5", json!("5s")),
        ("batch_commit_timeout", "2m0s", json!("2m0s")),
        ("auth_url", "https://accounts.example.org/auth", json!("https://accounts.example.org/auth")),
        ("description", "the photos of all of us", json!("the photos of all of us")),
    ];
    let mut more: Vec<String> = fields.iter().map(|(name, text, _)| format!("{name} = {text}")).collect();
    more.push("encoding = Slash,CrLf\nfuture_secret = hunter2".into());
    let conf = place.write_conf(&place.remote("family", &more.join("\n")));
    let ended = place.import(&[&conf]).await;
    assert_eq!(ended.code, Some(0), "{ended:?}");
    assert!(ended.stdout.contains("not taken over: encoding, future_secret"), "{ended:?}");
    // I6
    assert!(!ended.stdout.contains("hunter2") && !ended.stdout.contains("ya29."), "{ended:?}");
    let config = place.storage_config("family").await;
    for (name, _, value) in &fields {
        assert_eq!(&config[name], value, "{name}");
    }
    assert_eq!((&config["client_id"], &config["token"]), (&json!(CLIENT_ID), &json!("••••••••")));
    assert_eq!(config["client_secret"], "••••••••");
}

#[tokio::test]
async fn a_remote_that_uses_rclones_own_client_is_told_what_it_needs() {
    let place = Place::new().await;
    let without: String = place
        .remote("old", "")
        .lines()
        .filter(|line| !line.starts_with("client_"))
        .fold(String::new(), |text, line| text + line + "\n");
    let conf = place.write_conf(&(place.remote("new", "") + &without));
    let ended = place.import(&[&conf]).await;
    assert_eq!(ended.code, Some(2), "{ended:?}");
    assert!(ended.stdout.contains("Added the storage new"), "the other is taken over: {ended:?}");
    for words in ["old was not taken over", "rclone's own client", "client of your own", "only to the client"]
    {
        assert!(ended.stderr.contains(words), "{words}: {ended:?}");
    }
    let told = place.import(&[&conf, "--remote", "old", "--json"]).await;
    assert_eq!((told.code, &told.json()["refused"][0]["remote"]), (Some(2), &json!("old")), "{told:?}");
    assert_failed(&place.import(&[&conf, "--remote", "old"]).await, 2, &["rclone's own client"]);
}

#[tokio::test]
async fn a_remote_without_a_consent_is_told_how_to_get_one() {
    let place = Place::new().await;
    let all = place.remote("family", "");
    let without: String = all
        .lines()
        .filter(|line| !line.starts_with("token ="))
        .fold(String::new(), |text, line| text + line + "\n");
    let conf = place.write_conf(&without);
    let authorize = format!("charon authorize --client-id {CLIENT_ID} --client-secret-file FILE");
    let words = ["token: is missing", &authorize, "rclone config reconnect family:", "import again"];
    assert_failed(&place.import(&[&conf]).await, 2, &words);
}

#[tokio::test]
async fn some_of_several_remotes_are_chosen_and_named() {
    let place = Place::new().await;
    let all =
        place.remote("a", "") + "[drive]\ntype = drive\n" + &place.remote("b", "") + &place.remote("c c", "");
    let conf = place.write_conf(&all);
    let ended =
        place.import(&[&conf, "--remote", "c c", "--remote", "a", "--name", "three", "--name", "one"]).await;
    assert_eq!(ended.code, Some(0), "{ended:?}");
    assert!(ended.stdout.contains("Added the storage three (from c c)"), "{ended:?}");
    assert!(ended.stdout.contains("Added the storage one (from a)"), "{ended:?}");

    let ended = place.import(&[&conf, "--name", "x"]).await;
    assert_failed(&ended, 2, &["--name is to be given once for each remote", "a, b, c c"]);
    let ended = place.import(&[&conf, "--remote", "d"]).await;
    assert_failed(&ended, 1, &["no remote named d; it has a (google photos), drive (drive), b"]);

    let ended = place.import(&[&conf, "--remote", "drive"]).await;
    assert_eq!((ended.code, ended.stdout.as_str()), (Some(0), ""), "{ended:?}");
    assert!(ended.stderr.contains("Passed over drive: it is of the type drive."), "{ended:?}");

    // All of them: one name is taken, another type is passed over.
    let taken = place.import(&[&conf, "--remote", "b", "--name", "a"]).await;
    assert_eq!(taken.code, Some(0), "{taken:?}");
    let ended = place.import(&[&conf, "--json"]).await;
    assert_eq!(ended.code, Some(2), "{ended:?}");
    assert!(ended.stderr.contains("a was not taken over: there is a storage named a already"), "{ended:?}");
    let report = ended.json();
    let imported: Vec<&Value> =
        report["imported"].as_array().expect("a list").iter().map(|one| &one["storage"]["name"]).collect();
    assert_eq!(imported, ["b", "c c"], "{report:#}");
    assert_eq!(report["passed_over"], json!([{"remote": "drive", "type": "drive"}]));
    assert_eq!(report["refused"][0]["remote"], "a");
}

#[tokio::test]
async fn what_is_wrong_with_a_remote_is_told_by_its_field() {
    let place = Place::new().await;
    let conf =
        place.write_conf(&place.remote("family", "start_year = 1066\nread_only = perhaps\ntoken = hunter2"));
    let ended = place.import(&[&conf]).await;
    assert_eq!((ended.code, ended.stdout.as_str()), (Some(2), ""), "{ended:?}");
    for words in ["start_year: 1066 is less than", "read_only: must be true or false", "token: "] {
        assert!(ended.stderr.contains(words), "{words}: {ended:?}");
    }
    // I6
    assert!(!ended.stderr.contains("hunter2"), "{ended:?}");
}

#[tokio::test]
async fn a_file_that_cannot_be_read_is_told_with_the_cure() {
    let place = Place::new().await;
    let conf = place.write_conf("# Encrypted rclone configuration File\n\nRCLONE_ENCRYPT_V0:\nabcdef==\n");
    let ended = place.import(&[&conf]).await;
    assert_failed(&ended, 2, &["is encrypted", "rclone config show REMOTE | charon storage import -"]);
    let conf = place.write_conf("[a]\nhunter2\n");
    let ended = place.import(&[&conf]).await;
    assert_failed(&ended, 2, &["line 2 is neither"]);
    assert!(!ended.stderr.contains("hunter2"));
    let conf = place.write_conf("[a]\ntype = drive\n");
    assert_failed(
        &place.import(&[&conf]).await,
        1,
        &["has no remote of the type google photos; it has a (drive)"],
    );
    let nowhere = place.import(&[]).await;
    assert_failed(&nowhere, 2, &["rclone.conf cannot be read", "rclone config file"]);
}

#[tokio::test]
async fn the_file_is_found_where_rclone_keeps_it_or_comes_from_standard_input() {
    let place = Place::new().await;
    let (home, xdg, named) = (place.path("home"), place.path("xdg"), place.path("named.conf"));
    let usual = home.join(".config/rclone/rclone.conf");
    for (path, environment) in [
        (usual.clone(), vec![]),
        (xdg.join("rclone/rclone.conf"), vec![("XDG_CONFIG_HOME", xdg.as_path())]),
        (named.clone(), vec![("RCLONE_CONFIG", named.as_path()), ("XDG_CONFIG_HOME", Path::new("/nowhere"))]),
        // The specification says to ignore a relative path.
        (usual.clone(), vec![("XDG_CONFIG_HOME", Path::new("relative"))]),
    ] {
        fs::create_dir_all(path.parent().expect("a folder")).expect("folders");
        fs::write(&path, place.remote("family", "")).expect("a file");
        let mut command = place.command(&["storage", "import"]);
        command.env_remove("XDG_CONFIG_HOME").env_remove("RCLONE_CONFIG").envs(environment);
        let ended: Ended = command.output().await.expect("it runs").into();
        assert_eq!(ended.code, Some(0), "{ended:?}");
        fs::remove_file(&path).expect("it is there");
        assert_eq!(place.charon(&["storage", "remove", "family"]).await.code, Some(0));
    }
    let mut command = place.command(&["storage", "import", "-"]);
    let ended = Place::give_text(&mut command, &place.remote("family", "")).await;
    assert_eq!(ended.code, Some(0), "{ended:?}");
}
