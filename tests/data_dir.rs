//! The data directory: where it is, its key, its database.

use std::{fs, path::Path};

use serde_json::json;

use crate::{
    command_line::assert_failed,
    support::{Ended, Place},
};

impl Place {
    /// Runs the program without `--data-dir`, in this environment.
    async fn in_environment(&self, environment: &[(&str, &Path)], arguments: &[&str]) -> Ended {
        let mut command = self.elsewhere(&[], arguments);
        command.envs(environment.iter().copied());
        command.output().await.expect("the program runs").into()
    }
}

#[tokio::test]
async fn the_data_directory_is_where_the_environment_says() {
    let place = Place::new().await;
    let list = ["storage", "list"];
    let (xdg, named, home) = (place.path("xdg"), place.path("named"), place.path("home"));
    for (environment, data_dir) in [
        (vec![("XDG_DATA_HOME", xdg.as_path())], xdg.join("charon")),
        (vec![("CHARON_DATA_DIR", named.as_path()), ("XDG_DATA_HOME", Path::new("/nowhere"))], named.clone()),
        (vec![], home.join(".local/share/charon")),
        // The specification says to ignore a relative path.
        (vec![("XDG_DATA_HOME", Path::new("relative"))], home.join(".local/share/charon")),
    ] {
        let ended = place.in_environment(&environment, &list).await;
        assert_eq!(ended.code, Some(0), "{ended:?}");
        assert!(data_dir.join("charon.db").is_file(), "{environment:?}");
        fs::remove_dir_all(&data_dir).expect("it is there");
    }
    assert!(!place.path("relative").exists());
    let ended =
        place.elsewhere(&["--data-dir", "given"], &list).env("CHARON_DATA_DIR", &named).output().await;
    assert!(ended.expect("it runs").status.success());
    assert!(place.path("given/charon.db").is_file() && !named.exists(), "the flag has the last word");
}

#[cfg(unix)]
#[tokio::test]
async fn the_data_directory_and_the_key_are_for_their_owner_alone() {
    // I6
    use std::os::unix::fs::PermissionsExt;
    let place = Place::new().await;
    place.add_storage().await;
    let mode = |path: &Path| fs::metadata(path).expect("it is there").permissions().mode() & 0o777;
    assert_eq!(mode(&place.data_dir()), 0o700);
    assert_eq!(mode(&place.data_dir().join("charon.key")), 0o600);
    fs::set_permissions(place.data_dir().join("charon.key"), fs::Permissions::from_mode(0o640))
        .expect("chmod");
    let ended = place.charon(&["storage", "list"]).await;
    assert_failed(&ended, 1, &["charon.key can be read by others (mode 640): run `chmod 600` on it"]);
}

#[tokio::test]
async fn the_key_file_may_be_elsewhere() {
    let place = Place::new().await;
    let key = place.path("a key");
    let add = ["storage", "add", "family", "--config", "-"];
    let ended = Place::give(place.command(&add).env("CHARON_KEY_FILE", &key), &place.config()).await;
    assert_eq!(ended.code, Some(0), "{ended:?}");
    assert_eq!(fs::read(&key).expect("the key").len(), 32);
    assert!(!place.data_dir().join("charon.key").exists());
    let show = ["storage", "show", "family", "--key-file", key.to_str().expect("a path")];
    place.done(&show).await;
    let ended = place.charon(&["storage", "show", "family"]).await;
    assert_failed(&ended, 1, &["charon.key is not there", "set CHARON_KEY_FILE to where it is"]);
}

#[tokio::test]
async fn a_key_that_is_missing_or_wrong_is_told_and_nothing_is_lost() {
    // I6
    let place = Place::new().await;
    place.add_storage().await;
    let key = place.data_dir().join("charon.key");
    let right = fs::read(&key).expect("the key");
    fs::remove_file(&key).expect("removed");
    for arguments in
        [&["storage", "list"][..], &["storage", "show", "family"], &["storage", "test", "family"]]
    {
        let ended = place.charon(arguments).await;
        assert_failed(
            &ended,
            1,
            &["charon.key is not there, and the stored secrets do not open without it: put it back"],
        );
        assert!(!key.exists(), "no new key hides that the old one is missing");
    }
    let put = |bytes: &[u8]| {
        fs::write(&key, bytes).expect("a key");
        #[cfg(unix)]
        fs::set_permissions(&key, std::os::unix::fs::PermissionsExt::from_mode(0o600)).expect("chmod");
    };
    put(&right[..31]);
    let ended = place.charon(&["storage", "show", "family"]).await;
    assert_failed(&ended, 1, &["charon.key holds 31 bytes and not 32: put the right file back"]);
    put(&[7; 32]);
    let ended = place.charon(&["storage", "show", "family"]).await;
    assert_failed(&ended, 1, &["charon.key does not open the stored secrets: put the right key file back"]);
    put(&right);
    place.done(&["storage", "test", "family"]).await;
}

#[tokio::test]
async fn a_database_that_is_none_is_refused_and_left_as_it_is() {
    let place = Place::new().await;
    let letter = "this is a letter to my aunt, and no database at all; ".repeat(40);
    fs::create_dir(place.data_dir()).expect("a folder");
    let database = place.data_dir().join("charon.db");
    fs::write(&database, &letter).expect("a file");
    let ended = place.charon(&["storage", "list"]).await;
    assert_failed(&ended, 1, &["the database", "charon.db cannot be used", "is it a Charon database"]);
    assert_eq!(fs::read_to_string(&database).expect("the file"), letter);

    fs::write(place.path("file"), "a file").expect("a file");
    for data_dir in ["file", "file/data"] {
        let ended: Ended =
            place.elsewhere(&["--data-dir", data_dir], &["runs"]).output().await.expect("it runs").into();
        assert_failed(&ended, 1, &["the data directory file", "is not a folder"]);
    }
}

#[tokio::test]
async fn a_wrong_key_is_cured_by_entering_the_secrets_again() {
    let place = Place::new().await;
    place.seed(2);
    place.add_backup().await;
    fs::write(place.data_dir().join("charon.key"), [7; 32]).expect("another key");
    let ended = place.charon(&["run", "home", "--json"]).await;
    assert_eq!((ended.code, &ended.json()["state"]), (Some(1), &json!("failed")), "{ended:?}");
    let message = ended.json()["errors"][0]["message"].clone();
    assert!(message.as_str().is_some_and(|why| why.contains("enter the secrets again")), "{ended:?}");

    let ended = place.charon_with(&["storage", "update", "family", "--config", "-"], &place.config()).await;
    assert_eq!(ended.code, Some(0), "{ended:?}");
    assert_eq!(place.run("home").await.0, 0);
}
