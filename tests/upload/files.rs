//! Files that are equal, that vanish, and what is written beside them.

use std::fs;

use gphotos_emulator::{Action, Fault};
use serde_json::json;

use super::{counts, succeeds};
use crate::support::{Place, picture};

#[tokio::test]
async fn when_the_first_of_several_equal_files_vanishes_the_next_takes_its_place() {
    // I9
    let place = Place::new().await;
    place.add_upload_with(&json!({"connections": 1})).await;
    let path = |name: &str| place.path("pictures").join(name);
    for (name, number) in [("a1", 1), ("a2", 1), ("a3", 1), ("b1", 2), ("b2", 2), ("b3", 2)] {
        fs::write(path(&format!("{name}.jpg")), picture(number)).expect("a picture");
    }
    // One of them holds the only connection for a while, and the other has not been opened.
    place.fault(Fault::once(Action::Latency { ms: 600 }).on(&["uploads"]));
    let vanish = async {
        place.until("the first upload", |stats| stats.count("uploads") == 1).await;
        fs::remove_file(path("a1.jpg"))
            .and_then(|()| fs::remove_file(path("b1.jpg")))
            .expect("they were there");
    };
    let ((code, summary), ()) = tokio::join!(place.run("out"), vanish);
    assert_eq!(code, 3, "{summary:#}");
    let count = |name: &str| summary["items"][name].as_u64().expect("a count");
    assert_eq!((count("done"), count("unchanged") + count("failed")), (2, 4), "{summary:#}");
    assert!((1..=2).contains(&count("failed")), "{summary:#}");
    let message = summary["errors"][0]["message"].as_str().expect("a message");
    assert!(message.contains("it vanished"), "{message}");
    assert_eq!(place.world().item_count(), 2);
    place.assert_account_holds("pictures", "Album");
}

#[tokio::test]
async fn descriptions_come_from_the_sidecars_beside_the_photos() {
    let place = Place::new().await;
    place.draw("pictures", 0..4);
    let beside = |name: &str, content: &str| {
        fs::write(place.path("pictures").join(name), content).expect("a sidecar");
    };
    beside("IMG_0000.jpg.supplemental-metad.json", r#"{"description": "At the lake"}"#);
    beside(
        "IMG_0001.xmp",
        r#"<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#">
           <rdf:Description xmlns:dc="http://purl.org/dc/elements/1.1/"><dc:description><rdf:Alt>
           <rdf:li xml:lang="x-default">On the hill</rdf:li></rdf:Alt></dc:description></rdf:Description></rdf:RDF></x:xmpmeta>"#,
    );
    beside("IMG_0002.jpg.json", "{ broken");
    beside("IMG_0003.jpg.json", &json!({"description": "ü".repeat(5_000)}).to_string());
    place.add_upload().await;
    succeeds(&place, "out", counts(4, 0, 4, 0)).await;
    let mut items = place.world().items();
    items.sort_by(|one, other| one.filename.cmp(&other.filename));
    let found: Vec<&str> = items.iter().map(|item| item.description.as_str()).collect();
    assert_eq!(found, ["At the lake", "On the hill", "", &"ü".repeat(999)]);
}

#[tokio::test]
async fn descriptions_stay_at_home_where_the_plan_says_so() {
    let place = Place::new().await;
    place.draw("pictures", 0..1);
    fs::write(place.path("pictures/IMG_0000.jpg.json"), r#"{"description": "private"}"#).expect("a sidecar");
    place.add_storage().await;
    let plan = json!({"kind": "upload", "storage": "family", "sources": [place.path("pictures")], "descriptions": false});
    place.add_plan("out", &plan).await;
    succeeds(&place, "out", counts(1, 0, 1, 0)).await;
    assert_eq!(place.world().items()[0].description, "");
}
