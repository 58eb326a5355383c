//! A storage that is a place for mirrors and nothing else.

use std::{fmt, time::Duration};

use charon_provider::{
    Albums, BatchPolicy, Capabilities, Check, Costs, Destination, Facts, Pace, Selection, Sink, Source,
    Storage, UploadLimits,
};
use futures::stream::BoxStream;

use crate::check::{self, Place};

/// What such a storage can do.
pub(crate) const CAPABILITIES: Capabilities = Capabilities {
    list: false,
    download: false,
    upload: false,
    albums: false,
    previews: false,
    destination: true,
};

/// So many files go there at a time.
const CONNECTIONS: usize = 8;

/// A storage that is a place for mirrors and nothing else.
pub(crate) struct Remote<P> {
    place: P,
    facts: Facts,
}

impl<P> Remote<P> {
    /// A storage of a provider. Nothing is known of its photos that would not hold at another address, for it has none; so its
    /// address may change (a server gets another name), and the marker of a mirror tells whether it is the right place.
    pub(crate) fn new(place: P, provider: &'static str) -> Self {
        let batch =
            BatchPolicy { size: 1, staged: 1, idle: Duration::ZERO, commit_timeout: Duration::from_mins(1) };
        let facts = Facts {
            identity: provider.to_owned(),
            capabilities: CAPABILITIES,
            meters: Vec::new(),
            batch,
            limits: UploadLimits::default(),
            selection: Selection::default(),
            costs: Costs::default(),
            pace: Pace { connections: CONNECTIONS, ..Pace::default() },
            read_size: false,
        };
        Self { place, facts }
    }
}

impl<P: fmt::Debug> fmt::Debug for Remote<P> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Remote").field("place", &self.place).finish_non_exhaustive()
    }
}

impl<P: Place> Storage for Remote<P> {
    fn facts(&self) -> &Facts {
        &self.facts
    }

    fn test(&self) -> BoxStream<'_, Check> {
        check::stages(&self.place)
    }

    fn source(&self) -> Option<&dyn Source> {
        None
    }

    fn sink(&self) -> Option<&dyn Sink> {
        None
    }

    fn albums(&self) -> Option<&dyn Albums> {
        None
    }

    fn destination(&self) -> Option<&dyn Destination> {
        Some(&self.place)
    }
}
