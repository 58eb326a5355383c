//! Filling a library: how many items and albums, from when, and what they are called.

use jiff::{Timestamp, tz::TimeZone};
use serde::{Deserialize, Serialize};

use crate::{
    account::Owner,
    content::{Clip, Content},
    picture::{Location, Picture},
    random::Random,
    state::{Item, State},
    video::{FRAMES_PER_SECOND, Video},
};

/// What is to be put into a library. As JSON for `POST /-/seed` every field may be left out.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Seed {
    /// Pictures and videos together.
    pub items: u32,
    /// The share of videos among them.
    pub video_share: f64,
    /// The share of motion photos among the pictures.
    pub motion_share: f64,
    /// Albums; item *n* goes into album *n* mod (`albums` + 1), where the last place means "none", and every tenth item
    /// is in the next album too.
    pub albums: u32,
    /// Their titles; what is missing becomes "Album *n*".
    pub album_titles: Vec<String>,
    /// When the oldest item was taken.
    pub first: Timestamp,
    /// When the newest item was taken.
    pub last: Timestamp,
    /// The client that owns them, for the account in the settings; `None` is the settings' default client. `""` is nobody's: visible to no client.
    pub client_id: Option<String>,
    /// Plain pictures: small drawings padded to this many bytes, made on demand and never held in memory.
    pub plain_bytes: Option<usize>,
    /// Pixels. Drawing and encoding cost by the pixel: about 20 ms for 320 × 240 in an unoptimised build.
    pub width: u32,
    /// Pixels.
    pub height: u32,
    /// The share of items with a place (GPS).
    pub location_share: f64,
    /// File names, used in order; then `IMG_0001.jpg`, `VID_0002.mp4` and so on. Names may repeat.
    pub names: Vec<String>,
}

impl Default for Seed {
    fn default() -> Seed {
        Seed {
            items: 0,
            video_share: 0.0,
            motion_share: 0.0,
            albums: 0,
            album_titles: Vec::new(),
            first: Timestamp::from_second(1_262_304_000).unwrap_or(Timestamp::UNIX_EPOCH),
            last: Timestamp::from_second(1_767_225_599).unwrap_or(Timestamp::UNIX_EPOCH),
            client_id: None,
            plain_bytes: None,
            width: 160,
            height: 120,
            location_share: 0.8,
            names: Vec::new(),
        }
    }
}

impl Seed {
    /// So many plain pictures of so many bytes.
    pub fn plain(items: u32, bytes: usize) -> Seed {
        Seed { items, plain_bytes: Some(bytes), width: 64, height: 48, ..Seed::default() }
    }
}

/// What was put in.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Seeded {
    /// In the order of the capture dates.
    pub item_ids: Vec<String>,
    /// In the order of their titles in the seed.
    pub album_ids: Vec<String>,
}

impl State {
    pub(crate) fn seed(&mut self, seed: &Seed, now: Timestamp) -> Seeded {
        let client_id = seed.client_id.clone().unwrap_or_else(|| self.settings.default_client_id.clone());
        let owner = Owner::new(&client_id, &self.settings.account());
        let base = self.settings.seed.wrapping_mul(0x1_0000_0001).wrapping_add(self.seeded);
        let mut random = Random::new(base);
        let from = seed.first.as_second();
        let span = u64::try_from(seed.last.as_second() - from).unwrap_or(0);
        let total = u64::from(seed.items);
        let mut item_numbers = Vec::with_capacity(seed.items as usize);
        for index in 0..total {
            self.seeded += 1;
            let serial = self.seeded;
            // Evenly spread, with a little disorder in between.
            let step = span / total.max(1);
            let offset = index * step + random.below(step.max(1));
            let taken_at =
                Timestamp::from_second(from + i64::try_from(offset).unwrap_or(0)).unwrap_or(seed.first);
            let is_video = random.fraction() < seed.video_share;
            let location = (random.fraction() < seed.location_share).then(|| Location {
                latitude: -55.0 + 120.0 * random.fraction(),
                longitude: -170.0 + 340.0 * random.fraction(),
            });
            let made_from = random.next_u64();
            let name = usize::try_from(index).ok().and_then(|index| seed.names.get(index)).cloned();
            // Asked only where there are some, so that other seeds give the same world as ever.
            let moves = seed.motion_share > 0.0 && !is_video && random.fraction() < seed.motion_share;
            let item = if is_video {
                video_item(made_from, serial, taken_at, location)
            } else if moves {
                let still = picture_item(seed, made_from, serial, taken_at, location);
                let clip = Content::Video(Video { taken_at: Some(taken_at), ..Video::new(made_from) });
                let filename = format!("PXL_{serial:04}.MP.jpg");
                Item { filename, clip: Some(Clip { content: clip, live: false }), ..still }
            } else {
                picture_item(seed, made_from, serial, taken_at, location)
            };
            let filename = name.unwrap_or(item.filename);
            // It has been there since it was taken.
            let created_at = taken_at.min(now);
            let owner = owner.clone();
            item_numbers.push(self.add_item(Item { owner, filename, created_at, ..item }));
        }
        let albums: Vec<usize> = (0..seed.albums as usize)
            .map(|index| {
                let title = seed.album_titles.get(index).cloned();
                let title = title.unwrap_or_else(|| format!("Album {}", index + 1));
                self.add_album(&owner, &title, now)
            })
            .collect();
        for (index, &item) in item_numbers.iter().enumerate() {
            let place = index % (albums.len() + 1);
            if let Some(&album) = albums.get(place) {
                self.put_into_album(album, item, None);
                if index % 10 == 0 {
                    self.put_into_album(albums[(place + 1) % albums.len()], item, None);
                }
            }
        }
        Seeded {
            item_ids: item_numbers.iter().map(|&number| self.items[number].id.clone()).collect(),
            album_ids: albums.iter().map(|&number| self.albums[number].id.clone()).collect(),
        }
    }
}

fn blank(filename: String, mime_type: &str, taken_at: Timestamp, content: Content) -> Item {
    Item::blank(Owner::default(), filename, mime_type, taken_at, content)
}

fn picture_item(
    seed: &Seed,
    made_from: u64,
    serial: u64,
    taken_at: Timestamp,
    location: Option<Location>,
) -> Item {
    let picture = Picture {
        width: seed.width,
        height: seed.height,
        taken_at: Some(taken_at.to_zoned(TimeZone::UTC).datetime()),
        location,
        number: u32::try_from(serial).ok(),
        padded_to: seed.plain_bytes,
        ..Picture::new(made_from)
    };
    let (exif, dimensions) = (Box::new(picture.exif()), Some((picture.width, picture.height)));
    let content = Content::Picture(Box::new(picture));
    let name = format!("IMG_{serial:04}.jpg");
    Item { dimensions, exif, ..blank(name, "image/jpeg", taken_at, content) }
}

fn video_item(made_from: u64, serial: u64, taken_at: Timestamp, location: Option<Location>) -> Item {
    let video = Video { taken_at: Some(taken_at), location, ..Video::new(made_from) };
    let dimensions = Some((video.width, video.height));
    let frames_per_second = Some(f64::from(FRAMES_PER_SECOND));
    let name = format!("VID_{serial:04}.mp4");
    Item { dimensions, frames_per_second, ..blank(name, "video/mp4", taken_at, Content::Video(video)) }
}
