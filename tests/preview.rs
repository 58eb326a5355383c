//! What a run would cost, told before it, and what it left out, told after it.

use std::fs;

use serde_json::{Value, json};

use crate::{command_line::assert_failed, support::Place};

impl Place {
    async fn preview(&self, plan: &str) -> Value {
        self.done(&["plan", "preview", plan, "--json"]).await.json()
    }

    /// Runs a plan and checks that it took what the estimate said, by its own count and by the server's. An estimate counts a
    /// full listing, since nobody knows beforehand where a quick one may stop.
    async fn run_as_estimated(&self, plan: &str, estimate: &Value, of_the_api: &[&str]) -> Value {
        let before = self.world().stats();
        let summary = self.done(&["run", plan, "--full", "--json"]).await.json();
        let after = self.world().stats();
        assert_eq!(summary["items"]["done"], estimate["new"], "{estimate:#} {summary:#}");
        for (meter, count) in estimate["requests"].as_object().expect("meters") {
            let used = summary["requests_by_meter"].get(meter).cloned().unwrap_or_else(|| json!(0));
            assert_eq!(&used, count, "{meter}: {estimate:#} {summary:#}");
        }
        let counted: u64 = of_the_api.iter().map(|method| after.count(method) - before.count(method)).sum();
        let estimated = estimate["requests"]["api"].as_u64().unwrap_or_default();
        assert_eq!(counted, estimated, "{estimate:#} {summary:#} {after:?}");
        summary
    }
}

const OF_A_BACKUP: [&str; 4] = ["mediaItems.list", "mediaItems.search", "mediaItems.batchGet", "albums.list"];
const OF_AN_UPLOAD: [&str; 5] =
    ["uploads", "mediaItems.batchCreate", "albums.list", "albums.create", "albums.batchAddMediaItems"];

#[tokio::test]
async fn a_backup_takes_what_its_preview_says() {
    let place = Place::new().await;
    place.seed(230);
    place.add_backup().await;
    let estimate = place.preview("home").await;
    assert_eq!(
        (&estimate["items"], &estimate["new"], &estimate["days"]),
        (&json!(230), &json!(230), &json!(1))
    );
    assert!(place.mirrored().is_empty(), "nothing is moved");
    let mut dry = place.done(&["run", "home", "--dry-run", "--json"]).await.json();
    // An estimate is counted too.
    let left = |estimate: &Value| estimate["requests_left_today"]["api"].as_u64();
    assert_eq!(left(&dry), left(&estimate).map(|left| left - 4), "{dry:#}");
    dry["requests_left_today"] = estimate["requests_left_today"].clone();
    assert_eq!(dry, estimate);
    assert!(place.runs().await.is_empty(), "an estimate is no run");
    let before = place.count("media.bytes");
    place.run_as_estimated("home", &estimate, &OF_A_BACKUP).await;
    assert_eq!(place.count("media.bytes") - before, 230);

    // What is home already costs nothing but the listing.
    let estimate = place.preview("home").await;
    assert_eq!(estimate["new"], 0, "{estimate:#}");
    place.run_as_estimated("home", &estimate, &OF_A_BACKUP).await;
    place.seed(7);
    let estimate = place.preview("home").await;
    place.run_as_estimated("home", &estimate, &OF_A_BACKUP).await;
}

#[tokio::test]
async fn an_upload_takes_what_its_preview_says() {
    let place = Place::new().await;
    place.add_upload().await;
    place.draw("pictures", 0..60);
    let estimate = place.preview("out").await;
    assert_eq!((&estimate["items"], &estimate["new"]), (&json!(60), &json!(60)), "{estimate:#}");
    let bytes: u64 = fs::read_dir(place.path("pictures"))
        .expect("a folder")
        .map(|entry| entry.and_then(|entry| entry.metadata()).expect("a file").len())
        .sum();
    assert_eq!(estimate["bytes"], bytes);
    assert_eq!(place.world().item_count(), 0, "nothing is sent");
    place.run_as_estimated("out", &estimate, &OF_AN_UPLOAD).await;
    let estimate = place.preview("out").await;
    assert_eq!(estimate["new"], 0, "{estimate:#}");
    place.run_as_estimated("out", &estimate, &OF_AN_UPLOAD).await;
}

#[tokio::test]
async fn people_are_told_the_estimate_in_a_sentence() {
    let place = Place::new().await;
    place.seed(1_250);
    place.add_backup_with(&json!({"daily_downloads": 500})).await;
    for arguments in [&["plan", "preview", "home"][..], &["run", "home", "--dry-run"]] {
        let told = place.done(arguments).await.stdout;
        // Of 500 a day, runs have 480; a page has a hundred items. The albums and the favourites have a page each.
        assert!(
            told.starts_with("home: 1,250 items, 1,265 requests, about 3 days\n  to be moved: 1,250"),
            "{told}"
        );
        assert!(
            told.contains("by the daily limit of media") && told.contains("This is an estimate"),
            "{told}"
        );
    }
    assert_failed(&place.charon(&["plan", "preview", "hom"]).await, 1, &["there is no plan named hom"]);
    assert_failed(&place.charon(&["run", "home", "--dry-run", "--full"]).await, 2, &["--full"]);
}

#[tokio::test]
async fn a_full_listing_can_be_asked_for() {
    let place = Place::new().await;
    place.seed(450);
    place.add_backup().await;
    let pages = async |arguments: &[&str]| {
        let before = place.count("mediaItems.list") + place.count("mediaItems.search");
        let summary = place.done(arguments).await.json();
        (
            place.count("mediaItems.list") + place.count("mediaItems.search") - before,
            summary["listing"].clone(),
        )
    };
    let (all, first) = pages(&["run", "home", "--json"]).await;
    let (few, second) = pages(&["run", "home", "--json"]).await;
    let (again, third) = pages(&["run", "home", "--full", "--json"]).await;
    assert_eq!((first, second, third), (json!("full"), json!("quick"), json!("full")));
    assert!(few < all && again == all, "{all} pages, then {few}, then {again}");
    let told = place.done(&["run", "home"]).await.stdout;
    assert!(told.contains("a quick listing"), "{told}");
    let told = place.done(&["run", "home", "--full"]).await.stdout;
    assert!(told.contains("a full listing"), "{told}");
}

#[tokio::test]
async fn what_was_left_out_is_told_with_the_way_to_include_it() {
    let place = Place::new().await;
    place.seed(4);
    place.add_backup_with(&json!({"start_year": 2100})).await;
    let told = place.done(&["run", "home", "--full"]).await.stdout;
    assert!(told.contains("skipped: 4 × before start_year"), "{told}");
    assert!(told.contains("hint: 4 items were taken before 2100"), "{told}");
    let summary = place.done(&["run", "home", "--full", "--json"]).await.json();
    assert_eq!(summary["skipped"], json!({"before start_year": 4}));
    assert!(summary["hints"][0].as_str().is_some_and(|hint| hint.contains("start_year")), "{summary:#}");
}

#[tokio::test]
async fn an_album_that_is_listed_can_be_chosen_by_its_id() {
    let place = Place::new().await;
    place.draw("pictures", 0..3);
    place.add_upload().await;
    assert_eq!(place.run("out").await.0, 0);
    place.seed(5);
    let albums = place.done(&["storage", "albums", "family", "--json"]).await.json();
    let plan = json!({"kind": "backup", "storage": "family", "destination": place.path("mirror"),
        "selection": {"albums": [albums[0]["id"]]}});
    place.add_plan("home", &plan).await;
    let (code, summary) = place.run("home").await;
    assert_eq!((code, &summary["items"]["done"]), (0, &json!(3)), "{summary:#}");
}

#[tokio::test]
async fn how_true_the_copies_are_is_told() {
    let place = Place::new().await;
    place.seed(3);
    place.add_backup().await;
    let told = place.done(&["run", "home"]).await.stdout;
    assert!(told.contains("fidelity: 3 × api-copy"), "{told}");
}

#[tokio::test]
async fn a_mirror_that_is_not_mounted_is_told_and_nothing_is_estimated() {
    // I11
    let place = Place::new().await;
    place.seed(3);
    place.add_backup().await;
    assert_eq!(place.run("home").await.0, 0);
    place.world().reset_stats();
    fs::rename(place.path("mirror"), place.path("disk")).expect("unmounted");
    for arguments in [&["plan", "preview", "home"][..], &["run", "home", "--dry-run"]] {
        assert_failed(&place.charon(arguments).await, 1, &["is the disk mounted?"]);
    }
    assert!(!place.path("mirror").exists(), "nothing is made");
    assert_eq!(place.world().stats().api_requests, 0);
}

#[tokio::test]
async fn a_plan_tells_how_often_it_lists_everything() {
    let place = Place::new().await;
    place.add_storage().await;
    for (hours, words) in [
        (0, "every listing goes to the end"),
        (1, "to the end every hour\n"),
        (48, "to the end every 48 hours"),
    ] {
        let name = format!("plan {hours}");
        let plan = json!({"kind": "backup", "storage": "family", "destination": place.path(&name),
            "full_listing_hours": hours});
        place.add_plan(&name, &plan).await;
        let told = place.done(&["plan", "show", &name]).await.stdout;
        assert!(told.contains(words), "{told}");
    }
}
