//! Which bytes came and went, which of them the other side was told of, and which came or went again although it had been
//! told: what says whether a client that was cut off goes on, or begins anew.
//!
//! An upload is known by its client, its name and its length: before its last byte has come, nothing else is known of it.
//! An answer counts as given when it was handed to the client's socket. Whether the client, which may have died, has read
//! it, nobody can know.

use std::{
    collections::BTreeMap,
    pin::Pin,
    task::{Context, Poll},
};

use axum::{body::Body, http::Response};
use bytes::Bytes;
use hyper::body::{Body as HttpBody, Frame, SizeHint};
use serde::Serialize;

use crate::{
    account::Owner,
    state::{Hash, State, hex},
    world::World,
};

/// What came of one file that clients have sent, in however many attempts.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct SentTruth {
    /// Which client sent it.
    pub client_id: String,
    /// What the client called it.
    pub name: String,
    /// How long it is, as the client said; `None` where it did not.
    pub size: Option<u64>,
    /// SHA-256 of the bytes that the last upload token was given for, lower-case hexadecimal.
    pub sha256: Option<String>,
    /// All bytes that came for it.
    pub bytes_received: u64,
    /// As far as the client was told, at the most, that the bytes have come: by an upload token, or by an answer to a chunk
    /// or a query.
    pub bytes_acknowledged: u64,
    /// Bytes that came once more after they were acknowledged.
    pub bytes_again: u64,
    /// Requests that brought such bytes.
    pub times_again: u64,
    /// How often an upload token was given for it.
    pub times_finished: u64,
}

/// What went out of one item, or of its moving part: `=d` and `=dv` of base URLs.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ServedTruth {
    /// Media item id.
    pub item_id: String,
    /// Whether it is what `=dv` gives.
    pub video: bool,
    /// How long it was at the last.
    pub size: u64,
    /// All bytes that went out of it.
    pub bytes_sent: u64,
    /// As far as the bytes went at the most, from the beginning of the file.
    pub bytes_reached: u64,
    /// Bytes that went out once more.
    pub bytes_again: u64,
    /// Answers that sent such bytes.
    pub times_again: u64,
    /// How often one answer was the whole of it, to its end.
    pub times_whole: u64,
}

/// What an upload is known by.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Parcel {
    pub(crate) owner: Owner,
    pub(crate) name: String,
    pub(crate) size: Option<u64>,
}

/// A file, or what there is of an item, on one side of the wire.
#[derive(Debug, Default)]
struct Tally {
    bytes: u64,
    /// Up to where the other side has it.
    known: u64,
    bytes_again: u64,
    times_again: u64,
    times_whole: u64,
}

#[derive(Debug, Default)]
struct Sent {
    tally: Tally,
    hash: Option<Hash>,
}

#[derive(Debug, Default)]
struct Served {
    tally: Tally,
    size: u64,
}

/// All that came and went.
#[derive(Debug, Default)]
pub(crate) struct Moved {
    sent: BTreeMap<Parcel, Sent>,
    served: BTreeMap<(usize, bool), Served>,
}

impl Tally {
    /// Counts bytes from `at` on; gives true if some of them were known.
    fn move_bytes(&mut self, at: u64, length: u64) -> bool {
        let again = self.known.saturating_sub(at).min(length);
        self.bytes += length;
        self.bytes_again += again;
        again > 0
    }
}

/// One request that brings bytes of an upload.
#[derive(Debug)]
pub(crate) struct Attempt {
    parcel: Parcel,
    at: u64,
    is_again: bool,
}

impl Attempt {
    /// Bytes that come from `at` on.
    pub(crate) fn new(parcel: Parcel, at: u64) -> Attempt {
        Attempt { parcel, at, is_again: false }
    }

    /// Counts the next bytes.
    pub(crate) fn takes(&mut self, moved: &mut Moved, length: u64) {
        let tally = &mut moved.sent.entry(self.parcel.clone()).or_default().tally;
        if tally.move_bytes(self.at, length) && !self.is_again {
            self.is_again = true;
            tally.times_again += 1;
        }
        self.at += length;
    }

    /// What the answer tells when everything has come: a token for these bytes.
    pub(crate) fn finished(self, hash: Hash) -> Receipt {
        Receipt::Upload { upto: self.at, parcel: self.parcel, hash: Some(hash) }
    }

    /// What the answer tells when more is to come.
    pub(crate) fn so_far(self) -> Receipt {
        Receipt::Upload { upto: self.at, parcel: self.parcel, hash: None }
    }
}

/// What an answer tells its reader, or brings: an extension of the response, until it is sent.
#[derive(Debug, Clone)]
pub(crate) enum Receipt {
    /// So many bytes of an upload have come; with their hash where a token is given for them.
    Upload { parcel: Parcel, upto: u64, hash: Option<Hash> },
    /// A part of an item, or all of it.
    Media { item: usize, video: bool, start: u64, end: u64, size: u64 },
}

/// Sees to it that what an answer tells is counted when it is sent.
pub(crate) fn watch(world: &World, mut response: Response<Body>) -> Response<Body> {
    let Some(receipt) = response.extensions_mut().remove::<Receipt>() else { return response };
    response.map(|body| {
        let mut watched =
            Watched { body, world: world.clone(), receipt, at: 0, is_again: false, ended: false };
        // Nobody asks a body without bytes for them.
        watched.end_if_over();
        Body::new(watched)
    })
}

/// The body of an answer that tells something.
#[derive(Debug)]
struct Watched {
    body: Body,
    world: World,
    receipt: Receipt,
    at: u64,
    is_again: bool,
    ended: bool,
}

impl Watched {
    fn passes(&mut self, length: u64) {
        let Receipt::Media { item, video, start, end, size } = self.receipt else { return };
        let at = start + self.at;
        let mut state = self.world.lock();
        let served = state.moved.served.entry((item, video)).or_default();
        served.size = size;
        if served.tally.move_bytes(at, length) && !self.is_again {
            self.is_again = true;
            served.tally.times_again += 1;
        }
        served.tally.known = served.tally.known.max(at + length);
        drop(state);
        self.at += length;
        // Nobody asks for more than was announced.
        if self.at == end - start {
            self.end();
        }
    }

    fn end_if_over(&mut self) {
        if self.body.is_end_stream() {
            self.end();
        }
    }

    fn end(&mut self) {
        if std::mem::replace(&mut self.ended, true) {
            return;
        }
        let mut state = self.world.lock();
        match &self.receipt {
            Receipt::Upload { parcel, upto, hash } => {
                let sent = state.moved.sent.entry(parcel.clone()).or_default();
                sent.tally.known = sent.tally.known.max(*upto);
                if hash.is_some() {
                    sent.hash = *hash;
                    sent.tally.times_whole += 1;
                }
            }
            Receipt::Media { item, video, start, end, size } => {
                if (*start, *end, self.at) == (0, *size, *size) {
                    state.moved.served.entry((*item, *video)).or_default().tally.times_whole += 1;
                }
            }
        }
    }
}

impl HttpBody for Watched {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        let polled = Pin::new(&mut self.body).poll_frame(context);
        match &polled {
            Poll::Ready(Some(Ok(frame))) => {
                self.passes(frame.data_ref().map_or(0, |bytes| bytes.len() as u64));
                self.end_if_over();
            }
            Poll::Ready(None) => self.end(),
            // Cut off, or not there yet.
            Poll::Ready(Some(Err(_))) | Poll::Pending => {}
        }
        polled
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

impl State {
    fn sent(&self) -> Vec<SentTruth> {
        let truth = |(parcel, sent): (&Parcel, &Sent)| SentTruth {
            client_id: parcel.owner.client_id.clone(),
            name: parcel.name.clone(),
            size: parcel.size,
            sha256: sent.hash.as_ref().map(|hash| hex(hash)),
            bytes_received: sent.tally.bytes,
            bytes_acknowledged: sent.tally.known,
            bytes_again: sent.tally.bytes_again,
            times_again: sent.tally.times_again,
            times_finished: sent.tally.times_whole,
        };
        self.moved.sent.iter().map(truth).collect()
    }

    fn served(&self) -> Vec<ServedTruth> {
        let truth = |(&(item, video), served): (&(usize, bool), &Served)| ServedTruth {
            item_id: self.items[item].id.clone(),
            video,
            size: served.size,
            bytes_sent: served.tally.bytes,
            bytes_reached: served.tally.known,
            bytes_again: served.tally.bytes_again,
            times_again: served.tally.times_again,
            times_whole: served.tally.times_whole,
        };
        self.moved.served.iter().map(truth).collect()
    }
}

impl World {
    /// Every file that clients have sent, or begun to send, since the start, by client and name. It is no part of the
    /// statistics: a reset of those leaves it as it is.
    pub fn sent(&self) -> Vec<SentTruth> {
        self.lock().sent()
    }

    /// Every item of which bytes went out since the start, in the order of the items.
    pub fn served(&self) -> Vec<ServedTruth> {
        self.lock().served()
    }
}
