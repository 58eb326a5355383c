//! What events tell of each run: a story that can be.

use std::collections::HashMap;

use crate::{
    events::{Event, EventKind},
    ids::RunId,
    run::RunState,
};

/// Where a run is, by what was told of it so far.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Told {
    Queued,
    AtWork,
    Parked,
    Paused,
    Ended,
}

/// Reads all events, and compares them with the states of the runs.
///
/// # Panics
/// When a run does what cannot be done.
pub(super) fn read(events: &[Event], states: &HashMap<RunId, RunState>) {
    let mut told: HashMap<RunId, Told> = HashMap::new();
    let mut last = 0;
    for event in events {
        assert!(event.seq > last, "numbers grow: {event:?}");
        last = event.seq;
        let Some(run) = event.run.filter(|_| event.kind != EventKind::Missed) else { continue };
        let before = told.get(&run).copied();
        let is_live = matches!(before, Some(Told::Queued | Told::AtWork | Told::Parked | Told::Paused));
        let (can_be, after) = match event.kind {
            EventKind::Queued => (before.is_none(), Told::Queued),
            EventKind::Started => (before == Some(Told::Queued), Told::AtWork),
            EventKind::Items | EventKind::Asked => (before == Some(Told::AtWork), Told::AtWork),
            EventKind::Paused => (is_live, Told::Paused),
            EventKind::Parked => (before == Some(Told::AtWork), Told::Parked),
            EventKind::Requeued => (is_live, Told::Queued),
            EventKind::Ended => (is_live, Told::Ended),
            other => panic!("{other} does not tell of a run"),
        };
        assert!(can_be, "after {before:?} there cannot be {event:?}");
        told.insert(run, after);
    }
    for (run, state) in states {
        let expected = match state {
            RunState::Queued => Told::Queued,
            RunState::Running | RunState::Pausing => Told::AtWork,
            RunState::Paused => Told::Paused,
            RunState::Parked => Told::Parked,
            RunState::Succeeded | RunState::Partial | RunState::Failed | RunState::Cancelled => Told::Ended,
        };
        assert_eq!(told.get(run), Some(&expected), "what is told of {run} is what it is");
    }
}
