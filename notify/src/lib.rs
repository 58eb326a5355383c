//! Telling people what became of their plans: by webhook, ntfy, e-mail, and a ping as Healthchecks takes it.
//!
//! This room speaks the protocols. A [`Notice`] is what is told, a [`Channel`] is whom it is told to; [`Channel::deliver`]
//! is one attempt, and its error knows whether another can help. What must survive a crash, when it is tried again, and what
//! is worth telling is for whoever calls. Nothing here keeps state, reads a clock or makes randomness: the time is passed in
//! (time-outs are tokio's).
//!
//! No error, and no `Debug` of anything here, contains a secret.

mod address;
mod channel;
mod email;
mod error;
mod hidden;
mod http;
mod notice;
mod ntfy;
mod ping;
mod preset;
mod template;
mod webhook;

pub use channel::{Channel, Kind, kind, kinds};
pub use error::DeliveryError;
pub use notice::{Event, ItemCounts, Notice, UnknownEvent};
