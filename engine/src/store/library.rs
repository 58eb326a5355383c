//! The library: what is home, along the order in which it was taken, or along its names.
//!
//! A timeline is a merge of four stretches of one index, one for each class (photo or video, original or copy): so that a page of
//! any of them, or of several, takes as many steps as it has items. Names are found folder by folder, along the index of paths.

use std::collections::HashMap;

use charon_provider::{AlbumId, Fidelity, Kind, RemoteId};
use jiff::Timestamp;
use serde_json::json;
use sqlx::{Row, sqlite::SqliteRow};

use super::{Doing, Store, count, decode_error, fidelity_of, moment, no, parsed, sha256_of};
use crate::{
    browsing::InLibrary,
    error::Error,
    ids::{PlanId, StorageId},
    library::{Holder, InAlbum, InMirror, ItemId, LibraryAlbum, LibraryItem, StoredPart},
};

const DOING: &str = "list the library";

/// The moment of an item of which nobody knows when it was taken: before all others.
const UNDATED: i64 = -1_099_511_627_776;
/// The names that one page looks at, at most.
const PROBES: i64 = 1_500;

/// Which items are wanted, in the words of the database.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Wanted {
    /// A bit for each class.
    pub(crate) classes: i64,
    /// Not taken before this.
    pub(crate) from: Option<Timestamp>,
    /// Taken before this.
    pub(crate) before: Option<Timestamp>,
}

impl Wanted {
    /// All items.
    pub(crate) fn all() -> Self {
        Self { classes: 0b1111, from: None, before: None }
    }

    fn from(&self) -> i64 {
        self.from.map_or(UNDATED, Timestamp::as_second)
    }

    /// The place behind which all are taken early enough.
    fn behind(&self, place: Place) -> Place {
        self.before.map_or(place, |before| place.min(Place { taken: before.as_second(), asset: 0 }))
    }
}

/// Where an item is in a timeline; later ones are greater.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Place {
    /// When it was taken, in whole seconds since 1970.
    pub(crate) taken: i64,
    pub(crate) asset: i64,
}

impl Place {
    /// Before the first item of a page from the beginning.
    pub(crate) const END: Self = Self { taken: i64::MAX, asset: i64::MAX };
}

/// An item, and where a list that shows it goes on behind it.
#[derive(Clone, Debug)]
pub(crate) struct Shelved {
    pub(crate) place: Place,
    /// What its path is compared by.
    pub(crate) key: String,
    pub(crate) item: LibraryItem,
}

/// How many items were taken in a month, by class.
#[derive(Clone, Copy, Debug)]
pub(crate) struct MonthOfClasses {
    /// The beginning of the month in UTC; `None` for those that nobody can date.
    pub(crate) began: Option<Timestamp>,
    pub(crate) items: [u64; 4],
}

/// The class of an item.
pub(crate) fn class(kind: Kind, fidelity: Fidelity) -> usize {
    usize::from(kind == Kind::Video) + 2 * usize::from(fidelity == Fidelity::Original)
}

/// What is shown of an item in a list, of `page` with its `asset_id`, in the mirror of the plan `?1`.
macro_rules! shown {
    ($($page:tt)+) => {
        concat!(
            "SELECT copies.asset_id, copies.taken, copies.class, copies.path, copies.size, copies.sha256, copies.stored_at,
                 remotes.file_name, remotes.mime_type, remotes.taken_at, COALESCE(path_key, lower(path)) AS key
             FROM (",
            $($page)+,
            ") AS page
             CROSS JOIN copies ON copies.plan = ",
            no!(plan "?1"),
            " AND copies.asset_id = page.asset_id AND copies.part = 0 AND copies.class IS NOT NULL
             CROSS JOIN remotes ON remotes.asset_id = copies.asset_id AND remotes.storage = ",
            storage_of_plan!(),
            " AND remotes.remote_id = (SELECT MIN(same.remote_id) FROM remotes AS same
                 WHERE same.asset_id = copies.asset_id AND same.storage = ",
            storage_of_plan!(),
            ")"
        )
    };
}

/// The number of the storage of the plan `?1`.
macro_rules! storage_of_plan {
    () => {
        "(SELECT storages.no FROM plans JOIN storages ON storages.id = plans.storage_id WHERE plans.id = ?1)"
    };
}

/// So many items of one class (`?6`), those next to a place (`?3`, `?4`), not taken before `?5`, if the class is among those wanted (`?2`).
macro_rules! stretch {
    ($class:literal, $behind:literal, $order:literal) => {
        concat!(
            "SELECT * FROM (SELECT asset_id, taken FROM copies WHERE plan = ",
            no!(plan "?1"),
            " AND class = ",
            $class,
            " AND (?2 >> ",
            $class,
            ") & 1 = 1 AND (taken, asset_id) ",
            $behind,
            " (?3, ?4) AND taken >= ?5 ORDER BY taken ",
            $order,
            ", asset_id ",
            $order,
            " LIMIT ?6)"
        )
    };
}

/// The four stretches as one.
macro_rules! timeline {
    ($behind:literal, $order:literal) => {
        shown!(concat!(
            "SELECT asset_id FROM (",
            stretch!(0, $behind, $order),
            " UNION ALL ",
            stretch!(1, $behind, $order),
            " UNION ALL ",
            stretch!(2, $behind, $order),
            " UNION ALL ",
            stretch!(3, $behind, $order),
            ") ORDER BY taken ",
            $order,
            ", asset_id ",
            $order,
            " LIMIT ?6"
        ))
    };
}

/// The folder of a path key, with its slash.
macro_rules! folder {
    () => {
        "rtrim(key, replace(key, '/', ''))"
    };
}

/// Whether a name of the key `key` begins with `?2`.
macro_rules! is_named {
    () => {
        concat!("key >= ", folder!(), " || ?2 AND key < ", folder!(), " || ?2 || char(1114111)")
    };
}

/// The last key of the plan `?1` before this one.
macro_rules! key_before {
    ($($key:tt)+) => {
        concat!(
            "(SELECT COALESCE(path_key, lower(path)) FROM copies WHERE plan = ",
            no!(plan "?1"),
            " AND COALESCE(path_key, lower(path)) < ",
            $($key)+,
            " ORDER BY COALESCE(path_key, lower(path)) DESC LIMIT 1)"
        )
    };
}

/// The names of the plan `?1` that begin with `?2`, from behind the key `?3` backwards, folder by folder; `?5` of them, after `?4` look-ups at
/// most, the last of which is told too. Each look-up is one in the index of paths: of the name before, or over the other names of
/// its folder to where one may be.
const NAMED: &str = concat!(
    "WITH RECURSIVE probes (key, number) AS (
         SELECT ",
    key_before!("?3"),
    ", 1
         UNION ALL
         SELECT ",
    key_before!(concat!(
        "CASE WHEN ",
        is_named!(),
        " THEN key WHEN key > ",
        folder!(),
        " || ?2 THEN ",
        folder!(),
        " || ?2 || char(1114111) ELSE ",
        folder!(),
        " END"
    )),
    ", number + 1 FROM probes WHERE key IS NOT NULL AND number < ?4
     ), looked (key, is_last, is_found) AS (
         SELECT key, number = ?4, ",
    is_named!(),
    " AND (SELECT class IS NOT NULL AND (?6 >> class) & 1 = 1 AND taken >= ?7 AND taken < ?8 FROM copies WHERE plan = ",
    no!(plan "?1"),
    " AND COALESCE(path_key, lower(path)) = key) FROM probes WHERE key IS NOT NULL
     )
     SELECT key, is_found IS 1 AS is_found FROM looked WHERE is_found IS 1 OR is_last LIMIT ?5"
);

/// Items by their path keys (`?2`).
const OF_KEYS: &str = shown!(concat!(
    "SELECT copies.asset_id FROM json_each(?2) AS wanted CROSS JOIN copies ON copies.plan = ",
    no!(plan "?1"),
    " AND COALESCE(copies.path_key, lower(copies.path)) = wanted.value"
));

/// One item (`?2`).
const OF_ASSET: &str = shown!("SELECT ?2 AS asset_id");

/// The items of an album of the plan's storage that are in its mirror: those that the storage showed there, and those that Charon has
/// put there.
macro_rules! of_album {
    ($album:literal) => {
        concat!(
            "(SELECT asset_id FROM album_members WHERE storage = ",
            storage_of_plan!(),
            " AND album_id = ",
            $album,
            " UNION SELECT member.asset_id FROM album_items CROSS JOIN remotes AS member ON member.storage = ",
            storage_of_plan!(),
            " AND member.remote_id = album_items.remote_id
             WHERE album_items.storage_id = (SELECT storage_id FROM plans WHERE id = ?1) AND album_items.album_id = ",
            $album,
            ") AS known_members CROSS JOIN copies AS held ON held.plan = ",
            no!(plan "?1"),
            " AND held.asset_id = known_members.asset_id AND held.part = 0 AND held.class IS NOT NULL"
        )
    };
}

/// A page of an album: those wanted (`?3`) behind a place (`?4`, `?5`), not taken before `?6`, whose names begin with `?8`; `?7` of them.
const IN_ALBUM: &str = shown!(concat!(
    "SELECT DISTINCT held.asset_id FROM (SELECT held.asset_id, held.taken, COALESCE(held.path_key, lower(held.path)) AS key FROM ",
    of_album!("?2"),
    " WHERE (?3 >> held.class) & 1 = 1 AND (held.taken, held.asset_id) < (?4, ?5) AND held.taken >= ?6) AS held
     WHERE substr(key, length(",
    folder!(),
    ") + 1, length(?8)) = ?8 ORDER BY held.taken DESC, held.asset_id DESC LIMIT ?7"
));

/// The albums that are known of the storage of the plan `?1`, with how many of their items are in its mirror, and the newest of them. The
/// storage's own title of an album counts.
const ALBUMS: &str = concat!(
    "SELECT known.album_id, known.title,
         (SELECT COUNT(DISTINCT held.asset_id) FROM ",
    of_album!("known.album_id"),
    ") AS items,
         (SELECT held.asset_id FROM ",
    of_album!("known.album_id"),
    " ORDER BY held.taken DESC, held.asset_id DESC LIMIT 1) AS cover
     FROM (SELECT album_id, title FROM storage_albums WHERE storage = ",
    storage_of_plan!(),
    " UNION ALL SELECT album_id, title FROM albums WHERE storage_id = (SELECT storage_id FROM plans WHERE id = ?1)
             AND album_id IS NOT NULL AND NOT EXISTS (SELECT 1 FROM storage_albums AS shown WHERE shown.storage = ",
    storage_of_plan!(),
    " AND shown.album_id = albums.album_id)) AS known ORDER BY known.title, known.album_id"
);

/// When the last item of a class was taken before this.
macro_rules! last_before {
    ($class:literal, $moment:literal) => {
        concat!(
            "COALESCE((SELECT MAX(taken) FROM copies WHERE plan = ",
            no!(plan "?1"),
            " AND class = ",
            $class,
            " AND taken < ",
            $moment,
            "), ?2)"
        )
    };
}

/// The month in which the last item was taken before this; null if there is none.
macro_rules! month_before {
    ($moment:literal) => {
        concat!(
            "unixepoch(NULLIF(MAX(",
            last_before!(0, $moment),
            ", ",
            last_before!(1, $moment),
            ", ",
            last_before!(2, $moment),
            ", ",
            last_before!(3, $moment),
            "), ?2), 'unixepoch', 'start of month')"
        )
    };
}

/// How many items of a class there are from `began` on for a month.
macro_rules! in_month {
    ($class:literal) => {
        concat!(
            "(SELECT COUNT(*) FROM copies WHERE plan = ",
            no!(plan "?1"),
            " AND class = ",
            $class,
            " AND taken >= began AND taken < unixepoch(began, 'unixepoch', '+1 month'))"
        )
    };
}

/// The months in which items of the plan `?1` were taken, the last first, with how many of each class.
const MONTHS: &str = concat!(
    "WITH RECURSIVE months (began) AS (
         SELECT ",
    month_before!("9223372036854775807"),
    " UNION ALL SELECT ",
    month_before!("began"),
    " FROM months WHERE began IS NOT NULL
     )
     SELECT began, ",
    in_month!(0),
    ", ",
    in_month!(1),
    ", ",
    in_month!(2),
    ", ",
    in_month!(3),
    " FROM months WHERE began IS NOT NULL"
);

/// How many items of each class there are of which nobody knows when they were taken (`?2`).
const UNDATED_ITEMS: &str = concat!(
    "SELECT class, COUNT(*) AS items FROM copies WHERE plan = ",
    no!(plan "?1"),
    " AND class IN (0, 1, 2, 3) AND taken = ?2 GROUP BY class"
);

impl Store {
    /// A page of the timeline: the items behind a place, those that were taken last first.
    pub(crate) async fn library_page(
        &self,
        plan: PlanId,
        wanted: &Wanted,
        behind: Place,
        most: u32,
    ) -> Result<Vec<Shelved>, Error> {
        let mut page =
            self.timeline(timeline!("<", "DESC"), plan, wanted, wanted.behind(behind), most).await?;
        page.sort_by_key(|one| std::cmp::Reverse(one.place));
        Ok(page)
    }

    /// The item that was taken next after a place.
    pub(crate) async fn library_newer(&self, plan: PlanId, place: Place) -> Result<Option<Shelved>, Error> {
        Ok(self.timeline(timeline!(">", "ASC"), plan, &Wanted::all(), place, 1).await?.pop())
    }

    async fn timeline(
        &self,
        sql: &'static str,
        plan: PlanId,
        wanted: &Wanted,
        place: Place,
        most: u32,
    ) -> Result<Vec<Shelved>, Error> {
        let rows = sqlx::query(sql)
            .bind(plan.to_string())
            .bind(wanted.classes)
            .bind(place.taken)
            .bind(place.asset)
            .bind(wanted.from())
            .bind(most)
            .fetch_all(&self.reader)
            .await;
        read_all(rows)
    }

    /// A page of the items whose names begin so, those in the last folders first: behind a key, so many. Gives also where to go on,
    /// unless it is the end.
    pub(crate) async fn library_named(
        &self,
        plan: PlanId,
        wanted: &Wanted,
        (name, behind): (&str, Option<&str>),
        most: u32,
    ) -> Result<(Vec<Shelved>, Option<String>), Error> {
        let rows = sqlx::query(NAMED)
            .bind(plan.to_string())
            .bind(name)
            // Behind every key.
            .bind(behind.unwrap_or("\u{10ffff}"))
            .bind(PROBES)
            .bind(most)
            .bind(wanted.classes)
            .bind(wanted.from())
            .bind(wanted.before.map_or(i64::MAX, Timestamp::as_second))
            .fetch_all(&self.reader)
            .await
            .doing(DOING)?;
        let found = |row: &SqliteRow| Ok((row.try_get("key")?, row.try_get("is_found")?));
        let found: Vec<(String, bool)> =
            rows.iter().map(found).collect::<Result<_, sqlx::Error>>().doing(DOING)?;
        // Fewer than were asked for are the last ones, unless there were too many look-ups.
        let is_full = found.len() == most as usize;
        let next = found.last().filter(|(_, is_found)| is_full || !is_found).map(|(key, _)| key.clone());
        let keys: Vec<String> =
            found.into_iter().filter(|(_, is_found)| *is_found).map(|(key, _)| key).collect();
        let rows = sqlx::query(OF_KEYS)
            .bind(plan.to_string())
            .bind(json!(keys).to_string())
            .fetch_all(&self.reader)
            .await;
        let mut page = read_all(rows)?;
        page.sort_by(|one, other| other.key.cmp(&one.key));
        Ok((page, next))
    }

    /// A page of an album, as [`library_page`](Self::library_page), of names that begin so.
    pub(crate) async fn library_of_album(
        &self,
        plan: PlanId,
        wanted: &Wanted,
        (album, name): (&AlbumId, &str),
        behind: Place,
        most: u32,
    ) -> Result<Vec<Shelved>, Error> {
        let behind = wanted.behind(behind);
        let rows = sqlx::query(IN_ALBUM)
            .bind(plan.to_string())
            .bind(&album.0)
            .bind(wanted.classes)
            .bind(behind.taken)
            .bind(behind.asset)
            .bind(wanted.from())
            .bind(most)
            .bind(name)
            .fetch_all(&self.reader)
            .await;
        let mut page = read_all(rows)?;
        page.sort_by_key(|one| std::cmp::Reverse(one.place));
        Ok(page)
    }

    /// The albums that are known of a plan's storage, by title.
    pub(crate) async fn library_albums(&self, plan: PlanId) -> Result<Vec<LibraryAlbum>, Error> {
        let rows = sqlx::query(ALBUMS).bind(plan.to_string()).fetch_all(&self.reader).await;
        let album = |row: &SqliteRow| {
            Ok(LibraryAlbum {
                id: AlbumId(row.try_get("album_id")?),
                title: row.try_get("title")?,
                items: count(row, "items")?,
                cover: row.try_get::<Option<i64>, _>("cover")?.map(ItemId),
            })
        };
        rows.and_then(|rows| rows.iter().map(album).collect()).doing("list the albums of the library")
    }

    /// In which months the items of a plan were taken, the last first, and at the end how many nobody can date.
    pub(crate) async fn library_months(&self, plan: PlanId) -> Result<Vec<MonthOfClasses>, Error> {
        const DOING: &str = "count the items of each month";
        let rows = sqlx::query(MONTHS)
            .bind(plan.to_string())
            .bind(UNDATED)
            .fetch_all(&self.reader)
            .await
            .doing(DOING)?;
        let month = |row: &SqliteRow| {
            let mut items = [0; 4];
            for (class, items) in items.iter_mut().enumerate() {
                *items = u64::try_from(row.try_get::<i64, _>(class + 1)?).map_err(decode_error)?;
            }
            let began = Timestamp::from_second(row.try_get(0)?).map_err(decode_error)?;
            Ok(MonthOfClasses { began: Some(began), items })
        };
        let mut months: Vec<MonthOfClasses> =
            rows.iter().map(month).collect::<Result<_, sqlx::Error>>().doing(DOING)?;
        let rows = sqlx::query(UNDATED_ITEMS)
            .bind(plan.to_string())
            .bind(UNDATED)
            .fetch_all(&self.reader)
            .await
            .doing(DOING)?;
        let mut undated = [0; 4];
        for row in &rows {
            let class = usize::try_from(row.try_get::<i64, _>("class").doing(DOING)?).unwrap_or_default();
            if let Some(items) = undated.get_mut(class) {
                *items = count(row, "items").doing(DOING)?;
            }
        }
        if undated != [0; 4] {
            months.push(MonthOfClasses { began: None, items: undated });
        }
        Ok(months)
    }

    /// One item.
    pub(crate) async fn library_item(&self, plan: PlanId, item: ItemId) -> Result<Option<Shelved>, Error> {
        let rows = sqlx::query(OF_ASSET).bind(plan.to_string()).bind(item.0).fetch_all(&self.reader).await;
        Ok(read_all(rows)?.pop())
    }

    /// Its files in the mirror.
    pub(crate) async fn library_parts(&self, plan: PlanId, item: ItemId) -> Result<Vec<StoredPart>, Error> {
        let rows = sqlx::query(concat!(
            "SELECT copies.part, copies.path, copies.size, copies.sha256, copies.stored_at, copies.verified_at, copies.damage,
                 contents.fidelity FROM copies JOIN contents ON contents.asset_id = copies.asset_id AND contents.part = copies.part
                 AND contents.sha256 = copies.sha256
             WHERE copies.plan = ",
            no!(plan "?1"),
            " AND copies.asset_id = ?2 ORDER BY copies.part"
        ))
        .bind(plan.to_string())
        .bind(item.0)
        .fetch_all(&self.reader)
        .await;
        let part = |row: &SqliteRow| {
            let (verified_at, damage): (Option<i64>, Option<&str>) =
                (row.try_get("verified_at")?, row.try_get("damage")?);
            Ok(StoredPart {
                is_clip: row.try_get::<i64, _>("part")? == 1,
                path: row.try_get("path")?,
                size: count(row, "size")?,
                sha256: sha256_of(row, "sha256")?,
                stored_at: moment(row, "stored_at")?,
                fidelity: fidelity_of(row, "fidelity")?,
                verified_at: verified_at
                    .map(Timestamp::from_microsecond)
                    .transpose()
                    .map_err(decode_error)?,
                damage: damage.map(|damage| damage.parse().map_err(decode_error)).transpose()?,
            })
        };
        rows.and_then(|rows| rows.iter().map(part).collect()).doing("look up the files of an item")
    }

    /// The storages that hold it, by name.
    pub(crate) async fn holders(&self, item: ItemId) -> Result<Vec<Holder>, Error> {
        let rows = sqlx::query(
            "SELECT storages.id, storages.name, remotes.remote_id, remotes.first_seen_at FROM remotes
             JOIN storages ON storages.no = remotes.storage WHERE remotes.asset_id = ? ORDER BY storages.name",
        )
        .bind(item.0)
        .fetch_all(&self.reader)
        .await;
        let holder = |row: &SqliteRow| {
            Ok(Holder {
                storage: parsed(row, "id")?,
                name: row.try_get("name")?,
                media_id: RemoteId(row.try_get("remote_id")?),
                first_seen_at: moment(row, "first_seen_at")?,
            })
        };
        rows.and_then(|rows| rows.iter().map(holder).collect()).doing("look up who holds an item")
    }

    /// The mirrors in which these items of a storage are home.
    pub(crate) async fn home_of(
        &self,
        storage: StorageId,
        ids: &[&RemoteId],
    ) -> Result<HashMap<RemoteId, Vec<InLibrary>>, Error> {
        const DOING: &str = "look up what is home";
        let rows = sqlx::query(concat!(
            "SELECT remotes.remote_id, plans.id, copies.asset_id FROM json_each(?1) AS wanted
             CROSS JOIN remotes ON remotes.storage = ",
            no!(storage "?2"),
            " AND remotes.remote_id = wanted.value
             CROSS JOIN plans CROSS JOIN copies ON copies.plan = plans.no AND copies.asset_id = remotes.asset_id
                 AND copies.part = 0 AND copies.class IS NOT NULL ORDER BY plans.name",
        ))
        .bind(json!(ids).to_string())
        .bind(storage.to_string())
        .fetch_all(&self.reader)
        .await
        .doing(DOING)?;
        let mut home: HashMap<RemoteId, Vec<InLibrary>> = HashMap::new();
        for row in &rows {
            let item = ItemId(row.try_get("asset_id").doing(DOING)?);
            let found = InLibrary { plan: parsed(row, "id").doing(DOING)?, item };
            home.entry(RemoteId(row.try_get("remote_id").doing(DOING)?)).or_default().push(found);
        }
        Ok(home)
    }

    /// The other mirrors that it is in, by the names of their plans.
    pub(crate) async fn other_mirrors(&self, plan: PlanId, item: ItemId) -> Result<Vec<InMirror>, Error> {
        let rows = sqlx::query(
            "SELECT plans.id, plans.name, copies.path FROM plans CROSS JOIN copies ON copies.plan = plans.no
                 AND copies.asset_id = ?2 AND copies.part = 0 AND copies.class IS NOT NULL
             WHERE plans.id <> ?1 ORDER BY plans.name",
        )
        .bind(plan.to_string())
        .bind(item.0)
        .fetch_all(&self.reader)
        .await;
        let mirror = |row: &SqliteRow| {
            Ok(InMirror { plan: parsed(row, "id")?, name: row.try_get("name")?, path: row.try_get("path")? })
        };
        rows.and_then(|rows| rows.iter().map(mirror).collect()).doing("look up where an item is")
    }

    /// The albums that it is known to be in, by title.
    pub(crate) async fn albums_of(&self, item: ItemId) -> Result<Vec<InAlbum>, Error> {
        // What the storage itself calls an album comes first.
        let rows = sqlx::query(
            "SELECT storage_albums.album_id, storage_albums.title, 0 AS is_ours FROM album_members
             CROSS JOIN storage_albums ON storage_albums.storage = album_members.storage
                 AND storage_albums.album_id = album_members.album_id
             WHERE album_members.asset_id = ?1
             UNION
             SELECT albums.album_id, albums.title, 1 FROM remotes
             CROSS JOIN storages ON storages.no = remotes.storage
             CROSS JOIN albums ON albums.storage_id = storages.id AND albums.album_id IS NOT NULL
             CROSS JOIN album_items ON album_items.storage_id = storages.id AND album_items.album_id = albums.album_id
                 AND album_items.remote_id = remotes.remote_id
             WHERE remotes.asset_id = ?1 ORDER BY is_ours",
        )
        .bind(item.0)
        .fetch_all(&self.reader)
        .await;
        let album = |row: &SqliteRow| {
            Ok(InAlbum { id: AlbumId(row.try_get("album_id")?), title: row.try_get("title")? })
        };
        let found: Vec<InAlbum> =
            rows.and_then(|rows| rows.iter().map(album).collect()).doing("look up the albums of an item")?;
        let mut albums: Vec<InAlbum> = Vec::new();
        for album in found {
            if albums.iter().all(|known| known.id != album.id) {
                albums.push(album);
            }
        }
        albums.sort_by(|one, other| (&one.title, &one.id.0).cmp(&(&other.title, &other.id.0)));
        Ok(albums)
    }
}

fn read_all(rows: Result<Vec<SqliteRow>, sqlx::Error>) -> Result<Vec<Shelved>, Error> {
    rows.and_then(|rows| rows.iter().map(read).collect()).doing(DOING)
}

fn read(row: &SqliteRow) -> Result<Shelved, sqlx::Error> {
    let class: i64 = row.try_get("class")?;
    let asset = row.try_get("asset_id")?;
    let taken_at: Option<i64> = row.try_get("taken_at")?;
    Ok(Shelved {
        place: Place { taken: row.try_get("taken")?, asset },
        key: row.try_get("key")?,
        item: LibraryItem {
            id: ItemId(asset),
            name: row.try_get("file_name")?,
            mime_type: row.try_get("mime_type")?,
            kind: if class & 1 == 1 { Kind::Video } else { Kind::Photo },
            taken_at: taken_at.map(Timestamp::from_microsecond).transpose().map_err(decode_error)?,
            stored_at: moment(row, "stored_at")?,
            size: count(row, "size")?,
            sha256: sha256_of(row, "sha256")?,
            fidelity: if class & 2 == 2 { Fidelity::Original } else { Fidelity::ApiCopy },
            path: row.try_get("path")?,
        },
    })
}
