//! What the user does in the app, and what a test puts into a library: clips, stars, the archive, the bin.

use bytes::Bytes;
use jiff::Timestamp;

use crate::{
    account::Owner,
    content::{Clip, Content},
    large::Large,
    sniff::{Sniffed, sniff},
    state::{Item, State, hash_of},
    world::{World, WorldError},
};

fn picture_of(filename: &str, bytes: &[u8]) -> Result<Sniffed, WorldError> {
    sniff(bytes)
        .filter(|sniffed| !sniffed.is_video())
        .ok_or_else(|| WorldError::NotMedia(filename.to_owned()))
}

impl World {
    /// Puts a motion photo into a client's library; returns its id. It is listed as a still, `=d` gives the still and
    /// `=dv` the clip.
    pub fn add_motion_photo(
        &self,
        client_id: &str,
        filename: &str,
        still: impl Into<Bytes>,
        clip: impl Into<Bytes>,
    ) -> Result<String, WorldError> {
        self.add_moving(client_id, filename, still.into(), clip.into(), false)
    }

    /// Puts a live photo into a client's library, which the camera wrote as two files; returns its id. To the API it is
    /// a motion photo; the full-resolution proxy gives a ZIP of both files, under the name of a picture.
    pub fn add_live_photo(
        &self,
        client_id: &str,
        filename: &str,
        still: impl Into<Bytes>,
        clip: impl Into<Bytes>,
    ) -> Result<String, WorldError> {
        self.add_moving(client_id, filename, still.into(), clip.into(), true)
    }

    fn add_moving(
        &self,
        client_id: &str,
        filename: &str,
        still: Bytes,
        clip: Bytes,
        live: bool,
    ) -> Result<String, WorldError> {
        picture_of(filename, &still)?;
        if !sniff(&clip).is_some_and(|clip| clip.is_video()) {
            return Err(WorldError::NotMedia(format!("the clip of {filename}")));
        }
        let id = self.add_item(client_id, filename, still)?;
        let mut state = self.lock();
        if let Some(&number) = state.item_ids.get(&id) {
            state.items[number].clip = Some(Clip { content: Content::Stored(clip), live });
        }
        Ok(id)
    }

    /// Puts a video of so many bytes into a client's library; returns its id. Its bytes follow from the seed, are written
    /// while they are sent, and come unchanged with `=dv`. Some 8 KB is the least.
    pub fn add_large_video(&self, client_id: &str, filename: &str, bytes: u64, seed: u64) -> String {
        let large = Large::new(seed, bytes);
        let sniffed = sniff(large.head());
        let now = self.now();
        let mut state = self.lock();
        let owner = Owner::new(client_id, &state.settings.account());
        let blank = Item::blank(owner, filename.to_owned(), "video/mp4", now, Content::Large(large));
        let number = state.add_item(Item {
            dimensions: sniffed.as_ref().and_then(|sniffed| sniffed.dimensions),
            frames_per_second: sniffed.as_ref().and_then(|sniffed| sniffed.frames_per_second),
            ..blank
        });
        state.items[number].id.clone()
    }

    /// Some of the original bytes of an item, also of a large one; fewer where the file ends. `None` if there is no such
    /// item or its bytes were not kept.
    pub fn original_part(&self, id: &str, start: u64, length: u64) -> Option<Vec<u8>> {
        let content = self.read(id, |item| item.content.clone())?;
        if let Content::Large(large) = content {
            return Some(large.part(start, length));
        }
        let bytes = content.original()?;
        let at = |place: u64| usize::try_from(place).unwrap_or(usize::MAX).min(bytes.len());
        Some(bytes[at(start)..at(start.saturating_add(length))].to_vec())
    }

    /// The clip of a motion or live photo.
    pub fn clip(&self, id: &str) -> Option<Bytes> {
        self.read(id, |item| item.clip.clone())??.content.original()
    }

    /// Gives an item other bytes, and so another entity tag, as when the user edits it; whether there is such an item.
    pub fn change_content(&self, id: &str) -> bool {
        self.edit(id, State::change_content)
    }

    /// Makes an item a favourite, or no longer; whether there is such an item.
    pub fn set_favorite(&self, id: &str, favorite: bool) -> bool {
        self.edit(id, |state, number| state.items[number].favorite = favorite)
    }

    /// Archives an item, or brings it back; whether there is such an item.
    pub fn set_archived(&self, id: &str, archived: bool) -> bool {
        self.edit(id, |state, number| state.items[number].archived = archived)
    }

    /// Gives an item another name; an empty one is left out of every answer. Whether there is such an item.
    pub fn set_filename(&self, id: &str, filename: &str) -> bool {
        self.edit(id, |state, number| filename.clone_into(&mut state.items[number].filename))
    }

    /// Gives an item another description, as when the user writes one; whether there is such an item.
    pub fn set_description(&self, id: &str, description: &str) -> bool {
        self.edit(id, |state, number| description.clone_into(&mut state.items[number].description))
    }

    /// Gives an item another date, also one in the future; whether there is such an item.
    pub fn set_taken_at(&self, id: &str, at: Timestamp) -> bool {
        let at = Timestamp::from_millisecond(at.as_millisecond()).unwrap_or(at);
        self.edit(id, |state, number| {
            state.timeline.remove(&(state.items[number].taken_at, number));
            state.items[number].taken_at = at;
            state.timeline.insert((at, number));
        })
    }

    /// Shows this text as an item's `creationTime`, whatever it is; `None` leaves the field out. Its place in listings
    /// stays. Whether there is such an item.
    pub fn set_creation_time_text(&self, id: &str, text: Option<&str>) -> bool {
        self.edit(id, |state, number| {
            state.items[number].creation_time = Some(text.unwrap_or_default().to_owned());
        })
    }

    /// Removes an item from the library and from its albums, as the user can in the app; whether there was one.
    pub fn remove_item(&self, id: &str) -> bool {
        self.edit(id, State::remove_item)
    }

    /// Removes an album; its items stay. Whether there was one.
    pub fn remove_album(&self, id: &str) -> bool {
        let mut state = self.lock();
        let Some(number) = state.album_ids.remove(id) else { return false };
        let album = &mut state.albums[number];
        album.removed = true;
        album.entries.clear();
        album.members.clear();
        true
    }

    /// Lets every page token given so far be refused.
    pub fn expire_page_tokens(&self) {
        self.lock().page_token_generation += 1;
    }

    pub(crate) fn read<T>(&self, id: &str, look: impl FnOnce(&Item) -> T) -> Option<T> {
        let state = self.lock();
        let &number = state.item_ids.get(id)?;
        Some(look(&state.items[number]))
    }

    fn edit(&self, id: &str, change: impl FnOnce(&mut State, usize)) -> bool {
        let mut state = self.lock();
        let Some(&number) = state.item_ids.get(id) else { return false };
        change(&mut state, number);
        true
    }
}

impl State {
    /// Gives an item other bytes.
    pub(crate) fn change_content(&mut self, number: usize) {
        let content = self.items[number].content.changed();
        self.forget(number);
        let item = &mut self.items[number];
        // A large one is hashed when somebody asks.
        item.known = content.original().map(|bytes| (hash_of(&bytes), bytes.len() as u64));
        item.content = content;
        item.version += 1;
        if let Some((hash, size)) = item.known {
            self.learn(number, hash, size);
        }
    }

    /// Removes an item from everything that leads to it. Its number stays taken.
    pub(crate) fn remove_item(&mut self, number: usize) {
        self.forget(number);
        self.timeline.remove(&(self.items[number].taken_at, number));
        let id = std::mem::take(&mut self.items[number].id);
        self.item_ids.remove(&id);
        for album in &mut self.albums {
            album.take_out(&[number]);
        }
        let item = &mut self.items[number];
        item.removed = true;
        item.clip = None;
        item.content = Content::Dropped(0);
    }
}
