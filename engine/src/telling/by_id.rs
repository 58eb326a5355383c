//! Channels by id, as several people may change them at the same time: nobody's change is lost to another's.

use serde_json::{Map, Value};

use super::{
    channels::{ChannelChoice, ChannelView, kind_of, name_taken},
    outbox::DeliveryState,
};
use crate::{
    engine::Engine,
    error::Error,
    ids::{ChannelId, NoticeId},
    storages::refuse_bad_name,
    store::{Changed, ChannelRow, DeliveryRecord},
};

/// What a channel is to be.
#[derive(Clone, Debug, Default)]
pub struct ChannelChange {
    /// Its name; `None` for the one that it has.
    pub name: Option<String>,
    /// Its whole configuration. Secrets that it leaves out, or gives as dots, are kept, unless a field says anew where they go; those
    /// that it gives as null, or blank, are forgotten.
    pub config: Map<String, Value>,
    /// What it is told of.
    pub choice: ChannelChoice,
    /// The version that was seen, if that is to be the one that is changed.
    pub seen: Option<String>,
}

impl Engine {
    /// One channel, by its id.
    ///
    /// # Errors
    /// When there is none, or its secrets do not open.
    pub async fn channel_by_id(&self, id: ChannelId) -> Result<ChannelView, Error> {
        self.channel_view(&self.channel_row_by_id(id).await?)
    }

    /// Replaces the name and the configuration of a channel and what it is told of. Sends nothing.
    ///
    /// # Errors
    /// [`Error::Changed`] when it is not the version that was seen; every mistake in what is given; a name that is taken.
    pub async fn change_channel(&self, id: ChannelId, change: ChannelChange) -> Result<ChannelView, Error> {
        let old = self.channel_row_by_id(id).await?;
        refuse_another_version(&old, change.seen.as_deref())?;
        let mut row = self.changed_channel(&old, Some(change.config), change.choice).await?;
        if let Some(name) = change.name.filter(|name| *name != old.name) {
            refuse_bad_name("channel", &name)?;
            row.name = name;
        }
        match self.store.replace_channel(&old, &row).await? {
            Changed::Done => self.channel_view(&row),
            Changed::Meanwhile => Err(changed(&old)),
            Changed::NameTaken => Err(name_taken(&row.name)),
        }
    }

    /// Removes a channel, and what was still to be told through it.
    ///
    /// # Errors
    /// [`Error::Changed`] when it is not the version that was seen; when there is none.
    pub async fn remove_channel_by_id(&self, id: ChannelId, seen: Option<&str>) -> Result<(), Error> {
        let row = self.channel_row_by_id(id).await?;
        refuse_another_version(&row, seen)?;
        self.store.remove_channel(id).await
    }

    /// Tells a channel that it works, as it would be with this configuration: secrets that it leaves out are those that are stored,
    /// unless a field says anew where they go (I6). Without a configuration, as it is. Waits for the answer; nothing is written down.
    ///
    /// # Errors
    /// When there is no such channel; every mistake in the configuration; why it could not be told.
    pub async fn test_channel_by_id(
        &self,
        id: ChannelId,
        config: Option<Map<String, Value>>,
    ) -> Result<(), Error> {
        let row = self.channel_row_by_id(id).await?;
        match config {
            None => self.test_channel(&row.name).await,
            Some(config) => {
                let config = self.with_kept(&row, kind_of(&row)?, config)?;
                self.test_unsaved_channel(&row.kind, config).await
            }
        }
    }

    /// What is to be told and what has been, the newest first, from behind one on: of one channel or of all, in one state or in any.
    ///
    /// # Errors
    /// When there is no such channel.
    pub async fn deliveries_after(
        &self,
        channel: Option<ChannelId>,
        state: Option<DeliveryState>,
        after: Option<&(String, NoticeId)>,
        most: u32,
    ) -> Result<Vec<DeliveryRecord>, Error> {
        if let Some(id) = channel {
            self.channel_row_by_id(id).await?;
        }
        self.store.deliveries(channel, state, after, most).await
    }

    async fn channel_row_by_id(&self, id: ChannelId) -> Result<ChannelRow, Error> {
        let rows = self.store.channels().await?;
        rows.into_iter().find(|row| row.id == id).ok_or_else(|| Error::Unknown {
            what: "channel",
            name: id.to_string(),
            known: "it may have been removed".into(),
        })
    }
}

fn refuse_another_version(row: &ChannelRow, seen: Option<&str>) -> Result<(), Error> {
    match seen {
        Some(seen) if seen != row.version() => Err(changed(row)),
        _ => Ok(()),
    }
}

fn changed(row: &ChannelRow) -> Error {
    Error::Changed { what: format!("the channel {}", row.name) }
}
