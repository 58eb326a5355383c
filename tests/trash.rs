//! What is gone from the account, and only that, goes to the trash of the mirror, and comes back from there.

use std::{collections::BTreeSet, fs};

use gphotos_emulator::{Action, Fault};
use serde_json::{Value, json};

use crate::support::{Place, dice::Dice};

/// A backup plan that moves what is gone to the trash, after two listings.
async fn add_backup(place: &Place, more: &Value) {
    place.add_storage().await;
    let mut deletion = json!({"gone": "trash", "after_listings": 2, "most_percent": 50});
    deletion.as_object_mut().expect("an object").extend(more.as_object().expect("an object").clone());
    let config = json!({"kind": "backup", "storage": "family", "destination": place.path("mirror"), "deletion": deletion});
    place.add_plan("home", &config).await;
}

async fn full(place: &Place) -> (i32, Value) {
    let ended = place.charon(&["run", "home", "--full", "--json"]).await;
    (ended.code.expect("an exit code"), ended.json())
}

async fn trash(place: &Place, arguments: &[&str]) -> Value {
    let ended = place.charon(&[&["trash"], arguments, &["--json"]].concat()).await;
    assert_eq!(ended.code, Some(0), "{ended:?}");
    ended.json()
}

/// The names of the files in the trash. Sorted.
async fn trashed(place: &Place) -> Vec<String> {
    let listed = trash(place, &["list", "home", "-n", "1000"]).await;
    let files = listed["files"].as_array().expect("a list");
    for file in files {
        let aside = place.path("mirror").join(file["aside"].as_str().expect("a path"));
        assert_eq!(fs::metadata(aside).expect("it is there").len(), file["size"]);
    }
    let mut names: Vec<String> =
        files.iter().map(|file| file["name"].as_str().expect("a name").to_owned()).collect();
    names.sort();
    names
}

fn name_of(place: &Place, id: &str) -> String {
    let items = place.world().items();
    items.iter().find(|item| item.id == id).expect("it is there").filename.clone()
}

#[tokio::test]
async fn what_is_deleted_in_the_account_goes_to_the_trash_after_second_thoughts_and_comes_back() {
    // I5
    let place = Place::new().await;
    let ids = place.seed(10);
    add_backup(&place, &json!({})).await;
    assert_eq!(place.run("home").await.0, 0);
    let (gone, other) = (name_of(&place, &ids[3]), name_of(&place, &ids[4]));
    let before = place.mirrored();
    assert!(place.world().remove_item(&ids[3]));
    // Once is not enough.
    let (_, summary) = full(&place).await;
    assert_eq!(
        (&summary["items"]["unchanged"], &summary["items"]["done"]),
        (&json!(9), &json!(0)),
        "{summary:#}"
    );
    assert_eq!(trashed(&place).await, [""; 0]);
    let (code, summary) = full(&place).await;
    assert_eq!((code, &summary["items"]["done"]), (0, &json!(1)), "{summary:#}");
    assert_eq!(trashed(&place).await, std::slice::from_ref(&gone));
    place.assert_mirror_is_complete();
    let verified = place.charon(&["verify", "home", "--json"]).await.json();
    assert_eq!(
        (&verified["verification"]["good"], &verified["verification"]["strange"]),
        (&json!(9), &json!(0))
    );

    // Somebody takes it out, and it stays, though the account does not hold it.
    let restored = trash(&place, &["restore", "home", "--all"]).await;
    assert_eq!(restored["items"]["done"], 1, "{restored:#}");
    assert_eq!(place.mirrored(), before);
    for _ in 0..4 {
        assert_eq!(full(&place).await.1["items"]["done"], 0);
    }
    assert_eq!(place.mirrored(), before);

    // What is in the trash is removed for good when somebody says so, and only what has been there for long enough otherwise.
    assert!(place.world().remove_item(&ids[4]));
    full(&place).await;
    full(&place).await;
    assert_eq!(trashed(&place).await, [other]);
    assert_eq!(trash(&place, &["empty", "home"]).await["items"]["done"], 0);
    assert_eq!(trash(&place, &["empty", "home", "--everything"]).await["items"]["done"], 1);
    assert_eq!(trashed(&place).await, [""; 0]);
    assert_eq!(
        fs::read_dir(place.path("mirror/.charon/trash")).expect("the trash").count(),
        0,
        "nothing is left"
    );
    let unknown = place.charon(&["trash", "restore", "home", "nothing.jpg"]).await;
    assert!(unknown.code == Some(2) && unknown.stderr.contains("charon trash list"), "{unknown:?}");
}

#[tokio::test]
async fn what_is_damaged_in_the_trash_stays_there() {
    let place = Place::new().await;
    let ids = place.seed(4);
    add_backup(&place, &json!({})).await;
    assert_eq!(place.run("home").await.0, 0);
    assert!(place.world().remove_item(&ids[1]));
    for _ in 0..2 {
        full(&place).await;
    }
    let listed = trash(&place, &["list", "home"]).await;
    let aside = place.path("mirror").join(listed["files"][0]["aside"].as_str().expect("a path"));
    let mut bytes = fs::read(&aside).expect("a file");
    bytes[100] ^= 1;
    fs::write(&aside, &bytes).expect("written");
    let ended = place.charon(&["trash", "restore", "home", "--all", "--json"]).await;
    let told = ended.json()["errors"][0]["message"].as_str().expect("why").to_owned();
    assert!(ended.code == Some(3) && told.contains("not what went to the trash"), "{told}");
    assert_eq!((place.mirrored().len(), fs::read(&aside).expect("it is there")), (3, bytes));
}

#[tokio::test]
async fn an_account_that_shows_nothing_any_more_is_no_good_run() {
    // I5
    let place = Place::new().await;
    let ids = place.seed(4);
    add_backup(&place, &json!({"most_percent": 100})).await;
    assert_eq!(place.run("home").await.0, 0);
    for id in &ids {
        assert!(place.world().remove_item(id));
    }
    assert_eq!(full(&place).await.0, 0, "one listing says nothing");
    let (code, summary) = full(&place).await;
    let told = summary["errors"][0]["message"].as_str().expect("why");
    assert!(code == 1 && told.contains("shows none of the photos"), "{told}");
    // A selection may be empty.
    let favourites = json!({"kind": "backup", "storage": "family", "destination": place.path("mirror"),
        "selection": {"favourites": true}, "deletion": {"gone": "trash", "after_listings": 2, "most_percent": 100}});
    let updated = place.charon_with(&["plan", "update", "home", "--config", "-"], &favourites).await;
    assert_eq!(updated.code, Some(0), "{updated:?}");
    for _ in 0..3 {
        assert_eq!(full(&place).await.0, 0);
    }
    assert_eq!(place.mirrored().len(), 4);
}

#[tokio::test]
async fn the_sidecar_of_another_program_outlives_the_trash() {
    let place = Place::new().await;
    let ids = place.seed(4);
    add_backup(&place, &json!({})).await;
    assert_eq!(place.run("home").await.0, 0);
    let original = place.world().original(&ids[1]).expect("its bytes").to_vec();
    let path = place.mirrored().into_iter().find(|(_, bytes)| *bytes == original).expect("it is home").0;
    let beside = |kind: &str| place.path("mirror").join(format!("{path}.{kind}"));
    fs::write(beside("xmp"), "<edited-by-me/>").expect("written");
    assert!(place.world().remove_item(&ids[1]));
    for _ in 0..2 {
        full(&place).await;
    }
    assert_eq!(trashed(&place).await.len(), 1);
    assert!(!beside("json").exists(), "Charon's own goes with the photo");
    trash(&place, &["empty", "home", "--everything"]).await;
    assert_eq!(trashed(&place).await.len(), 0);
    assert_eq!(fs::read_to_string(beside("xmp")).expect("it is there"), "<edited-by-me/>");
}

#[tokio::test]
async fn what_only_leaves_the_listing_stays_and_what_comes_back_leaves_the_trash() {
    // I5
    let place = Place::new().await;
    let ids = place.seed(10);
    add_backup(&place, &json!({})).await;
    assert_eq!(place.run("home").await.0, 0);
    let before = place.mirrored();
    // Into the archive: the listing lacks it, and the account has it.
    assert!(place.world().set_archived(&ids[0], true));
    for _ in 0..7 {
        let (code, _) = full(&place).await;
        assert_eq!(code, 0);
    }
    assert_eq!(place.mirrored(), before);
    assert!(place.count("mediaItems.batchGet") < 4, "and it is looked up ever more rarely");
}

#[tokio::test]
async fn a_plan_that_says_nothing_of_deletion_deletes_nothing() {
    // I5
    let place = Place::new().await;
    let ids = place.seed(6);
    place.add_backup().await;
    assert_eq!(place.run("home").await.0, 0);
    let before = place.mirrored();
    assert!(place.world().remove_item(&ids[0]));
    for _ in 0..5 {
        full(&place).await;
    }
    assert_eq!(place.mirrored(), before);
}

#[tokio::test]
async fn where_much_is_gone_the_run_stops_and_asks() {
    // I5
    let place = Place::new().await;
    let ids = place.seed(20);
    add_backup(&place, &json!({"most_percent": 10})).await;
    assert_eq!(place.run("home").await.0, 0);
    let before = place.mirrored();
    for id in &ids[..6] {
        assert!(place.world().remove_item(id));
    }
    full(&place).await;
    place.seed(2);
    let (code, summary) = full(&place).await;
    assert_eq!((code, &summary["state"]), (1, &json!("failed")), "{summary:#}");
    let told = summary["errors"][0]["message"].as_str().expect("why");
    assert!(told.contains("6 of 22 items") && told.contains("charon trash agree"), "{told}");
    assert_eq!(place.mirrored().len(), before.len() + 2, "what is new is home, and nothing was moved");
    for (path, _) in place.mirrored() {
        let sidecar = place.path("mirror").join(format!("{path}.json"));
        assert!(sidecar.is_file(), "{path} has its sidecar, though the question is open");
    }
    let listed = trash(&place, &["list", "home"]).await;
    assert_eq!((&listed["standing"]["asked_about"], &listed["standing"]["files"]), (&json!(6), &json!(0)));
    assert_eq!(listed["asked"].as_array().expect("a list").len(), 6, "{listed:#}");
    // It asks again until somebody answers.
    assert_eq!(full(&place).await.0, 1);
    let more = place.charon(&["trash", "agree", "home", "--items", "5"]).await;
    assert!(more.code == Some(1) && more.stderr.contains("about 6 items by now"), "{more:?}");
    assert_eq!(trash(&place, &["agree", "home"]).await["items"], 6);
    let nobody = place.charon(&["trash", "keep", "home"]).await;
    assert!(nobody.code != Some(0) && nobody.stderr.contains("asks about nothing"), "{nobody:?}");
    let (code, summary) = full(&place).await;
    assert_eq!((code, &summary["items"]["done"]), (0, &json!(6)), "{summary:#}");
    assert!(
        summary["hints"][0].as_str().is_some_and(|hint| hint.starts_with("6 items were gone")),
        "{summary:#}"
    );
    assert_eq!(trashed(&place).await.len(), 6);
    place.assert_mirror_is_complete();

    // Or they stay.
    let items = place.world().items();
    for item in &items[..8] {
        assert!(place.world().remove_item(&item.id));
    }
    full(&place).await;
    assert_eq!(full(&place).await.0, 1);
    assert_eq!(trash(&place, &["keep", "home"]).await["items"], 8);
    for _ in 0..3 {
        assert_eq!(full(&place).await.0, 0);
    }
    assert_eq!(place.mirrored().len(), 16);
}

/// What a listing may do to make items seem gone, in one way or another.
fn lie(dice: &mut Dice) -> Fault {
    let few = i32::try_from(dice.roll(4)).expect("small") + 1;
    match dice.roll(9) {
        0 => Fault::once(Action::EmptyPage),
        1 => Fault::always(Action::RepeatedItem),
        2 => Fault::always(Action::ShiftedPages { items: -few }),
        3 => Fault::always(Action::ShiftedPages { items: few }),
        4 => Fault::once(Action::ExpiredPageTokens).after(1),
        5 => Fault::once(Action::Html),
        6 => Fault::always(Action::SmallPages { items: 3 }),
        number => Fault::always(Action::ShortListing {
            share: if number == 7 { 0.3 } else { 0.9 },
            seed: dice.roll(3),
        }),
    }
}

/// How many cases are played; more with `CHARON_MODEL_CASES`, others with `CHARON_MODEL_SEED`.
fn cases() -> (u64, u64) {
    let number =
        |name: &str, usual| std::env::var(name).ok().and_then(|text| text.parse().ok()).unwrap_or(usual);
    (number("CHARON_MODEL_SEED", 20_261_128), number("CHARON_MODEL_CASES", 3))
}

#[tokio::test]
async fn whatever_listings_say_nothing_is_trashed_that_the_account_still_has() {
    // I5
    let (seed, cases) = cases();
    for case in 0..cases {
        play(seed.wrapping_add(case)).await;
    }
}

/// One account and one mirror, over many runs, while items go and come, hide in the archive, listings lie, and the plan wants other
/// things by and by.
async fn play(seed: u64) {
    let mut dice = Dice(seed);
    let place = Place::new().await;
    let mut ids = place.seed(24);
    add_backup(&place, &json!({"most_percent": 100})).await;
    let (mut removed, mut story) = (BTreeSet::new(), Vec::new());
    for _ in 0..22 {
        let id = ids[usize::try_from(dice.roll(ids.len() as u64)).expect("small")].clone();
        let step = dice.roll(12);
        story.push(step);
        match step {
            0 => drop(place.world().remove_item(&id).then(|| removed.insert(id))),
            1 | 2 => drop(place.world().set_archived(&id, true)),
            3 => drop(place.world().set_archived(&id, false)),
            4 => ids.extend(place.seed(2)),
            5 => wants(&place, &mut dice).await,
            6 => {
                let config = json!({"client_id": "987654321-other.apps.googleusercontent.com"});
                let ended =
                    place.charon_with(&["storage", "update", "family", "--config", "-"], &config).await;
                assert_ne!(ended.code, Some(0), "another client would see other items: {ended:?}");
            }
            7 => drop(place.run("home").await),
            _ => {
                let lies: Vec<u64> =
                    (0..dice.roll(3)).map(|_| place.world().add_fault(lie(&mut dice))).collect();
                full(&place).await;
                for number in lies {
                    place.world().remove_fault(number);
                }
            }
        }
        let there: BTreeSet<String> = place.world().items().into_iter().map(|item| item.id).collect();
        for id in trashed_ids(&place).await {
            assert!(
                !there.contains(&id) && removed.contains(&id),
                "seed {seed}, after {story:?}: {id} is in the trash"
            );
        }
    }
    // In the end, when nothing lies, all that is gone is in the trash and nothing else.
    for _ in 0..60 {
        let (_, summary) = full(&place).await;
        assert_ne!(summary["state"], "failed", "seed {seed}: {summary:#}");
        let there = place.world().items().len();
        if place.mirrored().len() == there {
            return;
        }
    }
    panic!(
        "seed {seed}, after {story:?}: {} files are home, of {} items",
        place.mirrored().len(),
        place.world().items().len()
    );
}

/// The plan wants something else.
async fn wants(place: &Place, dice: &mut Dice) {
    let selection = match dice.roll(4) {
        0 => json!({}),
        1 => json!({"include_archived": true}),
        2 => json!({"start_year": 2015}),
        _ => json!({"kind": "photo"}),
    };
    let config = json!({
        "kind": "backup", "storage": "family", "destination": place.path("mirror"), "selection": selection,
        "deletion": {"gone": "trash", "after_listings": 2, "most_percent": 100},
    });
    let ended = place.charon_with(&["plan", "update", "home", "--config", "-"], &config).await;
    assert_eq!(ended.code, Some(0), "{ended:?}");
}

async fn trashed_ids(place: &Place) -> Vec<String> {
    let listed = trash(place, &["list", "home", "-n", "1000"]).await;
    let files = listed["files"].as_array().expect("a list");
    files.iter().map(|file| file["media_id"].as_str().expect("an id").to_owned()).collect()
}
