//! What is told: a [`Notice`] about an [`Event`], in plain words and numbers. It is what a webhook gets as JSON and what a
//! template is filled from, so its names stay.

use std::{fmt, str::FromStr};

use jiff::Timestamp;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// What happened.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
#[schemars(inline)]
pub enum Event {
    /// A run began.
    Started,
    /// A run did everything that it had to.
    Success,
    /// A run came to its end, but some items failed.
    Partial,
    /// A run could not come to its end.
    Failure,
    /// A run waits for a person.
    NeedsAttention,
    /// A plan has had no good run for too long.
    Overdue,
    /// A good run, after one or more that were not.
    Recovered,
    /// So and so many runs have failed in a row.
    FailuresInARow,
    /// Somebody wants to know whether the channel works.
    Test,
}

impl Event {
    /// All of them.
    pub const ALL: [Self; 9] = [
        Self::Started,
        Self::Success,
        Self::Partial,
        Self::Failure,
        Self::NeedsAttention,
        Self::Overdue,
        Self::Recovered,
        Self::FailuresInARow,
        Self::Test,
    ];

    /// The name in JSON, in a database and on a command line. It stays as it is.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Started => "started",
            Self::Success => "success",
            Self::Partial => "partial",
            Self::Failure => "failure",
            Self::NeedsAttention => "needs_attention",
            Self::Overdue => "overdue",
            Self::Recovered => "recovered",
            Self::FailuresInARow => "failures_in_a_row",
            Self::Test => "test",
        }
    }
}

impl fmt::Display for Event {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

impl FromStr for Event {
    type Err = UnknownEvent;

    fn from_str(text: &str) -> Result<Self, UnknownEvent> {
        Self::ALL
            .into_iter()
            .find(|event| event.as_str() == text)
            .ok_or_else(|| UnknownEvent(text.to_owned()))
    }
}

/// A name that no event has.
#[derive(Debug, thiserror::Error)]
#[error("{0:?} is no event; the events are {names}", names = Event::ALL.map(Event::as_str).join(", "))]
pub struct UnknownEvent(String);

/// How many items of a run ended how.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct ItemCounts {
    /// Moved in this run.
    pub done: u64,
    /// Where they should be since before this run.
    pub unchanged: u64,
    /// Left out, each for a reason.
    pub skipped: u64,
    /// Not done, each for a reason.
    pub failed: u64,
}

/// What is told.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Notice {
    /// Its id, which is the same however often it is sent: whoever gets it twice can tell.
    pub id: String,
    /// What happened.
    pub event: Event,
    /// The name of the plan; a test has none.
    pub plan: Option<String>,
    /// The id of the run, where one run is meant.
    pub run: Option<String>,
    /// One line.
    pub title: String,
    /// What happened, why, and what to do; several lines.
    pub text: String,
    /// Where the run stands, for instance `failed`.
    pub state: Option<String>,
    /// What became of the run's items.
    pub counts: ItemCounts,
    /// Bytes of the items that are done.
    pub bytes: u64,
    /// When the run began.
    pub started_at: Option<Timestamp>,
    /// When the run came to its end, or was parked.
    pub ended_at: Option<Timestamp>,
    /// How many runs have failed in a row, where that is told.
    pub in_a_row: Option<u32>,
    /// When the last good run ended, where that is told.
    pub last_good_at: Option<Timestamp>,
    /// Where more can be seen.
    pub link: Option<String>,
}

impl Notice {
    /// A notice about this, and about no run yet.
    pub fn new(id: String, event: Event, title: String, text: String) -> Self {
        Self {
            id,
            event,
            plan: None,
            run: None,
            title,
            text,
            state: None,
            counts: ItemCounts::default(),
            bytes: 0,
            started_at: None,
            ended_at: None,
            in_a_row: None,
            last_good_at: None,
            link: None,
        }
    }

    /// What is sent when somebody tries a channel.
    pub fn test(id: String) -> Self {
        Self::new(
            id,
            Event::Test,
            "Charon: a test".into(),
            "If you read this, Charon can tell you what becomes of your plans.".into(),
        )
    }

    /// The text, and where more can be seen.
    pub(crate) fn text_with_link(&self) -> String {
        match &self.link {
            Some(link) => format!("{}\n\n{link}", self.text),
            None => self.text.clone(),
        }
    }
}

/// A notice of which everything is known.
#[cfg(test)]
pub(crate) fn example() -> Notice {
    Notice {
        plan: Some("home".into()),
        run: Some("0199".into()),
        state: Some("failed".into()),
        counts: ItemCounts { done: 1, unchanged: 2, skipped: 3, failed: 4 },
        bytes: 5,
        started_at: Some("2026-01-01T02:00:00Z".parse().expect("a time")),
        ended_at: Some("2026-01-01T02:30:00Z".parse().expect("a time")),
        in_a_row: Some(3),
        last_good_at: Some("2025-12-31T02:30:00Z".parse().expect("a time")),
        link: Some("https://nas.example/runs/0199".into()),
        ..Notice::new("n1".into(), Event::Failure, "home failed".into(), "The disk is full.".into())
    }
}

#[cfg(test)]
mod tests {
    use super::Event;

    #[test]
    fn an_event_has_the_same_name_everywhere() {
        for event in Event::ALL {
            assert_eq!(serde_json::to_value(event).expect("a name"), event.as_str());
            assert_eq!(event.as_str().parse::<Event>().expect("an event"), event);
        }
        let unknown = "sucess".parse::<Event>().expect_err("no event").to_string();
        assert!(unknown.contains("needs_attention"), "{unknown}");
    }
}
