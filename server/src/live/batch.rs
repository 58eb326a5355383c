//! What happened within a moment, as it is sent: serialised once, whoever listens, and shared.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex},
};

use axum::body::Bytes;
use charon_engine::{Event, EventKind, Progress, RunId};

/// Which part of what happens somebody wants to hear.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Wanted {
    /// Only that of this run.
    pub(crate) run: Option<RunId>,
    /// Whether to tell what became of single items; progress counts them anyway.
    pub(crate) items: bool,
}

/// One event, or the progress of a run, as it is sent.
#[derive(Clone, Debug)]
pub(crate) struct Frame {
    /// The number of the event; progress has none, and is never told again.
    pub(crate) seq: Option<i64>,
    pub(crate) run: Option<RunId>,
    is_of_items: bool,
    is_end: bool,
    bytes: Bytes,
}

impl Frame {
    pub(crate) fn of_event(event: &Event) -> Self {
        let data = serde_json::to_string(event).unwrap_or_default();
        Self {
            seq: Some(event.seq),
            run: event.run,
            is_of_items: event.kind == EventKind::Items,
            is_end: event.kind == EventKind::Ended,
            bytes: format!("id: {}\nevent: {}\ndata: {data}\n\n", event.seq, event.kind).into(),
        }
    }

    pub(crate) fn of_progress(run: RunId, progress: &Progress) -> Self {
        let data = serde_json::json!({ "run": run, "progress": progress });
        let bytes = format!("event: progress\ndata: {data}\n\n").into();
        Self { seq: None, run: Some(run), is_of_items: false, is_end: false, bytes }
    }

    pub(crate) fn is_for(&self, wanted: Wanted) -> bool {
        wanted.run.is_none_or(|run| self.run == Some(run)) && (wanted.items || !self.is_of_items)
    }
}

/// What happened within a moment.
#[derive(Debug, Default)]
pub(crate) struct Batch {
    frames: Vec<Frame>,
    /// What is sent to those who want it so. The first of them puts it together.
    made: Mutex<HashMap<Wanted, Bytes>>,
}

impl Batch {
    pub(crate) fn new(frames: Vec<Frame>) -> Arc<Self> {
        Arc::new(Self { frames, made: Mutex::default() })
    }

    /// The number of the last event in it.
    pub(crate) fn last(&self) -> Option<i64> {
        self.frames.iter().filter_map(|frame| frame.seq).max()
    }

    /// Whether it tells the end of a run.
    pub(crate) fn ends(&self, run: RunId) -> bool {
        self.frames.iter().any(|frame| frame.is_end && frame.run == Some(run))
    }

    /// What is sent to one who wants this, and has been told all events up to a number.
    pub(crate) fn bytes_for(&self, wanted: Wanted, after: i64) -> Bytes {
        let is_told = |frame: &&Frame| frame.seq.is_some_and(|seq| seq <= after);
        if self.frames.iter().any(|frame| is_told(&frame)) {
            // It came in the middle: that is rare, and its own.
            return joined(self.frames.iter().filter(|frame| !is_told(frame) && frame.is_for(wanted)));
        }
        let mut made = self.made.lock().expect("nothing panics while it puts bytes together");
        let put_together = || joined(self.frames.iter().filter(|frame| frame.is_for(wanted)));
        made.entry(wanted).or_insert_with(put_together).clone()
    }
}

/// Several frames as they are sent.
pub(crate) fn joined<'a>(frames: impl Iterator<Item = &'a Frame>) -> Bytes {
    let mut frames = frames.peekable();
    let Some(first) = frames.next() else { return Bytes::new() };
    if frames.peek().is_none() {
        return first.bytes.clone();
    }
    let mut bytes = first.bytes.to_vec();
    frames.for_each(|frame| bytes.extend_from_slice(&frame.bytes));
    bytes.into()
}

#[cfg(test)]
mod tests {
    use charon_engine::{Event, EventKind, Progress, RunId};
    use serde_json::json;

    use super::{Batch, Frame, Wanted};

    fn run(number: u32) -> RunId {
        format!("018bcfe5-6800-7000-8000-0000{number:08x}").parse().expect("an id")
    }

    fn event(seq: i64, kind: EventKind, of: u32) -> Frame {
        let at = "2026-11-28T10:00:00Z".parse().expect("a time");
        Frame::of_event(&Event { seq, at, kind, plan: None, run: Some(run(of)), data: json!({"a": "x\ny"}) })
    }

    #[test]
    fn each_hears_what_it_wants_from_where_it_was_and_those_who_want_the_same_share_it() {
        let batch = Batch::new(vec![
            event(5, EventKind::Started, 1),
            event(6, EventKind::Items, 1),
            event(7, EventKind::Ended, 2),
            Frame::of_progress(run(1), &Progress::default()),
        ]);
        let told = |of: Option<u32>, items, after| {
            let wanted = Wanted { run: of.map(run), items };
            String::from_utf8(batch.bytes_for(wanted, after).to_vec()).expect("a text")
        };
        let ids = |text: &str| -> Vec<String> {
            text.lines().filter_map(|line| line.strip_prefix("id: ")).map(str::to_owned).collect()
        };
        assert_eq!(ids(&told(None, true, 4)), ["5", "6", "7"]);
        assert_eq!(ids(&told(None, false, 4)), ["5", "7"]);
        assert_eq!(ids(&told(Some(1), true, 4)), ["5", "6"]);
        assert_eq!(ids(&told(Some(1), true, 5)), ["6"]);
        assert_eq!(ids(&told(Some(2), true, 7)), [""; 0]);
        assert!(told(Some(1), false, 4).contains("\nevent: progress\ndata: {"));
        assert!(!told(Some(2), true, 0).contains("progress"));
        // A line in the data would be the end of it.
        assert!(told(Some(2), true, 0).contains(r#""data":{"a":"x\ny"}"#), "{}", told(Some(2), true, 0));
        let wanted = Wanted { run: None, items: true };
        assert_eq!(batch.bytes_for(wanted, 0).as_ptr(), batch.bytes_for(wanted, 4).as_ptr());
        assert_eq!((batch.last(), batch.ends(run(2)), batch.ends(run(1))), (Some(7), true, false));
    }
}
