//! Paths that lead elsewhere: in addresses, in what a form may name.

use std::fs;

use serde_json::{Value, json};

use super::raw::Served;
use crate::support::Place;

/// What an address must not lead to.
const MARK: &str = "the content of a file that nobody may see";

#[tokio::test]
async fn no_address_leads_to_a_file_that_is_not_ours() {
    let place = Place::new().await;
    fs::write(place.path("secret.jpg"), MARK).expect("a file");
    place.seed(2);
    place.add_backup().await;
    assert_eq!(place.run("home").await.0, 0);
    let served = place.serve_with_password(&[]).await;
    let (_, admin) = served.token("admin").await;
    let plan = place.charon(&["plan", "show", "home", "--json"]).await.json()["id"]
        .as_str()
        .expect("an id")
        .to_owned();
    let (cookie, _) = served.session().await;
    let secret = place.path("secret.jpg").display().to_string();
    let mut ways = vec![secret.clone(), secret.replace('/', "%2F")];
    for up in [
        "../",
        "..%2F",
        "%2e%2e/",
        "%2E%2E%2F",
        "..%5C",
        "%252e%252e%252f",
        "....//",
        "..;/",
        "%c0%ae%c0%ae/",
    ] {
        for depth in [1, 3, 12] {
            ways.push(format!("{}secret.jpg", up.repeat(depth)));
            ways.push(format!("{}etc/passwd", up.repeat(depth)));
            ways.push(format!("{}data/charon.key", up.repeat(depth)));
        }
    }
    let key = fs::read(place.data_dir().join("charon.key")).expect("the key");
    for way in &ways {
        for before in [
            "/".to_owned(),
            "/assets/".into(),
            format!("/library/{plan}/"),
            format!("/api/v1/plans/{plan}/items/"),
            "/api/v1/plans/".into(),
            "/api/v1/runs/".into(),
            "/api/v1/storages/".into(),
        ] {
            for behind in ["", "/original", "/thumbnail"] {
                let path = format!("{before}{way}{behind}");
                for fields in [[("Authorization", admin.as_str())], [("Cookie", cookie.as_str())]] {
                    let answer = served.ask("GET", &path, &fields, "").await;
                    assert!((300..500).contains(&answer.status), "{path}: {answer:?}");
                    assert!(
                        !answer.body.contains(MARK) && !answer.body.contains("root:"),
                        "{path}: {answer:?}"
                    );
                    assert!(!answer.body.contains(&*String::from_utf8_lossy(&key)), "{path}");
                }
            }
        }
    }
}

#[tokio::test]
async fn folders_outside_the_roots_are_neither_named_nor_seen() {
    let place = Place::new().await;
    for folder in ["photos/summer", "private/diary", "home"] {
        fs::create_dir_all(place.path(folder)).expect("a folder");
    }
    std::os::unix::fs::symlink(place.path("private"), place.path("photos/out")).expect("a link");
    std::os::unix::fs::symlink(place.path("private/new"), place.path("photos/dangling")).expect("a link");
    place.add_storage().await;
    let root = place.path("photos").display().to_string();
    let served = place.serve_with_password(&["--root", &root]).await;
    let (_, admin) = served.token("admin").await;
    let at = |path: &str| place.path(path).display().to_string();
    let outside = [
        at("private"),
        at("private/diary"),
        at("photos/../private"),
        at("photos/summer/../../private"),
        at("photos/out"),
        at("photos/out/diary"),
        at("photos/dangling"),
        at("photos2"),
        at("data"),
        "/".into(),
        "/etc".into(),
        "/proc/self/root/etc".into(),
        "relative".into(),
        "../private".into(),
        "~/private".into(),
        String::new(),
        format!("{}\0", at("photos/summer")),
    ];
    for path in &outside {
        let folders = folders(&served, &admin, path).await;
        assert!(folders.0 >= 400 && folders.0 < 500, "{path:?}: {folders:?}");
        assert!(!folders.1.to_string().contains("diary\""), "{path:?}: {folders:?}");
        for config in [
            json!({"kind": "backup", "storage": "family", "destination": path}),
            json!({"kind": "upload", "storage": "family", "sources": [path], "album": "Album"}),
        ] {
            let (status, answer) = add_plan(&served, &admin, &config).await;
            assert_eq!(status, 422, "{path:?}: {answer}");
            assert!(
                answer["errors"][0]["pointer"]
                    .as_str()
                    .is_some_and(|at| at.contains("destination") || at.contains("sources"))
            );
        }
    }
    // Below the root it goes.
    assert_eq!(folders(&served, &admin, &at("photos/summer")).await.0, 200);
    let (status, listed) = folders(&served, &admin, &at("photos")).await;
    let names: Vec<_> =
        listed["folders"].as_array().expect("folders").iter().map(|one| one["name"].clone()).collect();
    assert_eq!((status, names), (200, vec![json!("summer")]), "{listed}");
    let config = json!({"kind": "backup", "storage": "family", "destination": at("photos/mirror")});
    let (status, answer) = add_plan(&served, &admin, &config).await;
    assert_eq!(status, 201, "{answer}");
    // Nor may commands be set that the machine would run.
    let command = json!({"kind": "backup", "storage": "family", "destination": at("photos/other"), "commands": {"before": "id"}});
    let (status, answer) = add_plan(&served, &admin, &command).await;
    assert_eq!(status, 422, "{answer}");
    assert_eq!(answer["errors"][0]["pointer"], "/config/commands", "{answer}");
    assert!(
        !place.path("private/new").exists() && !place.path("photos2").exists(),
        "nothing was made outside"
    );
}

async fn folders(served: &Served, token: &str, path: &str) -> (u16, Value) {
    let encoded: String = url::form_urlencoded::byte_serialize(path.as_bytes()).collect();
    let answer =
        served.ask("GET", &format!("/api/v1/folders?path={encoded}"), &[("Authorization", token)], "").await;
    (answer.status, answer.json())
}

async fn add_plan(served: &Served, token: &str, config: &Value) -> (u16, Value) {
    let fields = [("Authorization", token), ("Content-Type", "application/json")];
    let body = json!({"name": "of theirs", "config": config}).to_string();
    let answer = served.ask("POST", "/api/v1/plans", &fields, &body).await;
    (answer.status, answer.json())
}
