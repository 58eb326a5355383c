//! The facts about ranges and entity tags, and content that is too large to be held.

use std::fmt::Write as _;

use crate::support::{CLIENT, World};
use gphotos_emulator::video;
use reqwest::header::HeaderMap;
use sha2::{Digest, Sha256};

fn text<'a>(headers: &'a HeaderMap, name: &str) -> &'a str {
    headers.get(name).map_or("", |value| value.to_str().unwrap())
}

fn sha256(bytes: &[u8]) -> String {
    Sha256::digest(bytes).iter().fold(String::new(), |mut out, byte| {
        write!(out, "{byte:02x}").unwrap();
        out
    })
}

#[tokio::test]
async fn a_large_video_comes_unchanged_whole_or_in_parts() {
    let world = World::new().await;
    let emulated = world.emulator.world();
    let id = emulated.add_large_video(CLIENT, "long.mp4", 3_000_001, 9);
    let item = world.all(1).await[0].clone();
    assert_eq!((&item["mimeType"], &item["id"]), (&"video/mp4".into(), &id.as_str().into()));
    assert_eq!(item["mediaMetadata"]["width"], "160");
    let url = format!("{}=dv", item["baseUrl"].as_str().unwrap());
    let whole = world.http.get(&url).send().await.unwrap().bytes().await.unwrap();
    assert_eq!(whole.len(), 3_000_001);
    assert!(video::read(&whole).is_some());
    // Uploading what was downloaded finds it, although nobody has asked for its hash.
    let again = world.create("long.mp4", whole.to_vec()).await;
    assert_eq!(again["mediaItem"]["id"], id.as_str());
    let truth = emulated.items()[0].clone();
    assert_eq!((truth.size, truth.sha256), (Some(3_000_001), Some(sha256(&whole))));
    let part = world.http.get(&url).header("Range", "bytes=1000000-1099999").send().await.unwrap();
    assert_eq!(part.status(), 206);
    assert_eq!(part.bytes().await.unwrap(), whole[1_000_000..1_100_000]);
    assert_eq!(emulated.original_part(&id, 2_999_999, 10).unwrap(), whole[2_999_999..]);
    assert_eq!(emulated.original(&id), None, "it is not held at once");
    // The end of 20 GB costs no more than the end of a small one.
    emulated.add_large_video(CLIENT, "longer.mp4", 20_000_000_000, 9);
    let longer = world.all(5).await.into_iter().find(|item| item["filename"] == "longer.mp4").unwrap();
    let url = format!("{}=dv", longer["baseUrl"].as_str().unwrap());
    let tail = world.http.get(&url).header("Range", "bytes=-100").send().await.unwrap();
    assert_eq!(text(tail.headers(), "content-range"), "bytes 19999999900-19999999999/20000000000");
    assert_eq!(tail.bytes().await.unwrap().len(), 100);
}

#[tokio::test]
async fn a_part_is_given_only_of_the_file_that_it_was_begun_with() {
    let world = World::seeded(1, 0).await;
    let item = world.all(1).await[0].clone();
    let url = format!("{}=d", item["baseUrl"].as_str().unwrap());
    let get = |headers: &[(&'static str, &str)]| {
        let request =
            headers.iter().fold(world.http.get(&url), |request, (name, value)| request.header(*name, *value));
        request.send()
    };
    let first = get(&[]).await.unwrap();
    let tag = text(first.headers(), "etag").to_owned();
    assert!(tag.starts_with('"') && tag.len() > 2, "strong: {tag}");
    let whole = first.bytes().await.unwrap();
    assert_eq!(text(get(&[]).await.unwrap().headers(), "etag"), tag, "stable");
    let part = get(&[("Range", "bytes=100-"), ("If-Range", &tag)]).await.unwrap();
    assert_eq!((part.status().as_u16(), text(part.headers(), "etag")), (206, tag.as_str()));
    assert_eq!(part.bytes().await.unwrap(), whole[100..]);
    let other = get(&[("Range", "bytes=100-"), ("If-Range", "\"another\"")]).await.unwrap();
    assert_eq!(other.status(), 200);
    // The user edits it: the address stays, the bytes and the tag do not.
    world.emulator.world().change_content(item["id"].as_str().unwrap());
    let changed = get(&[("Range", "bytes=100-"), ("If-Range", &tag)]).await.unwrap();
    assert_eq!(changed.status(), 200);
    assert_ne!(text(changed.headers(), "etag"), tag);
    let thumbnail = world.http.get(url.replace("=d", "=w10-h10")).send().await.unwrap();
    assert_ne!(text(thumbnail.headers(), "etag"), tag);
}

#[tokio::test]
async fn head_tells_what_get_gives_and_knows_no_range() {
    let world = World::new().await;
    let emulated = world.emulator.world();
    emulated.add_item(CLIENT, "film.mp4", video::mp4(1, None, None)).unwrap();
    emulated.add_large_video(CLIENT, "long.mp4", 500_000, 1);
    for item in world.all(5).await {
        for parameter in ["d", "dv"] {
            let url = format!("{}={parameter}", item["baseUrl"].as_str().unwrap());
            let head = world.http.head(&url).header("Range", "bytes=0-9").send().await.unwrap();
            assert_eq!(head.status(), 200);
            let get = world.http.get(&url).send().await.unwrap();
            for name in ["content-length", "content-type", "etag", "accept-ranges"] {
                assert_eq!(text(head.headers(), name), text(get.headers(), name), "{name} of {parameter}");
            }
            let length = text(head.headers(), "content-length").to_owned();
            assert_eq!(get.bytes().await.unwrap().len().to_string(), length);
            assert!(head.bytes().await.unwrap().is_empty());
        }
    }
}
