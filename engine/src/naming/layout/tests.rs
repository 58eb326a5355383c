use std::collections::{HashMap, HashSet};

use charon_provider::Camera;
use jiff::tz::TimeZone;
use proptest::prelude::*;

use super::{
    super::{MAX_NAME_BYTES, is_reserved, path_key, tests::hostile_name},
    DEFAULT, Layout, Subject,
};

fn layout(template: &str) -> Layout {
    Layout::read(template).expect("a template")
}

fn camera(make: Option<&str>, model: Option<&str>) -> Camera {
    Camera { make: make.map(Into::into), model: model.map(Into::into) }
}

const SUBJECT: Subject<'_> =
    Subject { id: "AbC-1_d", file_name: "IMG_1.JPG", taken_at: None, album: None, camera: None };

fn taken(time: &str) -> Subject<'static> {
    Subject { taken_at: Some(time.parse().expect("a time")), ..SUBJECT }
}

fn path(template: &str, subject: &Subject<'_>) -> String {
    layout(template).candidates(subject).next().expect("at least one")
}

#[test]
fn a_path_is_made_of_what_is_known_of_the_item() {
    let canon = camera(Some("Canon"), Some("Canon EOS 80D"));
    let subject =
        Subject { album: Some("Sea/side: 2024"), camera: Some(&canon), ..taken("2021-06-30T22:30:00Z") };
    for (template, expected) in [
        (DEFAULT, "photos/2021/06/IMG_1.JPG"),
        ("{name}", "IMG_1.JPG"),
        ("{year}-{month}-{day} {name}", "2021-06-30 IMG_1.JPG"),
        ("{album}/{name}", "Sea_side_ 2024/IMG_1.JPG"),
        ("{camera}/{year}/{id}.{ext}", "Canon EOS 80D/2021/AbC-1_d.JPG"),
        ("a {{b}}/{id}/{name}", "a {b}/AbC-1_d/IMG_1.JPG"),
    ] {
        assert_eq!(path(template, &subject), expected, "{template}");
    }
}

#[test]
fn what_is_not_known_has_a_word() {
    for (template, expected) in [
        (DEFAULT, "photos/undated/IMG_1.JPG"),
        ("{year}/{year}-{month}/{name}", "undated/IMG_1.JPG"),
        ("{album}/{year}/{name}", "no album/undated/IMG_1.JPG"),
        ("{year}/{album}/{month}/{name}", "undated/no album/IMG_1.JPG"),
        ("{year}-{month} {camera}/{name}", "undated unknown camera/IMG_1.JPG"),
        ("{year}-{month}-{day} {name}", "undated IMG_1.JPG"),
        ("{day} of {month} {name}", "undated IMG_1.JPG"),
    ] {
        assert_eq!(path(template, &SUBJECT), expected, "{template}");
    }
    let nothing = Subject { file_name: "no extension", ..SUBJECT };
    assert_eq!(path("{id}.{ext}", &nothing), "AbC-1_d");
}

#[test]
fn a_camera_is_called_as_people_call_it() {
    for (make, model, expected) in [
        (Some("Google"), Some("Pixel 8"), "Google Pixel 8"),
        (Some("Canon"), Some("canon EOS"), "canon EOS"),
        (None, Some("X-T30"), "X-T30"),
        (Some("FUJIFILM"), Some(" "), "FUJIFILM"),
        (None, None, "unknown camera"),
        (Some("A/B"), Some("../x"), "A_B .._x"),
    ] {
        let camera = camera(make, model);
        let subject = Subject { camera: Some(&camera), ..SUBJECT };
        assert_eq!(path("{camera}/{name}", &subject), format!("{expected}/IMG_1.JPG"));
    }
}

#[test]
fn a_date_is_that_of_the_zone() {
    let zone = TimeZone::get("Europe/Berlin").expect("a zone");
    let layout = Layout::read(DEFAULT).map(|layout| layout.in_zone(zone)).expect("a template");
    let of = |time| layout.candidates(&taken(time)).next().expect("at least one");
    assert_eq!(of("2021-06-30T22:30:00Z"), "photos/2021/07/IMG_1.JPG");
    assert_eq!(of("2021-12-31T22:59:59Z"), "photos/2021/12/IMG_1.JPG");
    assert_eq!(of("2021-12-31T23:00:00Z"), "photos/2022/01/IMG_1.JPG");
}

#[test]
fn a_template_that_is_wrong_says_why() {
    for (template, words) in [
        ("", "without a name"),
        ("photos/{year}", "neither {name} nor {id}"),
        ("{id}", "has to end with"),
        ("{name} of {year}", "has to end with"),
        ("{name}/{year}", "has to end with"),
        ("{name}.{ext}", "has its ending already"),
        ("/photos/{name}", "begins with a /"),
        ("photos//{name}", "without a name"),
        ("photos/{name}/", "without a name"),
        ("../{name}", "begin with a dot"),
        ("./{name}", "begin with a dot"),
        (".charon/{name}", "begin with a dot"),
        ("photos./{name}", "end with a dot"),
        (" photos/{name}", "space"),
        ("C:\\photos\\{name}", "which no name may have"),
        ("a\nb/{name}", "which no name may have"),
        ("{year}/{title}/{name}", "the placeholder {title}, which is not known"),
        ("{year/{name}", "not closed"),
    ] {
        let refused = Layout::read(template).expect_err(template);
        assert!(refused.contains(words), "{template}: {refused}");
    }
}

fn template() -> impl Strategy<Value = String> {
    let part = prop_oneof![
        Just("{year}"),
        Just("{month} {day}"),
        Just("{album}"),
        Just("{camera}"),
        Just("{id}"),
        Just("photos"),
        Just("{album}{camera}"),
        Just("con"),
    ];
    let last =
        prop_oneof![Just("{name}"), Just("{id}.{ext}"), Just("{album} {name}"), Just("{year}{day}{name}")];
    (prop::collection::vec(part, 0..4), last)
        .prop_map(|(folders, last)| folders.into_iter().chain([last]).collect::<Vec<_>>().join("/"))
}

proptest! {
    // I4, I11
    #[test]
    fn whatever_items_are_called_their_paths_are_unique_safe_stable_and_below_the_destination(
        template in template(),
        names in prop::collection::vec((hostile_name(), hostile_name(), hostile_name(), prop::option::of(0..4_000_000_000_i64)), 1..40),
    ) {
        let layout = layout(&template);
        let depth = template.split('/').count();
        let cameras: Vec<Camera> = names.iter().map(|(_, _, make, _)| camera(Some(make), None)).collect();
        let ids: Vec<String> = (0..names.len()).map(|index| format!("id-{index}")).collect();
        let subjects: Vec<Subject<'_>> = names.iter().zip(&cameras).zip(&ids).map(|(((name, album, _, taken), camera), id)| Subject {
            id,
            file_name: name,
            taken_at: taken.map(|seconds| jiff::Timestamp::from_second(seconds).expect("a time")),
            album: Some(album),
            camera: Some(camera),
        }).collect();
        let (mut keys, mut paths) = (HashSet::new(), HashMap::new());
        for subject in &subjects {
            let path = layout.candidates(subject).find(|path| !keys.contains(&path_key(path))).expect("a free path");
            prop_assert!(keys.insert(path_key(&path)));
            let parts: Vec<&str> = path.split('/').collect();
            prop_assert!(parts.len() <= depth && !parts.is_empty(), "{:?}", path);
            for part in &parts {
                prop_assert!(!part.is_empty() && part.len() <= MAX_NAME_BYTES, "{:?}", path);
                prop_assert!(!part.contains(['\\', ':', '*', '?', '"', '<', '>', '|']), "{:?}", path);
                prop_assert!(!part.chars().any(char::is_control), "{:?}", path);
                prop_assert!(!part.starts_with(['.', ' ']) && !part.ends_with(['.', ' ']), "{:?}", path);
                prop_assert!(!is_reserved(part), "{:?}", path);
            }
            paths.insert(path, subject.id);
        }
        prop_assert_eq!(paths.len(), subjects.len());
        for subject in &subjects {
            prop_assert!(layout.candidates(subject).any(|path| paths.get(&path) == Some(&subject.id)), "stable");
        }
    }

    #[test]
    fn no_template_is_too_strange_to_be_judged(template in any::<String>()) {
        if let Ok(layout) = Layout::read(&template) {
            let path = layout.candidates(&SUBJECT).next().expect("at least one");
            prop_assert!(!path.starts_with('/') && !path.split('/').any(|part| part == ".." || part.starts_with('.')));
        }
    }

    #[test]
    fn the_default_gives_the_paths_that_it_always_gave(name in hostile_name(), seconds in prop::option::of(0..4_000_000_000_i64)) {
        let taken_at = seconds.map(|seconds| jiff::Timestamp::from_second(seconds).expect("a time"));
        let subject = Subject { file_name: &name, taken_at, ..SUBJECT };
        let before = super::super::tests::candidates_of_old(&name, taken_at, SUBJECT.id);
        prop_assert_eq!(layout(DEFAULT).candidates(&subject).collect::<Vec<_>>(), before);
    }
}
