//! Bad input gets a clear error, and nothing is lost.

use std::fs;

use serde_json::{Value, json};

use crate::support::{Ended, Place, picture};

/// A text that is in no message, whatever goes wrong.
const SECRET: &str = "hunter2-is-secret";

/// Checks that the input was refused as wrong usage, in these words, without a word on standard output.
fn assert_refused(ended: &Ended, words: &[&str]) {
    assert_eq!(ended.code, Some(2), "{ended:?}");
    assert_eq!(ended.stdout, "", "{ended:?}");
    for word in words {
        assert!(ended.stderr.contains(word), "{word:?} is not told: {}", ended.stderr);
    }
    // I6
    assert!(!ended.stderr.contains(SECRET), "a secret is told: {}", ended.stderr);
}

impl Place {
    async fn add_storage_from(&self, config: &Value) -> Ended {
        self.charon_with(&["storage", "add", "family", "--config", "-"], config).await
    }

    /// A storage with some fields changed, and some taken out (those that are null).
    async fn add_changed_storage(&self, changes: &Value) -> Ended {
        let mut config = self.config();
        for (field, value) in changes.as_object().expect("an object") {
            if value.is_null() {
                config.as_object_mut().expect("an object").remove(field);
            } else {
                config[field] = value.clone();
            }
        }
        self.add_storage_from(&config).await
    }

    async fn add_plan_from(&self, config: &Value) -> Ended {
        self.charon_with(&["plan", "add", "plan", "--config", "-"], config).await
    }

    async fn assert_holds_no(&self, noun: &str) {
        let ended = self.charon(&[noun, "list", "--json"]).await;
        assert_eq!(ended.json(), json!([]), "nothing is stored");
    }

    fn backup_to(&self, destination: &str) -> Value {
        json!({"kind": "backup", "storage": "family", "destination": self.path(destination)})
    }

    fn upload_from(&self, sources: &[&str]) -> Value {
        let sources: Vec<_> = sources.iter().map(|source| self.path(source)).collect();
        json!({"kind": "upload", "storage": "family", "sources": sources, "album": "Album"})
    }
}

#[tokio::test]
async fn a_wrong_field_of_a_storage_is_refused_with_its_name_and_what_would_be_right() {
    let place = Place::new().await;
    for (changes, words) in [
        (json!({"batchsize": 10}), &["batchsize: is not a known field; did you mean batch_size?"][..]),
        (
            json!({"zzz": 10}),
            &["zzz: is not a known field; the known ones are client_id, client_secret, token"],
        ),
        (json!({"read_only": "yes"}), &["read_only: must be true or false, without quotes, and is \"yes\""]),
        (json!({"start_year": "2000"}), &["start_year: must be a whole number, without quotes"]),
        (json!({"start_year": 1700}), &["start_year: 1700 is less than the minimum of 1826"]),
        (json!({"batch_size": 51}), &["batch_size: 51 is greater than the maximum of 50"]),
        (json!({"batch_size": -1}), &["batch_size: -1 is less than the minimum of 0"]),
        (json!({"batch_size": 2.5}), &["batch_size: must be a whole number"]),
        (json!({"batch_mode": "fast"}), &["batch_mode: must be sync or async or off, and is \"fast\""]),
        (json!({"batch_timeout": "10 s"}), &["batch_timeout: \"10 s\" is not written as it must be", "10s"]),
        (json!({"client_id": null}), &["client_id: is missing or blank", "client_secret.json"]),
        (json!({"client_id": ""}), &["client_id: is missing or blank"]),
        (json!({"token": null}), &["token: is missing"]),
        (json!({"api_url": "photos"}), &["api_url: is not a URL; expected one such as https://"]),
        (
            json!({"api_url": "http://photos.example.org"}),
            &["api_url: must begin with https://", "can be read on the way"],
        ),
        (json!({"token_url": "http://192.168.1.2/token"}), &["token_url: must begin with https://"]),
        (json!({"auth_url": "http://photos.example.org"}), &["auth_url: must begin with https://"]),
    ] {
        let ended = place.add_changed_storage(&changes).await;
        assert_refused(&ended, words);
        assert!(
            ended.stderr.starts_with("charon: the configuration of the storage family is wrong:\n"),
            "{ended:?}"
        );
        assert_eq!(ended.stderr.lines().count(), 2, "one mistake, and no other: {}", ended.stderr);
    }
    place.assert_holds_no("storage").await;
}

#[tokio::test]
async fn several_mistakes_of_a_storage_are_all_told_each_with_its_field() {
    let place = Place::new().await;
    let changes = json!({
        "client_id": null,
        "clientid": "1234",
        "client_secret": [SECRET],
        "token": SECRET,
        "batch_size": 51,
        "start_year": 1700,
        "api_url": "http://photos.example.org",
    });
    let ended = place.add_changed_storage(&changes).await;
    assert_refused(&ended, &["did you mean client_id?"]);
    let fields: Vec<&str> = ended
        .stderr
        .lines()
        .skip(1)
        .filter_map(|line| line.trim().split_once(':'))
        .map(|(field, _)| field)
        .collect();
    assert_eq!(
        fields,
        ["api_url", "batch_size", "client_id", "client_secret", "clientid", "start_year", "token"]
    );
    place.assert_holds_no("storage").await;
}

#[tokio::test]
async fn a_secret_that_is_wrong_is_never_told() {
    // I6
    let place = Place::new().await;
    for changes in [
        json!({"token": SECRET}),
        json!({"token": format!("{{\"access_token\":\"{SECRET}")}),
        json!({"token": {"refresh_token": SECRET}}),
        json!({"token": [SECRET]}),
        json!({"client_secret": {"secret": SECRET}}),
        json!({"client_secret": SECRET, "token": ""}),
        json!({"tokn": SECRET}),
    ] {
        assert_refused(&place.add_changed_storage(&changes).await, &[]);
    }
    let ended = place.add_changed_storage(&json!({"token": SECRET})).await;
    assert_refused(&ended, &["token: is not a token", "rclone authorize", "a bare refresh token"]);
    place.assert_holds_no("storage").await;
}

#[tokio::test]
async fn a_configuration_that_is_no_json_object_is_refused_by_the_name_of_its_file() {
    let place = Place::new().await;
    for (name, text, words) in [
        ("empty.json", String::new(), "is not JSON"),
        ("text.json", format!("client_secret = {SECRET}"), "is not JSON"),
        ("half.json", format!("{{\"client_secret\": \"{SECRET}\""), "is not JSON"),
        ("torn.json", format!("{{\"client_secret\": \"{SECRET}"), "is not JSON"),
        ("list.json", format!("[\"{SECRET}\"]"), "is not a JSON object"),
        ("word.json", format!("\"{SECRET}\""), "is not a JSON object"),
        ("null.json", "null".to_owned(), "is not a JSON object"),
    ] {
        fs::write(place.path(name), text).expect("a file");
        let path = place.path(name);
        let path = path.to_str().expect("a path");
        for noun in ["storage", "plan"] {
            let ended = place.charon(&[noun, "add", "family", "--config", path]).await;
            assert_refused(&ended, &[words, path]);
        }
    }
    let missing = place.path("missing.json");
    let ended =
        place.charon(&["storage", "add", "family", "--config", missing.to_str().expect("a path")]).await;
    assert_refused(&ended, &["missing.json", "cannot be read", "No such file"]);
    let folder = place.path(".");
    let ended = place.charon(&["plan", "add", "family", "--config", folder.to_str().expect("a path")]).await;
    assert_refused(&ended, &["cannot be read", "directory"]);
    fs::write(place.path("latin1.json"), b"{\"client_id\": \"\xfc\"}").expect("a file");
    let latin1 = place.path("latin1.json");
    let ended =
        place.charon(&["storage", "add", "family", "--config", latin1.to_str().expect("a path")]).await;
    assert_refused(&ended, &["latin1.json", "UTF-8"]);
    place.assert_holds_no("storage").await;
    place.assert_holds_no("plan").await;
}

#[tokio::test]
async fn names_are_judged_and_the_names_that_people_use_are_taken() {
    let place = Place::new().await;
    let config = place.config();
    let too_long = "x".repeat(101);
    for name in
        ["", " ", "-family", " family", "family ", "a\nb", "a\tb", "a\u{1b}[31mb", "\u{7f}", &too_long]
    {
        let ended = place.charon_with(&["storage", "add", "--config", "-", "--", name], &config).await;
        assert_refused(&ended, &["is no name for a storage", "1 to 100 characters"]);
        assert!(!ended.stderr.contains('\u{1b}'), "a control character reaches the terminal: {ended:?}");
        let ended = place
            .charon_with(&["plan", "add", "--config", "-", "--", name], &place.backup_to("mirror"))
            .await;
        assert_refused(&ended, &["is no name for a plan"]);
    }
    place.assert_holds_no("storage").await;
    assert!(!place.path("mirror").exists(), "nothing was made");

    let good = ["family", "Großeltern & Kinder", "家族 📷", "a/b", "..", &too_long[..100]];
    for name in good {
        let ended = place.charon_with(&["storage", "add", name, "--config", "-"], &config).await;
        assert_eq!(ended.code, Some(0), "{ended:?}");
        let shown = place.charon(&["storage", "show", name, "--json"]).await;
        assert_eq!(shown.json()["name"], name);
        let ended = place.charon_with(&["storage", "add", name, "--config", "-"], &config).await;
        assert_refused(&ended, &[&format!("there is a storage named {name} already; choose another name")]);
    }
    place.add_plan("家族 📷", &place.backup_to("mirror")).await;
    let ended =
        place.charon_with(&["plan", "add", "家族 📷", "--config", "-"], &place.backup_to("mirror2")).await;
    assert_refused(&ended, &["there is a plan named 家族 📷 already"]);
    assert!(!place.path("mirror2").exists(), "nothing was made");
    let list = place.charon(&["storage", "list", "--json"]).await.json();
    assert_eq!(list.as_array().map(Vec::len), Some(good.len()));
}

#[tokio::test]
async fn a_wrong_field_of_a_plan_is_refused_with_its_name_and_what_would_be_right() {
    let place = Place::new().await;
    place.add_storage().await;
    fs::create_dir(place.path("pictures")).expect("a folder");
    fs::write(place.path("file"), "a file").expect("a file");
    let with = |mut config: Value, field: &str, value: Value| {
        config[field] = value;
        config
    };
    let (backup, upload) = (place.backup_to("mirror"), place.upload_from(&["pictures"]));
    for (config, words) in [
        (json!({}), &["kind: is missing: backup or upload"][..]),
        (json!({"kind": "sync"}), &["kind: is backup or upload, and not \"sync\""]),
        (json!({"kind": ["backup"]}), &["kind: is backup or upload"]),
        (json!({"kind": "backup"}), &["storage: is missing", "destination: is missing"]),
        (json!({"kind": "upload"}), &["storage: is missing", "sources: is missing"]),
        (
            with(backup.clone(), "destinaton", json!("x")),
            &["destinaton: is not a known field; did you mean destination?"],
        ),
        (
            with(backup.clone(), "sources", json!(["x"])),
            &["sources: is not a known field; the known ones are"],
        ),
        (with(backup.clone(), "destination", json!(5)), &["destination: must be text in quotes, and is 5"]),
        (with(backup.clone(), "destination", json!("")), &["destination: must name a folder, and is empty"]),
        (
            with(backup, "storage", json!("famly")),
            &["storage: there is no storage named famly; the only storage is family"],
        ),
        (with(upload.clone(), "sources", json!([])), &["sources: must not be empty"]),
        (
            with(upload.clone(), "sources", json!("/photos")),
            &["sources: must be a list in brackets [ ], and is \"/photos\""],
        ),
        (with(upload.clone(), "sources", json!([""])), &["sources: must name a folder, and is empty"]),
        (with(upload.clone(), "album", json!("")), &["album: must not be empty"]),
        (with(upload.clone(), "album", json!("  ")), &["album: must not be blank"]),
        (
            with(upload.clone(), "album", json!("a".repeat(501))),
            &["album: is too long: it has 501 characters, and 500 are the most"],
        ),
        (
            place.upload_from(&["nowhere"]),
            &["sources: the folder", "nowhere does not exist (is the disk mounted?)"],
        ),
        (place.upload_from(&["file"]), &["sources: the folder", "file is not a folder"]),
        (
            with(place.upload_from(&["nowhere", "file"]), "storage", json!("famly")),
            &["nowhere does not exist", "file is not a folder", "storage: there is no storage named famly"],
        ),
    ] {
        let ended = place.add_plan_from(&config).await;
        assert_refused(&ended, words);
        assert!(
            ended.stderr.starts_with("charon: the configuration of the plan plan is wrong:\n"),
            "{ended:?}"
        );
        assert!(ended.stderr.lines().all(|line| line.len() < 300), "a line is too long to read: {ended:?}");
    }
    place.assert_holds_no("plan").await;
    assert!(!place.path("mirror").exists(), "nothing was made");
    // The longest album title is right.
    place.add_plan("plan", &with(upload, "album", json!("ä".repeat(500)))).await;
}

#[tokio::test]
async fn a_folder_is_not_both_a_mirror_and_a_source_nor_the_mirror_of_two_plans() {
    // I11
    let place = Place::new().await;
    place.add_storage().await;
    place.add_plan("home", &place.backup_to("nas/mirror")).await;
    fs::create_dir_all(place.path("nas/mirror/photos/2020")).expect("a folder");
    fs::create_dir_all(place.path("pictures/summer")).expect("a folder");
    place.add_plan("out", &place.upload_from(&["pictures"])).await;

    for (config, words) in [
        (place.upload_from(&["nas/mirror"]), "sources: the folder"),
        (place.upload_from(&["nas/mirror/photos/2020"]), "lies within the mirror"),
        (
            place.upload_from(&["pictures", "nas/mirror/photos"]),
            "photos that came home must not be sent out again",
        ),
        (place.upload_from(&["nas"]), "holds the mirror"),
        (place.backup_to("nas/mirror"), "overlaps with the mirror"),
        (place.backup_to("nas/mirror/photos"), "overlaps with the mirror"),
        (place.backup_to("nas"), "of another plan; choose a folder of its own"),
        (place.backup_to("pictures/mirror"), "which an upload plan sends out"),
        (place.backup_to("pictures"), "which an upload plan sends out"),
        (place.backup_to("nas/../nas/mirror"), "overlaps with the mirror"),
    ] {
        assert_refused(&place.add_plan_from(&config).await, &[words]);
    }
    #[cfg(unix)]
    {
        std::os::unix::fs::symlink(place.path("nas/mirror"), place.path("link")).expect("a link");
        assert_refused(
            &place.add_plan_from(&place.upload_from(&["link"])).await,
            &["lies within the mirror"],
        );
        assert_refused(
            &place.add_plan_from(&place.backup_to("link/photos")).await,
            &["overlaps with the mirror"],
        );
    }
    // Another data directory knows nothing of that plan, but the mirror tells.
    for (config, words) in [
        (place.backup_to("nas/mirror"), "is the mirror of another plan"),
        (place.upload_from(&["nas/mirror/photos"]), "lies within the mirror"),
    ] {
        let other = place.path("other");
        let other = ["--data-dir", other.to_str().expect("a path")];
        let mut storage = place.elsewhere(&other, &["storage", "add", "family", "--config", "-"]);
        Place::give(&mut storage, &place.config()).await;
        let mut plan = place.elsewhere(&other, &["plan", "add", "plan", "--config", "-"]);
        assert_refused(&Place::give(&mut plan, &config).await, &[words]);
    }
    let plans = place.charon(&["plan", "list", "--json"]).await.json();
    assert_eq!(plans.as_array().map(Vec::len), Some(2), "nothing was stored");
}

#[tokio::test]
async fn a_destination_that_cannot_become_a_mirror_is_refused_and_left_as_it_is() {
    // I11
    let place = Place::new().await;
    place.add_storage().await;
    fs::create_dir(place.path("full")).expect("a folder");
    fs::write(place.path("full/letter.txt"), "a letter").expect("a file");
    fs::write(place.path("file"), "a file").expect("a file");
    for (destination, words) in [
        ("full", &["destination: ", "is not empty (it holds letter.txt); choose an empty folder"][..]),
        ("file", &["destination: ", "is not a folder"]),
        ("file/mirror", &["destination: ", "is not a folder"]),
    ] {
        assert_refused(&place.add_plan_from(&place.backup_to(destination)).await, words);
    }
    let unwritable = json!({"kind": "backup", "storage": "family", "destination": "/proc/mirror"});
    if cfg!(target_os = "linux") {
        assert_refused(
            &place.add_plan_from(&unwritable).await,
            &["destination: ", "/proc/mirror", "cannot be used"],
        );
    }
    place.assert_holds_no("plan").await;
    let left: Vec<_> = fs::read_dir(place.path("full")).expect("a folder").collect();
    assert_eq!(left.len(), 1, "{left:?}");

    // What a NAS or a file manager leaves in a new folder is not in the way.
    for litter in ["@eaDir", "lost+found", "#recycle"] {
        fs::create_dir_all(place.path("new").join(litter)).expect("a folder");
    }
    fs::write(place.path("new/.DS_Store"), "").expect("a file");
    place.add_plan("plan", &place.backup_to("new")).await;
}

#[tokio::test]
async fn an_upload_plan_cannot_use_a_storage_that_is_read_only() {
    let place = Place::new().await;
    place.add_storage_with(&json!({"read_only": true})).await;
    fs::create_dir(place.path("pictures")).expect("a folder");
    let ended = place.add_plan_from(&place.upload_from(&["pictures"])).await;
    assert_refused(&ended, &["storage: family takes no uploads (it is read-only)", "use another storage"]);
    place.assert_holds_no("plan").await;
    place.add_plan("home", &place.backup_to("mirror")).await;
}

/// What became of the files of an upload, beside the good ones.
async fn upload_beside_good_files(place: &Place) -> (i32, Value) {
    place.draw("good", 0..3);
    fs::create_dir_all(place.path("pictures")).expect("a folder");
    for (number, name) in [(0, "a first.jpg"), (1, "m middle.jpg"), (2, "z last.jpg")] {
        fs::write(place.path("pictures").join(name), picture(number)).expect("a picture");
    }
    place.add_upload().await;
    let (code, summary) = place.run("out").await;
    assert_eq!(summary["items"]["done"], 3, "{summary:#}");
    place.assert_account_holds("good", "Album");
    assert_eq!(place.world().item_count(), 3, "nothing else has arrived");
    (code, summary)
}

/// The reason that a summary tells for a file.
fn reason_for<'a>(summary: &'a Value, file: &str) -> &'a str {
    let errors = summary["errors"].as_array().expect("a list");
    let error = errors.iter().find(|error| error["item"] == file);
    let error = error.unwrap_or_else(|| panic!("{file} is not told: {summary:#}"));
    let path = error["path"].as_str().expect("a path");
    assert!(path.starts_with('/') && path.ends_with(file), "{path}");
    error["message"].as_str().expect("a message")
}

#[tokio::test]
async fn files_that_are_no_photos_fail_with_their_reason_and_the_good_ones_beside_them_arrive() {
    let place = Place::new().await;
    fs::create_dir_all(place.path("pictures/below")).expect("a folder");
    let file =
        |name: &str, bytes: &[u8]| fs::write(place.path("pictures").join(name), bytes).expect("a file");
    file("empty.jpg", b"");
    file("text.jpg", b"dear aunt,\nthe photos are lovely");
    file("page.png", b"<!DOCTYPE html><html><title>403</title></html>");
    file("archive.heic", b"PK\x03\x04\x14\0\0\0\x08\0and so on");
    file("noise.JPG", b"\x01\x02\x03\x04\xff\xfe\xfd\0\0\0 noise");
    file("below/empty.jpg", b"");

    let (code, summary) = upload_beside_good_files(&place).await;
    assert_eq!((code, &summary["state"]), (3, &json!("partial")), "{summary:#}");
    assert_eq!(summary["items"]["failed"], 6, "{summary:#}");
    for (name, words) in [
        ("empty.jpg", "empty (zero bytes)"),
        ("text.jpg", "its content is text; nothing of it was sent"),
        ("page.png", "its content is text"),
        ("archive.heic", "its content is an archive"),
        ("noise.JPG", "no picture or video that Charon knows"),
    ] {
        let reason = reason_for(&summary, name);
        assert!(reason.contains(words), "{name}: {reason}");
    }
    let told = place.charon(&["run", "out"]).await;
    assert_eq!(told.code, Some(3), "{told:?}");
    let below = place.path("pictures/below/empty.jpg");
    assert!(told.stdout.contains(&*below.to_string_lossy()), "which of the two is meant: {}", told.stdout);
    assert_eq!(place.count("uploads"), 3, "what is refused costs no request");
}

#[tokio::test]
async fn files_that_are_not_for_the_storage_are_skipped_and_counted_with_their_reasons() {
    // I9
    let place = Place::new().await;
    for folder in
        ["pictures/@eaDir/a first.jpg", "pictures/.thumbnails", "pictures/.hidden", "pictures/#recycle"]
    {
        fs::create_dir_all(place.path(folder)).expect("a folder");
        fs::write(place.path(folder).join("SYNOPHOTO_THUMB_M.jpg"), picture(9)).expect("a picture");
    }
    fs::write(place.path("pictures/notes.txt"), "notes").expect("a file");
    fs::write(place.path("pictures/no extension"), picture(8)).expect("a file");
    fs::write(place.path("pictures/._a first.jpg"), "AppleDouble").expect("a file");

    let (code, summary) = upload_beside_good_files(&place).await;
    assert_eq!((code, &summary["state"]), (0, &json!("succeeded")), "{summary:#}");
    assert_eq!(summary["items"]["skipped"], 7, "{summary:#}");
    assert_eq!(
        summary["skipped"],
        json!({
            "a folder of thumbnails or rubbish": 3,
            "a hidden file": 1,
            "a hidden folder": 1,
            "not a photo or video that the storage takes": 2,
        })
    );
    let told = place.charon(&["run", "out"]).await;
    assert!(told.stdout.contains("skipped: 2 × not a photo or video that the storage takes"), "{told:?}");
}

#[cfg(unix)]
#[tokio::test]
async fn links_and_pipes_are_skipped_and_nothing_hangs() {
    use std::os::unix::fs::symlink;
    let place = Place::new().await;
    fs::create_dir_all(place.path("pictures")).expect("a folder");
    fs::create_dir_all(place.path("elsewhere")).expect("a folder");
    fs::write(place.path("elsewhere/other.jpg"), picture(9)).expect("a picture");
    symlink(place.path("elsewhere/other.jpg"), place.path("pictures/file.jpg")).expect("a link");
    symlink(place.path("elsewhere"), place.path("pictures/folder")).expect("a link");
    symlink(place.path("pictures"), place.path("pictures/loop")).expect("a link");
    symlink(place.path("nowhere"), place.path("pictures/broken.jpg")).expect("a link");
    let made = std::process::Command::new("mkfifo").arg(place.path("pictures/x.jpg")).status();
    assert!(made.expect("mkfifo").success());

    let (code, summary) = upload_beside_good_files(&place).await;
    assert_eq!((code, &summary["state"]), (0, &json!("succeeded")), "{summary:#}");
    assert_eq!(summary["skipped"], json!({"a symbolic link": 4, "not a regular file": 1}));
}

#[cfg(unix)]
#[tokio::test]
async fn a_source_may_itself_be_a_link() {
    let place = Place::new().await;
    place.draw("elsewhere", 0..2);
    std::os::unix::fs::symlink(place.path("elsewhere"), place.path("pictures")).expect("a link");
    place.add_upload().await;
    let (code, summary) = place.run("out").await;
    assert_eq!((code, &summary["items"]["done"]), (0, &json!(2)), "{summary:#}");
    place.assert_account_holds("elsewhere", "Album");
}

#[cfg(unix)]
#[tokio::test]
async fn a_file_or_folder_that_may_not_be_read_fails_with_its_reason() {
    use std::os::unix::fs::PermissionsExt;
    let place = Place::new().await;
    fs::create_dir_all(place.path("pictures/closed")).expect("a folder");
    let shut = |path: &str, mode| {
        fs::set_permissions(place.path(path), fs::Permissions::from_mode(mode)).expect("chmod");
    };
    fs::write(place.path("pictures/private.jpg"), picture(9)).expect("a picture");
    shut("pictures/private.jpg", 0o000);
    if fs::read(place.path("pictures/private.jpg")).is_ok() {
        eprintln!("skipped: this user reads every file, whatever its permissions");
        return;
    }
    shut("pictures/closed", 0o000);
    let (code, summary) = upload_beside_good_files(&place).await;
    shut("pictures/closed", 0o700);
    assert_eq!((code, &summary["state"]), (3, &json!("partial")), "{summary:#}");
    for name in ["private.jpg", "closed"] {
        let reason = reason_for(&summary, name);
        assert!(reason.contains("cannot be read: Permission denied"), "{reason}");
    }
}

#[cfg(target_os = "linux")]
#[tokio::test]
async fn files_whose_names_are_not_unicode_arrive_once() {
    use std::{ffi::OsStr, os::unix::ffi::OsStrExt};
    let place = Place::new().await;
    let odd = |name: &'static [u8]| place.path("pictures").join(OsStr::from_bytes(name));
    fs::create_dir_all(odd(b"caf\xe9")).expect("a folder");
    fs::write(odd(b"K\xf6ln.jpg"), picture(1)).expect("a picture");
    fs::write(odd(b"K\xfcln.jpg"), picture(2)).expect("a picture");
    fs::write(odd(b"caf\xe9/tasse.jpg"), picture(3)).expect("a picture");
    fs::write(odd(b"caf\xe9/leer.jpg"), b"").expect("a file");
    place.add_upload().await;
    let (code, summary) = place.run("out").await;
    assert_eq!((code, &summary["items"]["done"]), (3, &json!(3)), "{summary:#}");
    assert_eq!(summary["errors"][0]["item"], "leer.jpg");
    let names: Vec<String> = place.world().items().into_iter().map(|item| item.filename).collect();
    assert!(names.contains(&"tasse.jpg".to_owned()), "{names:?}");
    place.world().reset_stats();
    let (_, summary) = place.run("out").await;
    assert_eq!(summary["items"]["unchanged"], 3, "{summary:#}");
    assert_eq!(place.count("uploads"), 0);
}

#[tokio::test]
async fn a_source_that_is_not_there_any_more_stops_the_run_before_it_does_anything() {
    // I11
    let place = Place::new().await;
    place.draw("pictures", 0..2);
    place.add_upload().await;
    fs::remove_dir_all(place.path("pictures")).expect("removed");
    let (code, summary) = place.run("out").await;
    assert_eq!((code, &summary["state"]), (1, &json!("failed")), "{summary:#}");
    let message = summary["errors"][0]["message"].as_str().expect("a message");
    assert!(
        message.contains("pictures does not exist (is the disk mounted?); nothing was sent"),
        "{message}"
    );
    assert_eq!(summary["requests"], 0);
}
