//! The budget from outside: what the program counts is what the server sees, and no more of it than it may be.

use gphotos_emulator::Settings;
use jiff::Timestamp;
use serde_json::{Value, json};

use crate::support::Place;

impl Place {
    /// What `charon budget` tells of a meter.
    async fn budget(&self, meter: &str) -> Value {
        let budget = self.done(&["budget", "--json"]).await.json();
        let views = budget.as_array().expect("a list");
        views.iter().find(|view| view["meter"] == meter).expect("the meter").clone()
    }

    /// Adds a plan that sends another folder to the same storage, with no album.
    async fn add_another_upload(&self, name: &str, folder: &str) {
        let plan = json!({"kind": "upload", "storage": "family", "sources": [self.path(folder)]});
        self.add_plan(name, &plan).await;
    }
}

#[tokio::test]
async fn an_upload_makes_as_many_requests_as_the_day_has_for_runs_and_none_that_is_not_committed() {
    // I7
    let place =
        Place::with(Settings { keep_bytes: true, requests_per_day: Some(40), ..Settings::default() }).await;
    place.draw("pictures", 0..60);
    place.draw("more", 100..103);
    place.add_storage_with(&json!({"daily_requests": 40, "batch_size": 10})).await;
    place.add_another_upload("out", "pictures").await;
    place.add_another_upload("more", "more").await;
    let told = place.done(&["plan", "preview", "out"]).await.stdout;
    assert!(told.starts_with("out: 60 items, 66 requests, about 3 days"), "{told}");
    assert!(told.contains("requests of api: 66, of which 30 are left for runs today"), "{told}");

    let (code, summary) = place.run("out").await;
    assert_eq!((code, &summary["state"]), (4, &json!("parked")), "{summary:#}");
    assert_eq!(summary["errors"][0]["class"], "quota");
    let why = summary["errors"][0]["message"].as_str().expect("words");
    assert!(why.contains("are kept for your own use; the count starts again at"), "{why}");
    // A quarter of forty is kept: thirty are 27 files and their commits.
    let stats = place.world().stats();
    assert_eq!((stats.count("uploads"), stats.count("mediaItems.batchCreate")), (27, 3), "{stats:?}");
    assert_eq!(stats.api_requests, 30, "{stats:?}");
    assert_eq!((&summary["items"]["done"], place.world().item_count()), (&json!(27), 27));
    let budget = place.budget("api").await;
    let (used, left) = (budget["used"].as_u64(), budget["left_for_runs"].as_u64());
    assert_eq!((used, left, &budget["reserve"]), (Some(30), Some(0), &json!(10)), "{budget:#}");
    assert_eq!((&budget["limit"], &budget["spent_by_server"]), (&json!(40), &json!(false)), "{budget:#}");
    assert_eq!((&budget["account"], &budget["storages"]), (&json!("123456789"), &json!(["family"])));
    let resets_at: Timestamp = budget["resets_at"].as_str().expect("a time").parse().expect("a time");
    assert!(resets_at > place.world().now());
    assert_eq!(summary["parked_until"], budget["resets_at"]);

    // Another plan on the project, and the same one again, ask for nothing.
    for plan in ["more", "out"] {
        let (code, summary) = place.run(plan).await;
        let asked = if plan == "out" { 30 } else { 0 };
        assert_eq!((code, &summary["requests"]), (4, &json!(asked)), "{summary:#}");
    }
    assert_eq!(place.world().stats().api_requests, 30);
    // A person is served, from what is kept.
    place.test_passes().await;
    let asked = place.world().stats().api_requests;
    assert!(asked > 30 && asked <= 40, "{asked}");
    assert_eq!(place.budget("api").await["used"].as_u64(), Some(asked));
    let told = place.done(&["budget"]).await.stdout;
    assert!(told.starts_with("PROJECT    METER  PER DAY  USED TODAY"), "{told}");
}

#[tokio::test]
async fn a_backup_fetches_as_many_as_the_day_has_for_runs() {
    // I7
    let place =
        Place::with(Settings { keep_bytes: true, media_requests_per_day: Some(40), ..Settings::default() })
            .await;
    place.seed(100);
    place.add_backup_with(&json!({"daily_downloads": 40})).await;
    let (code, summary) = place.run("home").await;
    assert_eq!((code, &summary["items"]["done"]), (4, &json!(30)), "{summary:#}");
    assert_eq!(place.world().stats().media_requests, 30);
    assert_eq!(place.mirrored().len(), 30, "nothing that came was dropped");
    let budget = place.budget("media").await;
    assert_eq!((&budget["used"], &budget["left_for_runs"]), (&json!(30), &json!(0)), "{budget:#}");
    let budget = place.budget("api").await;
    assert_eq!(budget["used"].as_u64(), Some(place.world().stats().api_requests), "{budget:#}");
}

#[tokio::test]
async fn a_day_that_another_program_has_used_up_is_not_asked_for_again() {
    // I7
    let place =
        Place::with(Settings { keep_bytes: true, requests_per_day: Some(20), ..Settings::default() }).await;
    place.draw("pictures", 0..60);
    place.draw("more", 100..103);
    place.add_storage_with(&json!({"daily_requests": 1_000})).await;
    place.add_another_upload("out", "pictures").await;
    place.add_another_upload("more", "more").await;
    let (code, summary) = place.run("out").await;
    assert_eq!((code, &summary["errors"][0]["class"]), (4, &json!("quota")), "{summary:#}");
    let until: Timestamp = summary["parked_until"].as_str().expect("a time").parse().expect("a time");
    if until.duration_since(place.world().now()) < jiff::SignedDuration::from_mins(16) {
        // The day is so young that it is asked again soon: nothing to be seen here.
        return;
    }
    assert_eq!(place.budget("api").await["spent_by_server"], true);
    let asked = place.world().stats();
    let (code, summary) = place.run("more").await;
    assert_eq!((code, &summary["requests"]), (4, &json!(0)), "{summary:#}");
    assert_eq!(place.world().stats().count("uploads"), asked.count("uploads"));
    let told = place.done(&["budget"]).await.stdout;
    assert!(told.contains("0 (says the server)"), "{told}");
}

#[tokio::test]
async fn a_budget_of_nothing_says_what_to_do() {
    let place = Place::new().await;
    let told = place.done(&["budget"]).await.stdout;
    assert!(told.contains("charon storage add"), "{told}");
}
