//! Channels: those who are told, by name. Their secrets are sealed as those of storages are (I6).

use std::num::NonZeroU32;

use charon_notify::{Channel, Event, Kind};
use charon_schema::{ConfigSchema, Mistake, Mistakes};
use jiff::Timestamp;
use schemars::JsonSchema;
use serde::Serialize;
use serde_json::{Map, Value};

use crate::{
    engine::Engine,
    error::Error,
    ids::ChannelId,
    registry::known,
    storages::refuse_bad_name,
    store::{Changed, ChannelRow},
};

/// After how many failures in a row that is told, unless somebody says otherwise.
const IN_A_ROW: NonZeroU32 = NonZeroU32::new(3).expect("three is not nothing");

/// What a channel is told of. What is `None` is as it was, or as it usually is.
#[derive(Clone, Debug, Default)]
pub struct ChannelChoice {
    /// The events. By default those that call for somebody, or for a ping those of every run.
    pub events: Option<Vec<Event>>,
    /// The names of the plans; empty for all, which is the default.
    pub plans: Option<Vec<String>>,
    /// After how many failures in a row that is told, and after as many more again. By default 3.
    pub in_a_row: Option<NonZeroU32>,
}

/// A channel as it can be shown: its secrets hidden (I6).
#[derive(Clone, Debug, Serialize, JsonSchema)]
pub struct ChannelView {
    /// Its id.
    pub id: ChannelId,
    /// Its name.
    pub name: String,
    /// The id of its kind.
    pub kind: String,
    /// Its configuration, secrets replaced by dots.
    pub config: Map<String, Value>,
    /// What it is told of.
    pub events: Vec<Event>,
    /// The names of the plans that it is told of; `None` for all.
    pub plans: Option<Vec<String>>,
    /// After how many failures in a row that is told.
    pub in_a_row: NonZeroU32,
    /// When it was added.
    pub created_at: Timestamp,
    /// Another one whenever anything of it has changed.
    #[serde(skip)]
    pub version: String,
}

/// One kind of channel, as a form needs it.
#[derive(Clone, Debug)]
pub struct ChannelKind {
    /// The name by which it is asked for.
    pub id: &'static str,
    /// What people call it.
    pub title: &'static str,
    /// The schema of its configuration.
    pub schema: &'static ConfigSchema,
    /// What it can be told of.
    pub events: Vec<Event>,
    /// What it is told of unless somebody says otherwise.
    pub default_events: &'static [Event],
}

/// All kinds of channels.
pub fn channel_kinds() -> Vec<ChannelKind> {
    let kind = |kind: &'static Kind| ChannelKind {
        id: kind.id,
        title: kind.title,
        schema: &kind.schema,
        events: Event::ALL.into_iter().filter(|event| *event != Event::Test && kind.speaks(*event)).collect(),
        default_events: kind.default_events,
    };
    charon_notify::kinds().iter().map(kind).collect()
}

/// The JSON Schemas of all kinds of channels, by their ids.
pub fn channel_schemas() -> Value {
    let schemas =
        charon_notify::kinds().iter().map(|kind| (kind.id.to_owned(), kind.schema.as_json().clone()));
    Value::Object(schemas.collect())
}

impl Engine {
    /// Adds a channel. Sends nothing.
    ///
    /// # Errors
    /// Every mistake in the configuration or the choice; a name that is taken or cannot be given.
    pub async fn add_channel(
        &self,
        name: &str,
        kind: &str,
        config: Map<String, Value>,
        choice: ChannelChoice,
    ) -> Result<ChannelView, Error> {
        refuse_bad_name("channel", name)?;
        let wrong = |mistakes| Error::Config { what: format!("the channel {name}"), mistakes };
        let judged = Channel::read(kind, config.clone()).err();
        let Some(known) = charon_notify::kind(kind) else {
            return Err(wrong(judged.unwrap_or(Mistakes(Vec::new()))));
        };
        let row = ChannelRow {
            id: ChannelId::new(&*self.clock, &*self.entropy),
            name: name.to_owned(),
            kind: kind.to_owned(),
            config: Map::new(),
            secrets: Vec::new(),
            events: known.default_events.to_vec(),
            plans: None,
            in_a_row: IN_A_ROW,
            created_at: self.clock.now(),
        };
        let row = self.chosen(row, known, choice, judged).await?;
        let row = self.sealed(row, known, config);
        if !self.store.add_channel(&row).await? {
            return Err(name_taken(name));
        }
        self.channel_view(&row)
    }

    /// Replaces the configuration of a channel, if one is given, and what it is told of, where that is given. Secrets that the
    /// configuration leaves out are kept, unless a field says anew where they go (I6); those that are null or blank are forgotten.
    /// Sends nothing.
    ///
    /// # Errors
    /// As for [`add_channel`](Engine::add_channel); when there is no such channel.
    pub async fn update_channel(
        &self,
        name: &str,
        config: Option<Map<String, Value>>,
        choice: ChannelChoice,
    ) -> Result<ChannelView, Error> {
        loop {
            let old = self.channel_row(name).await?;
            let row = self.changed_channel(&old, config.clone(), choice.clone()).await?;
            if self.store.replace_channel(&old, &row).await? == Changed::Done {
                return self.channel_view(&row);
            }
        }
    }

    /// A channel as it is to be.
    pub(super) async fn changed_channel(
        &self,
        old: &ChannelRow,
        config: Option<Map<String, Value>>,
        choice: ChannelChoice,
    ) -> Result<ChannelRow, Error> {
        let kind = kind_of(old)?;
        let config = match config {
            Some(config) => Some(self.with_kept(old, kind, config)?),
            None => None,
        };
        let judged = config.as_ref().and_then(|config| Channel::read(&old.kind, config.clone()).err());
        let row = self.chosen(old.clone(), kind, choice, judged).await?;
        Ok(match config {
            Some(config) => self.sealed(row, kind, config),
            None => row,
        })
    }

    /// All channels, by name.
    ///
    /// # Errors
    /// When the secrets of one do not open.
    pub async fn channels(&self) -> Result<Vec<ChannelView>, Error> {
        self.store.channels().await?.iter().map(|row| self.channel_view(row)).collect()
    }

    /// One channel.
    ///
    /// # Errors
    /// When there is none of this name, or its secrets do not open.
    pub async fn channel(&self, name: &str) -> Result<ChannelView, Error> {
        self.channel_view(&self.channel_row(name).await?)
    }

    /// Removes a channel, and what was still to be told through it.
    ///
    /// # Errors
    /// When there is none of this name.
    pub async fn remove_channel(&self, name: &str) -> Result<(), Error> {
        let row = self.channel_row(name).await?;
        self.store.remove_channel(row.id).await
    }

    pub(super) async fn channel_row(&self, name: &str) -> Result<ChannelRow, Error> {
        if let Some(row) = self.store.channel(name).await? {
            return Ok(row);
        }
        let rows = self.store.channels().await?;
        let known = known("channel", rows.iter().map(|row| row.name.as_str()));
        Err(Error::Unknown { what: "channel", name: name.to_owned(), known })
    }

    /// The channel, ready to be told things.
    pub(super) fn open_channel(&self, row: &ChannelRow) -> Result<Channel, Error> {
        let mut config = row.config.clone();
        config.extend(self.channel_secrets(row)?);
        let wrong = |mistakes| Error::Config { what: format!("the channel {}", row.name), mistakes };
        Channel::read(&row.kind, config).map_err(wrong)
    }

    /// A new configuration with the stored secrets that it leaves out.
    pub(super) fn with_kept(
        &self,
        old: &ChannelRow,
        kind: &Kind,
        config: Map<String, Value>,
    ) -> Result<Map<String, Value>, Error> {
        let config = kind.schema.without_dots(config);
        // Secrets that do not open any more cannot be kept; what is then missing is told as missing.
        let mut kept = self.channel_secrets(old).unwrap_or_default();
        let mut before = old.config.clone();
        before.extend(kept.clone());
        kept.retain(|field, _| !config.contains_key(field));
        let mut whole = kind.schema.without_blank_secrets(config);
        whole.extend(kept.clone());
        let rebound = kind.schema.rebound(&before, &whole);
        if !kept.is_empty() && !rebound.is_empty() {
            let reason = format!("is to be entered again, since {} is another one now", rebound.join(", "));
            let mistakes = kept.keys().map(|field| Mistake::in_field(field, reason.clone())).collect();
            return Err(Error::Config {
                what: format!("the channel {}", old.name),
                mistakes: Mistakes(mistakes),
            });
        }
        Ok(whole)
    }

    /// The row with what was chosen; every mistake in it is told along with those of the configuration.
    async fn chosen(
        &self,
        mut row: ChannelRow,
        kind: &Kind,
        choice: ChannelChoice,
        judged: Option<Mistakes>,
    ) -> Result<ChannelRow, Error> {
        let mut mistakes = Vec::new();
        if let Some(mut events) = choice.events {
            events.sort_unstable();
            events.dedup();
            let silent: Vec<&str> = events
                .iter()
                .filter(|event| **event == Event::Test || !kind.speaks(**event))
                .map(|event| event.as_str())
                .collect();
            if !silent.is_empty() {
                let reason =
                    format!("a channel of the kind {} is not told of {}", kind.id, silent.join(", "));
                mistakes.push(Mistake::in_field("events", reason));
            }
            if events.is_empty() {
                mistakes.push(Mistake::in_field("events", "must not be empty"));
            }
            row.events = events;
        }
        if let Some(plans) = choice.plans {
            let rows = self.store.plans().await?;
            let names: Vec<&str> = rows.iter().map(|plan| plan.name.as_str()).collect();
            for name in plans.iter().filter(|name| !names.contains(&name.as_str())) {
                let known = known("plan", names.iter().copied());
                mistakes.push(Mistake::in_field("plans", format!("there is no plan named {name}; {known}")));
            }
            row.plans = (!plans.is_empty()).then_some(plans);
        }
        row.in_a_row = choice.in_a_row.unwrap_or(row.in_a_row);
        let judged = judged.map_or_else(Vec::new, |mistakes| mistakes.0);
        let mistakes = Mistakes(judged).and(Mistakes(mistakes));
        if mistakes.0.is_empty() {
            return Ok(row);
        }
        Err(Error::Config { what: format!("the channel {}", row.name), mistakes })
    }

    /// The row with this configuration, its secrets encrypted.
    fn sealed(&self, mut row: ChannelRow, kind: &Kind, config: Map<String, Value>) -> ChannelRow {
        let (fields, secrets) = kind.schema.split(config);
        let plain = zeroize::Zeroizing::new(Value::Object(secrets).to_string());
        row.secrets = self.vault.seal(&place(row.id), plain.as_bytes());
        row.config = fields;
        row
    }

    fn channel_secrets(&self, row: &ChannelRow) -> Result<Map<String, Value>, Error> {
        let plain = self.vault.unseal(&place(row.id), &row.secrets)?;
        serde_json::from_slice(&plain).map_err(|_| {
            Error::Vault(format!("the stored secrets of {} are not what Charon writes", row.name))
        })
    }

    pub(super) fn channel_view(&self, row: &ChannelRow) -> Result<ChannelView, Error> {
        let mut config = row.config.clone();
        config.extend(self.channel_secrets(row)?);
        Ok(ChannelView {
            id: row.id,
            name: row.name.clone(),
            kind: row.kind.clone(),
            config: kind_of(row)?.schema.redact(&config),
            events: row.events.clone(),
            plans: row.plans.clone(),
            in_a_row: row.in_a_row,
            created_at: row.created_at,
            version: row.version(),
        })
    }
}

pub(super) fn kind_of(row: &ChannelRow) -> Result<&'static Kind, Error> {
    charon_notify::kind(&row.kind).ok_or_else(|| {
        let known = known("kind of channel", charon_notify::kinds().iter().map(|kind| kind.id));
        Error::Unknown { what: "kind of channel", name: row.kind.clone(), known }
    })
}

pub(super) fn name_taken(name: &str) -> Error {
    Error::BadName(format!(
        "there is a channel named {name} already; choose another name, or change that one with `charon notify update`"
    ))
}

fn place(channel: ChannelId) -> String {
    format!("channel/{channel}")
}
