//! What is home, and what the storage itself shows: lists, pictures, files and pages.

use std::{collections::BTreeSet, fs};

use gphotos_emulator::{Action, Fault, Limit, Seed, jpeg, picture::Picture};
use jiff::Timestamp;
use serde_json::{Value, json};

use super::client::{Answer, Client, Served};
use crate::support::{CLIENT_ID, Place, hex_sha256};

/// An account whose items are home, in a program that serves them.
struct Home {
    place: Place,
    served: Served,
    browser: Client,
    plan: String,
    storage: String,
}

impl Home {
    async fn of(place: Place) -> Self {
        place.add_backup().await;
        Self::brought(place).await
    }

    /// The same, once there is the plan.
    async fn brought(place: Place) -> Self {
        let (code, summary) = place.run("home").await;
        assert_eq!(code, 0, "{summary}");
        let id = async |what: &str, name: &str| {
            let shown = place.charon(&[what, "show", name, "--json"]).await;
            shown.json()["id"].as_str().unwrap_or_else(|| panic!("an id: {shown:?}")).to_owned()
        };
        let (plan, storage) = (id("plan", "home").await, id("storage", "family").await);
        let served = place.web().await;
        let browser = served.first_browser().await;
        Self { place, served, browser, plan, storage }
    }

    /// Thirty items over three years, some of them videos, in two albums.
    async fn new() -> Self {
        let place = Place::new().await;
        let time = |text: &str| text.parse::<Timestamp>().expect("a time");
        place.world().seed(&Seed {
            items: 30,
            video_share: 0.2,
            albums: 2,
            first: time("2020-02-01T00:00:00Z"),
            last: time("2022-11-30T00:00:00Z"),
            width: 480,
            height: 360,
            ..Seed::default()
        });
        Self::of(place).await
    }

    async fn api(&mut self, path: &str) -> Answer {
        self.browser.api("GET", path, None, &[]).await
    }

    async fn ok(&mut self, path: &str) -> Value {
        let answer = self.api(path).await;
        assert_eq!(answer.status, 200, "{path}: {answer:?}");
        answer.json()
    }

    /// All items of a list, page after page.
    async fn all(&mut self, path: &str) -> Vec<Value> {
        let mut items = Vec::new();
        let mut cursor = String::new();
        loop {
            let page = self.ok(&format!("{path}{cursor}")).await;
            items.extend(page["items"].as_array().expect("a list").clone());
            let Some(next) = page["next"].as_str() else { return items };
            let and = if path.contains('?') { '&' } else { '?' };
            cursor = format!("{and}cursor={next}");
        }
    }

    fn item(&self, item: &Value, rest: &str) -> String {
        format!("/plans/{}/items/{}{rest}", self.plan, item["id"])
    }
}

fn decoded(answer: &Answer) -> image::RgbImage {
    assert_eq!((answer.status, answer.header("content-type")), (200, Some("image/jpeg")), "{answer:?}");
    jpeg::decode(&answer.bytes).expect("a picture")
}

#[tokio::test(flavor = "multi_thread")]
async fn the_library_is_paged_without_a_gap_or_a_double_by_every_filter() {
    let mut home = Home::new().await;
    let truth = home.place.world().items();
    let items = format!("/plans/{}/items", home.plan);
    let all = home.all(&format!("{items}?limit=7")).await;
    let hashes: BTreeSet<&str> = all.iter().map(|item| item["sha256"].as_str().expect("a hash")).collect();
    let expected: BTreeSet<&str> = truth.iter().map(|item| item.sha256.as_deref().expect("a hash")).collect();
    assert_eq!((all.len(), hashes), (30, expected));
    let taken: Vec<&str> = all.iter().map(|item| item["taken_at"].as_str().expect("a time")).collect();
    assert!(taken.is_sorted_by(|one, other| one >= other), "{taken:?}");

    let videos = truth.iter().filter(|item| item.mime_type.starts_with("video/")).count();
    assert!(videos > 0);
    let before = |limit: &str| {
        let limit: Timestamp = limit.parse().expect("a time");
        truth.iter().filter(|item| item.taken_at < limit).count()
    };
    let in_2021 = before("2022-01-01T00:00:00Z") - before("2021-01-01T00:00:00Z");
    let first = truth[0].filename.to_lowercase();
    let begins = &first[..6];
    let named = |beginning: &str| {
        truth.iter().filter(|item| item.filename.to_lowercase().starts_with(beginning)).count()
    };
    for (filter, count) in [
        ("kind=video".to_owned(), videos),
        ("kind=photo".into(), 30 - videos),
        ("fidelity=api-copy".into(), 30),
        ("fidelity=original".into(), 0),
        ("from=2021-01-01T00:00:00Z&before=2022-01-01T00:00:00Z".into(), in_2021),
        (format!("name={begins}"), named(begins)),
        (format!("name={first}&kind=video"), usize::from(truth[0].mime_type.starts_with("video/"))),
        ("name=no%20such%20name".into(), 0),
        ("album=no-such-album".into(), 0),
    ] {
        assert_eq!(home.all(&format!("{items}?limit=4&{filter}")).await.len(), count, "{filter}");
    }
    let months = home.ok(&format!("/plans/{}/months", home.plan)).await;
    let counted: u64 = months["items"]
        .as_array()
        .expect("a list")
        .iter()
        .map(|month| month["items"].as_u64().expect("a count"))
        .sum();
    assert_eq!(counted, 30);

    let details = home.ok(&home.item(&all[3], "")).await;
    assert_eq!(details["sha256"], all[3]["sha256"]);
    assert_eq!((&details["newer"], &details["older"]), (&all[2]["id"], &all[4]["id"]));
    assert_eq!(details["storages"][0]["name"], "family");

    let other = home.ok(&format!("{items}?limit=1&name=i")).await["next"].as_str().expect("more").to_owned();
    let (plan, nobody) = (home.plan.clone(), "018c0000-0000-7000-8000-000000000000");
    for (path, status) in [
        (format!("/plans/{plan}/items?limit=0"), 400),
        (format!("/plans/{plan}/items?limit=501"), 400),
        (format!("/plans/{plan}/items?cursor=x"), 400),
        (format!("/plans/{plan}/items?cursor={other}"), 400),
        (format!("/plans/{plan}/items?colour=red"), 400),
        (format!("/plans/{plan}/items?kind=film"), 400),
        (format!("/plans/{plan}/items?from=yesterday"), 400),
        (format!("/plans/{nobody}/items"), 404),
        (format!("/plans/{nobody}/months"), 404),
        ("/plans/home/items".into(), 404),
        (format!("/plans/{plan}/items/999999"), 404),
        (format!("/plans/{plan}/items/-1"), 404),
        (format!("/plans/{plan}/items/99999999999999999999"), 404),
        (format!("/plans/{plan}/items/%2e%2e%2fetc"), 404),
        (format!("/plans/{plan}/items/1/thumbnail?size=321"), 400),
    ] {
        let answer = home.api(&path).await;
        assert_eq!(answer.status, status, "{path}: {answer:?}");
        assert_eq!(answer.header("content-type"), Some("application/problem+json"), "{path}");
    }
    let stranger = home.served.stranger().api("GET", &items, None, &[]).await;
    assert_eq!(stranger.status, 401, "{stranger:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn thumbnails_have_the_size_and_stand_upright_and_what_cannot_be_drawn_says_so() {
    let place = Place::new().await;
    // It lies on its side: what is its left edge is to be its top.
    let flat = Picture { width: 900, height: 300, ..Picture::new(7) }.pixels();
    let turned = jpeg::with_exif(&jpeg::encode(&flat, 90), &lying(6));
    place.world().add_item(CLIENT_ID, "turned.jpg", turned).expect("added");
    place.world().add_item(CLIENT_ID, "strange.heic", heic()).expect("added");
    place.world().seed(&Seed { items: 1, video_share: 1.0, ..Seed::default() });
    let mut home = Home::of(place).await;
    let all = home.all(&format!("/plans/{}/items", home.plan)).await;
    let find = |name: &str| {
        all.iter()
            .find(|item| item["name"].as_str().expect("a name").ends_with(name))
            .expect("it is home")
            .clone()
    };
    let photo = find("turned.jpg");
    for (size, dimensions) in [(160, (53, 160)), (320, (107, 320)), (640, (213, 640)), (1280, (300, 900))] {
        let version = &photo["sha256"].as_str().expect("a hash")[..8];
        let answer = home.api(&home.item(&photo, &format!("/thumbnail?size={size}&v={version}"))).await;
        let small = decoded(&answer);
        assert_eq!(small.dimensions(), dimensions);
        assert!(answer.header("cache-control").expect("told").contains("immutable"), "{answer:?}");
        let known = answer.header("etag").expect("a tag").to_owned();
        let path = home.item(&photo, &format!("/thumbnail?size={size}"));
        for known in [known.clone(), format!("\"other\", W/{known}"), "*".to_owned()] {
            let again = home.browser.api("GET", &path, None, &[("If-None-Match", &known)]).await;
            assert_eq!((again.status, again.bytes.len()), (304, 0), "{known}");
        }
        // Of another version, it is asked for anew.
        let other = home.api(&home.item(&photo, &format!("/thumbnail?size={size}&v=01234567"))).await;
        assert_eq!(other.header("cache-control"), Some("private, no-cache"));
    }
    // The same pixels, turned by hand.
    let large = decoded(&home.api(&home.item(&photo, "/thumbnail?size=1280")).await);
    let differs = large
        .enumerate_pixels()
        .map(|(x, y, pixel)| u64::from(pixel.0[0].abs_diff(flat.get_pixel(y, 299 - x).0[0])));
    assert!(differs.sum::<u64>() / 270_000 < 8, "it stands upright");

    for (name, word) in [("strange.heic", "HEIC"), (".mp4", "MP4")] {
        let answer = home.api(&home.item(&find(name), "/thumbnail")).await;
        assert_eq!(
            (answer.status, answer.header("content-type")),
            (200, Some("image/svg+xml")),
            "{answer:?}"
        );
        assert!(answer.body.contains(word), "{answer:?}");
    }
    let kept = fs::read_dir(home.place.data_dir().join("cache/thumbnails")).expect("it is there").count();
    assert!(kept > 0, "they are kept on disk");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_file_is_served_whole_or_in_part_and_nothing_in_it_is_run() {
    let mut home = Home::new().await;
    let all = home.all(&format!("/plans/{}/items", home.plan)).await;
    let photo = all.iter().find(|item| item["kind"] == "photo").expect("a photo").clone();
    let path = home.item(&photo, "/original");
    let whole = home.api(&path).await;
    let sha256 = photo["sha256"].as_str().expect("a hash");
    assert_eq!((whole.status, hex_sha256(&whole.bytes).as_str()), (200, sha256));
    let tag = format!("\"{sha256}\"");
    for (field, value) in [
        ("etag", tag.as_str()),
        ("content-type", "image/jpeg"),
        ("accept-ranges", "bytes"),
        ("x-content-type-options", "nosniff"),
        ("content-security-policy", "default-src 'none'; style-src 'unsafe-inline'; sandbox"),
        ("content-length", &whole.bytes.len().to_string()),
    ] {
        assert_eq!(whole.header(field), Some(value), "{field}: {whole:?}");
    }
    assert!(whole.header("content-disposition").expect("told").starts_with("inline; filename=\""));
    let saved = home.api(&format!("{path}?download=true")).await;
    assert!(saved.header("content-disposition").expect("told").starts_with("attachment; filename=\""));

    let length = whole.bytes.len();
    let part = |range: &str, begin: usize, end: usize| (range.to_owned(), begin..end);
    for (range, expected) in [
        part("bytes=0-0", 0, 1),
        part("bytes=100-299", 100, 300),
        part(&format!("bytes={}-", length - 10), length - 10, length),
        part("bytes=-17", length - 17, length),
        part("bytes=5-999999999999", 5, length),
    ] {
        let answer = home.browser.api("GET", &path, None, &[("Range", &range), ("If-Range", &tag)]).await;
        assert_eq!(answer.status, 206, "{range}: {:?}", answer.header("content-range"));
        let told = format!("bytes {}-{}/{length}", expected.start, expected.end - 1);
        assert_eq!(answer.header("content-range"), Some(told.as_str()));
        assert!(answer.bytes == whole.bytes[expected], "{range}");
    }
    for headers in
        [[("Range", "bytes=0-9"), ("If-Range", "\"other\"")], [("Range", "bytes=0-1,5-6"), ("Accept", "*/*")]]
    {
        let answer = home.browser.api("GET", &path, None, &headers).await;
        assert_eq!((answer.status, answer.bytes.len()), (200, length), "{headers:?}");
    }
    let beyond = home.browser.api("GET", &path, None, &[("Range", &format!("bytes={length}-"))]).await;
    assert_eq!(
        (beyond.status, beyond.header("content-range")),
        (416, Some(format!("bytes */{length}").as_str()))
    );
    let known = home.browser.api("GET", &path, None, &[("If-None-Match", &tag)]).await;
    assert_eq!((known.status, known.bytes.len()), (304, 0));
    let head = home.browser.api("HEAD", &path, None, &[]).await;
    assert_eq!((head.status, head.header("content-length")), (200, Some(length.to_string().as_str())));
}

#[cfg(unix)]
#[tokio::test(flavor = "multi_thread")]
async fn nothing_outside_of_the_mirror_is_served() {
    use std::os::unix::fs::symlink;

    // I11
    let place = Place::new().await;
    place.seed(3);
    let mut home = Home::of(place).await;
    let all = home.all(&format!("/plans/{}/items", home.plan)).await;
    let mirror = home.place.path("mirror");
    let file = |item: &Value| mirror.join(item["path"].as_str().expect("a path"));
    // As large as the photo, and somewhere else.
    let secret = home.place.path("secret");
    fs::write(
        &secret,
        vec![b'x'; fs::metadata(file(&all[0])).expect("a file").len().try_into().expect("small")],
    )
    .expect("a file");
    fs::remove_file(file(&all[0])).expect("removed");
    symlink(&secret, file(&all[0])).expect("a link");
    fs::write(file(&all[1]), "changed").expect("changed");
    for item in &all[..2] {
        for rest in ["/original", "/thumbnail"] {
            let answer = home.api(&home.item(item, rest)).await;
            assert_eq!(answer.status, 409, "{rest}: {answer:?}");
            assert!(!answer.body.contains("xxx"), "{answer:?}");
        }
    }
    let path = home.item(&all[2], "/original");
    for attempt in ["/../../../charon.key", "%2f..%2f..%2fcharon.key", "/original/../../../../healthz"] {
        let answer = home.api(&format!("/plans/{}/items/{}{attempt}", home.plan, all[2]["id"])).await;
        assert_eq!(answer.status, 404, "{attempt}: {answer:?}");
    }
    assert_eq!(home.api(&path).await.status, 200);
    fs::rename(mirror.join(".charon/mirror.json"), mirror.join(".charon/elsewhere.json")).expect("renamed");
    let unmounted = home.api(&path).await;
    assert_eq!(unmounted.status, 409, "{unmounted:?}");
    assert!(unmounted.body.contains("mounted"), "{unmounted:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_pages_of_the_library_show_everything_once_and_lead_on() {
    let mut home = Home::new().await;
    let plan = home.plan.clone();
    let first = home.browser.get("/library").await;
    assert_eq!(first.status, 200, "{first:?}");
    assert!(first.body.len() < 150_000, "the first screen is {} bytes", first.body.len());
    let pictures: Vec<&str> =
        first.body.split("<img ").skip(1).filter(|rest| rest.contains("/thumbnail?")).collect();
    assert_eq!(pictures.len(), 30);
    for picture in &pictures {
        let tag = picture.split('>').next().expect("its end");
        for part in ["loading=\"lazy\"", "width=\"320\"", "height=\"320\"", "alt=\"", "src=\"/api/v1/plans/"]
        {
            assert!(tag.contains(part), "{part}: {tag}");
        }
    }
    assert!(first.body.contains("30 items are home"), "{}", first.body);
    let month = first.body.split("<h2>").nth(1).expect("a month");
    assert!(month.starts_with(|c: char| c.is_ascii_uppercase()), "{month}");

    // A picture of the page is one that can be had, and its page leads to the next item.
    let source =
        pictures[0].split("src=\"").nth(1).and_then(|rest| rest.split('"').next()).expect("an address");
    let source = source.replace("&amp;", "&");
    assert_eq!(home.browser.get(&source).await.status, 200, "{source}");
    let mut link = first.link(&format!("/library/{plan}/"));
    let mut seen = BTreeSet::new();
    loop {
        let page = home.browser.get(&link).await;
        assert_eq!(page.status, 200, "{page:?}");
        assert!(page.body.contains("not verified yet") && page.body.contains("SHA-256"), "{}", page.body);
        assert!(seen.insert(link.clone()), "{link} comes twice");
        let Some(older) =
            page.body.split("rel=\"next\"").nth(1).and_then(|rest| rest.split("href=\"").nth(1))
        else {
            break;
        };
        link = older.split('"').next().expect("its end").to_owned();
    }
    assert_eq!(seen.len(), 30);

    let count = |answer: &Answer| answer.body.matches("/thumbnail?size=320").count();
    let videos =
        home.browser.get(&format!("/library?plan={plan}&kind=video&name=&from=&to=&fidelity=")).await;
    assert!((1..30).contains(&count(&videos)), "{}", videos.body);
    let nothing = home.browser.get("/library?name=%3Cscript%3E").await;
    assert_eq!((nothing.status, count(&nothing)), (200, 0));
    assert!(!nothing.body.contains("<script>"), "{}", nothing.body);
    let jumped = home.browser.get("/library?month=2021-01").await;
    assert!((1..30).contains(&count(&jumped)), "{}", jumped.body);
    for path in ["/library?month=never", "/library?from=never", "/library?cursor=never"] {
        assert_eq!(home.browser.get(path).await.status, 400, "{path}");
    }
    assert_eq!(home.browser.get("/library/albums").await.status, 200);
    assert_eq!(home.browser.get(&format!("/library/{plan}/999999")).await.status, 404);
    let stranger = home.served.stranger().get("/library").await;
    assert_eq!(stranger.status, 303, "{stranger:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn albums_of_the_account_are_those_of_the_library() {
    let place = Place::new().await;
    place.world().seed(&Seed { albums: 2, ..Seed::plain(12, 2_000) });
    place.add_storage().await;
    let config = json!({
        "kind": "backup", "storage": "family", "destination": place.path("mirror"), "albums": "manifest",
    });
    place.add_plan("home", &config).await;
    let mut home = Home::brought(place).await;
    let truth = home.place.world().albums();
    let albums = home.ok(&format!("/plans/{}/albums", home.plan)).await;
    let albums = albums["items"].as_array().expect("a list").clone();
    let titles: BTreeSet<&str> =
        albums.iter().map(|album| album["title"].as_str().expect("a title")).collect();
    assert_eq!(titles, truth.iter().map(|album| album.title.as_str()).collect());
    for album in &albums {
        let (id, title) = (album["id"].as_str().expect("an id"), album["title"].as_str().expect("a title"));
        let inside = home.all(&format!("/plans/{}/items?limit=3&album={id}", home.plan)).await;
        assert!(!inside.is_empty());
        assert_eq!((json!(inside.len()), &album["cover"]), (album["items"].clone(), &inside[0]["id"]));
        let details = home.ok(&home.item(&inside[0], "")).await;
        let of_item = details["albums"].as_array().expect("a list");
        assert!(of_item.iter().any(|one| one["title"] == title), "{details:#}");
        let page = home.browser.get(&format!("/library/{}/{}", home.plan, inside[0]["id"])).await;
        assert!(page.body.contains(title), "{}", page.body);
    }
    let page = home.browser.get("/library/albums").await;
    assert!(titles.iter().all(|title| page.body.contains(title)), "{}", page.body);
    let inside = home.browser.get(&page.link("album=")).await;
    assert!(inside.body.contains("of this album at home"), "{}", inside.body);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_storage_is_browsed_with_as_few_requests_as_there_are_pictures() {
    let mut home = Home::new().await;
    let storage = home.storage.clone();
    let truth = home.place.world().items();
    home.place.world().reset_stats();
    let items = home.all(&format!("/storages/{storage}/items")).await;
    assert_eq!(items.len(), 30);
    assert!(items.iter().all(|item| item["home"][0]["plan"] == home.plan.as_str()), "{items:?}");
    assert_eq!(home.place.count("mediaItems.list"), 1);
    let preview = |item: &Value, size: u32| {
        format!("/storages/{storage}/items/{}/preview?size={size}", item["id"].as_str().expect("an id"))
    };
    for item in &items[..5] {
        for _ in 0..2 {
            let small = decoded(&home.api(&preview(item, 160)).await);
            assert_eq!(small.width().max(small.height()), 160);
        }
    }
    assert_eq!((home.place.count("media.bytes"), home.place.count("mediaItems.batchGet")), (5, 0));

    // Addresses that are over are renewed, those of all items at once.
    home.place.world().expire_base_urls();
    for item in &items[5..8] {
        decoded(&home.api(&preview(item, 320)).await);
    }
    assert!(home.place.count("mediaItems.batchGet") <= 3, "{:?}", home.place.world().stats());
    let answer = home
        .api(&format!("/storages/{storage}/items/{}/original", items[9]["id"].as_str().expect("an id")))
        .await;
    let held =
        truth.iter().find(|item| item.id == items[9]["id"].as_str().expect("an id")).expect("it is there");
    assert_eq!((answer.status, Some(hex_sha256(&answer.bytes).as_str())), (200, held.sha256.as_deref()));
    assert_eq!(
        answer.header("content-security-policy"),
        Some("default-src 'none'; style-src 'unsafe-inline'; sandbox")
    );

    let albums = home.all(&format!("/storages/{storage}/albums")).await;
    assert_eq!(albums.len(), 2);
    for album in &albums {
        let id = album["id"].as_str().expect("an id");
        let inside = home.all(&format!("/storages/{storage}/items?album={id}")).await;
        assert_eq!(json!(inside.len()), album["items"], "{album}");
        // Of a video it is as large as its frames are.
        let cover = decoded(&home.api(&preview(&json!({"id": album["cover"]}), 320)).await);
        assert!((100..=320).contains(&cover.width()), "{:?}", cover.dimensions());
    }
    for (path, status) in [
        (format!("/storages/{storage}/items/no-such-item/preview"), 404),
        (format!("/storages/{storage}/items/%2e%2e%2f%2e%2e/preview"), 404),
        (format!("/storages/{storage}/items?album=no-such-album"), 404),
        (format!("/storages/{storage}/items?cursor=x"), 400),
        ("/storages/018c0000-0000-7000-8000-000000000000/items".into(), 404),
    ] {
        let answer = home.api(&path).await;
        assert_eq!(answer.status, status, "{path}: {answer:?}");
    }

    let page = home.browser.get(&format!("/storages/{storage}/browse")).await;
    assert_eq!((page.status, page.body.matches("/preview?size=320").count()), (200, 30), "{page:?}");
    let one = home.browser.get(&page.link("/browse/item?id=")).await;
    assert!(one.status == 200 && one.body.contains("/library/"), "{one:?}");
    let albums = home.browser.get(&format!("/storages/{storage}/browse/albums")).await;
    let inside = home.browser.get(&albums.link("?album=")).await;
    assert!(inside.status == 200 && inside.body.contains("/preview?size=320"), "{inside:?}");

    home.place.fault(Fault::always(Action::ApiDisabled));
    let refused = home.api(&format!("/storages/{storage}/albums")).await;
    // It is for a person to switch it on; and a day's quota that is spent comes back by itself.
    assert_eq!(refused.status, 409, "{refused:?}");
    home.place.world().clear_faults();
    let (limit, retry_after_seconds) = (Limit::AllRequestsPerDay, None);
    home.place.fault(Fault::always(Action::TooManyRequests { limit, retry_after_seconds }));
    let refused = home.api(&format!("/storages/{storage}/albums")).await;
    assert_eq!(refused.status, 429, "{refused:?}");
    let wait: u64 = refused.header("retry-after").and_then(|wait| wait.parse().ok()).expect("how long");
    assert!(wait <= 25 * 60 * 60, "{wait}");
}

/// EXIF that says this orientation.
fn lying(orientation: u8) -> Vec<u8> {
    let mut tiff = b"MM\0*\0\0\0\x08\0\x01\x01\x12\0\x03\0\0\0\x01\0".to_vec();
    tiff.extend([orientation, 0, 0, 0, 0, 0, 0]);
    tiff
}

/// The beginning of a HEIC, and nothing that could be drawn.
fn heic() -> Vec<u8> {
    [&b"\0\0\0\x18ftypheic\0\0\0\0mif1heic"[..], &[0; 500]].concat()
}
