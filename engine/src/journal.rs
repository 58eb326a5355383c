//! The log of a run as lines of text, page by page: what happened and when, by its events, or by its attempts where the events are
//! forgotten by now; then the items that were skipped or failed, with the reasons. However long it is, one page is in memory.

use jiff::Timestamp;
use serde_json::Value;

use crate::{
    engine::Engine,
    error::Error,
    events::{Event, EventKind},
    ids::RunId,
    numbers::with_commas,
    run::Outcome,
    store::{AttemptRecord, ItemFilter, ItemRecord, RunRecord},
};

/// Events, or items, of one page.
const PAGE: u32 = 500;

/// A run's log, being read.
#[derive(Debug)]
pub struct RunLog {
    engine: Engine,
    run: RunId,
    next: Next,
}

/// What comes next.
#[derive(Debug)]
enum Next {
    Head,
    Events { after: i64 },
    Items { outcome: Outcome, after: Option<String> },
    Nothing,
}

impl Engine {
    /// The log of a run, to be read page by page.
    ///
    /// # Errors
    /// When there is no such run.
    pub async fn run_log(&self, run: RunId) -> Result<RunLog, Error> {
        self.run_record(run).await?;
        Ok(RunLog { engine: self.clone(), run, next: Next::Head })
    }
}

impl RunLog {
    /// The next lines, each with its end; `None` after the last one.
    ///
    /// # Errors
    /// When the database cannot be read, or the run was removed meanwhile.
    pub async fn next_page(&mut self) -> Result<Option<String>, Error> {
        match std::mem::replace(&mut self.next, Next::Nothing) {
            Next::Head => self.head().await.map(Some),
            Next::Events { after } => self.events(after).await.map(Some),
            Next::Items { outcome, after } => self.items(outcome, after).await.map(Some),
            Next::Nothing => Ok(None),
        }
    }

    async fn head(&mut self) -> Result<String, Error> {
        let record = self.engine.run_record(self.run).await?;
        let attempts = self.engine.store.attempts(self.run).await?;
        self.next = Next::Events { after: 0 };
        let mut text = head(&record);
        for attempt in &attempts {
            text += &of_attempt(attempt);
        }
        Ok(text + "\n")
    }

    async fn events(&mut self, after: i64) -> Result<String, Error> {
        let events = self.engine.store.events(Some(self.run), after, PAGE).await?;
        self.next = match events.last() {
            Some(last) => Next::Events { after: last.seq },
            None => Next::Items { outcome: Outcome::Failed, after: None },
        };
        Ok(events.iter().map(of_event).collect())
    }

    async fn items(&mut self, outcome: Outcome, after: Option<String>) -> Result<String, Error> {
        let is_first = after.is_none();
        let filter = ItemFilter { outcome: Some(outcome), after };
        let items = self.engine.store.run_items(self.run, &filter, PAGE).await?;
        self.next = match (items.last(), outcome) {
            (Some(last), _) => Next::Items { outcome, after: Some(last.item.clone()) },
            (None, Outcome::Failed) => Next::Items { outcome: Outcome::Skipped, after: None },
            (None, _) => Next::Nothing,
        };
        let mut text = String::new();
        if is_first && !items.is_empty() {
            text += &format!("\n{outcome} items:\n");
        }
        text.extend(items.iter().map(of_item));
        Ok(text)
    }
}

fn head(record: &RunRecord) -> String {
    let items = &record.items;
    let mut text = format!(
        "run {}\nplan {}\ntrigger {}\nstate {}\nitems {} done, {} unchanged, {} skipped, {} failed; {} bytes\n",
        record.run,
        one_line(&record.plan),
        record.trigger,
        record.state,
        with_commas(items.done),
        with_commas(items.unchanged),
        with_commas(items.skipped),
        with_commas(items.failed),
        with_commas(record.bytes),
    );
    for (meter, requests) in &record.requests_by_meter {
        text += &format!("requests {} ({meter})\n", with_commas(*requests));
    }
    if let Some(stop) = &record.stop {
        text += &format!("why it stopped: {}\n", one_line(&stop.message));
    }
    if let Some(waiting) = &record.waiting {
        text += &format!("it waits: {}\n", one_line(waiting));
    }
    text
}

fn of_attempt(attempt: &AttemptRecord) -> String {
    let began = format!("attempt {}: began {}", attempt.number, Moment(attempt.started_at));
    let (Some(ended_at), Some(state)) = (attempt.ended_at, attempt.state) else { return began + "\n" };
    let why = attempt.message.as_deref().map(|why| format!(" ({})", one_line(why))).unwrap_or_default();
    format!("{began}, ended {} as {state}{why}\n", Moment(ended_at))
}

fn of_event(event: &Event) -> String {
    let data = &event.data;
    let text = |field: &str| data.get(field).and_then(Value::as_str).map(one_line);
    let what = match event.kind {
        EventKind::Queued => {
            format!("it is in the queue ({})", text("trigger").unwrap_or_else(|| "asked for".into()))
        }
        EventKind::Started => format!("attempt {} has begun", data.get("attempt").unwrap_or(&Value::Null)),
        EventKind::Items => return of_items(event),
        EventKind::Asked => format!("somebody asked it to {}", text("wish").unwrap_or_else(|| "stop".into())),
        EventKind::Requeued => {
            let why = text("why").or_else(|| text("message"));
            format!("it is in the queue again: {}", why.unwrap_or_else(|| "it goes on".into()))
        }
        EventKind::Paused => "it is paused".to_owned(),
        EventKind::Parked => {
            format!("it waits: {}", text("message").unwrap_or_else(|| "no reason was told".into()))
        }
        EventKind::Ended => {
            let why = text("message").map(|why| format!(": {why}")).unwrap_or_default();
            format!("it ended as {}{why}", text("state").unwrap_or_else(|| "it is".into()))
        }
        other => other.to_string(),
    };
    format!("{} {what}\n", Moment(event.at))
}

/// What became of items: those that are done are counted, the others are told one by one.
fn of_items(event: &Event) -> String {
    let none = Vec::new();
    let items = event.data.get("items").and_then(Value::as_array).unwrap_or(&none);
    let text =
        |item: &Value, field: &str| item.get(field).and_then(Value::as_str).map(one_line).unwrap_or_default();
    let (done, others): (Vec<&Value>, Vec<&Value>) =
        items.iter().partition(|item| text(item, "outcome") == Outcome::Done.as_str());
    let mut lines = String::new();
    if let Some(first) = done.first() {
        let bytes: u64 = done.iter().filter_map(|item| item.get("bytes").and_then(Value::as_u64)).sum();
        let and_more = match done.len() {
            1 => String::new(),
            many => format!(" and {} more", with_commas(many as u64 - 1)),
        };
        let name = text(first, "name");
        lines += &format!("{} done: {name}{and_more}, {} bytes\n", Moment(event.at), with_commas(bytes));
    }
    for item in others {
        let (outcome, name, reason) = (text(item, "outcome"), text(item, "name"), text(item, "reason"));
        lines += &format!("{} {outcome}: {name}: {reason}\n", Moment(event.at));
    }
    lines
}

fn of_item(item: &ItemRecord) -> String {
    let class = item
        .class
        .and_then(|class| serde_json::to_value(class).ok())
        .and_then(|class| class.as_str().map(|name| format!(" ({name})")))
        .unwrap_or_default();
    let reason = item.reason.as_deref().map(one_line).unwrap_or_default();
    format!("{} {}{class}: {reason} [{}]\n", Moment(item.at), one_line(&item.name), one_line(&item.item))
}

/// A name or a reason may hold anything; a line of the log holds no end of a line, and nothing that a terminal acts upon.
fn one_line(text: &str) -> String {
    text.chars().map(|char| if char.is_control() { ' ' } else { char }).collect()
}

/// A moment, to the second.
struct Moment(Timestamp);

impl std::fmt::Display for Moment {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}", self.0.strftime("%Y-%m-%dT%H:%M:%SZ"))
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::{of_event, one_line};
    use crate::events::{Event, EventKind};

    fn line(kind: EventKind, data: serde_json::Value) -> String {
        of_event(&Event {
            seq: 1,
            at: "2026-11-28T02:30:01.25Z".parse().expect("a time"),
            kind,
            plan: None,
            run: None,
            data,
        })
    }

    #[test]
    fn each_event_is_a_line_that_says_when_and_what() {
        for (kind, data, expected) in [
            (EventKind::Queued, json!({"trigger": "schedule"}), "it is in the queue (schedule)\n"),
            (EventKind::Started, json!({"attempt": 2}), "attempt 2 has begun\n"),
            (EventKind::Asked, json!({"wish": "pause"}), "somebody asked it to pause\n"),
            (
                EventKind::Requeued,
                json!({"why": "its waiting is over"}),
                "it is in the queue again: its waiting is over\n",
            ),
            (EventKind::Parked, json!({"message": "the token\nis dead"}), "it waits: the token is dead\n"),
            (EventKind::Ended, json!({"state": "succeeded", "message": null}), "it ended as succeeded\n"),
            (
                EventKind::Ended,
                json!({"state": "failed", "message": "no disk"}),
                "it ended as failed: no disk\n",
            ),
            (
                EventKind::Items,
                json!({"items": [
                    {"name": "a.jpg", "outcome": "done", "bytes": 1000},
                    {"name": "b.jpg", "outcome": "done", "bytes": 500},
                    {"name": "c.jpg", "outcome": "failed", "bytes": 0, "reason": "404"},
                ]}),
                "done: a.jpg and 1 more, 1,500 bytes\n2026-11-28T02:30:01Z failed: c.jpg: 404\n",
            ),
        ] {
            assert_eq!(line(kind, data), format!("2026-11-28T02:30:01Z {expected}"));
        }
        assert_eq!(line(EventKind::Items, json!({"items": []})), "");
        assert_eq!(one_line("a\r\nb\u{1b}[31m"), "a  b [31m");
    }
}
