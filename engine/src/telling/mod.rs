//! Telling people what became of their plans.
//!
//! [`rules`] say what is worth telling, [`words`] say it, `channels` are those who are told, and the outbox keeps what is to
//! be told until it has got through: at least once, and not for ever. How it gets there is for `charon_notify`.
//!
//! Nothing here waits: whoever runs the engine calls [`Engine::tell_of_run`](crate::Engine::tell_of_run) when a run has
//! ended, [`Engine::tell_overdue`](crate::Engine::tell_overdue) now and then, and
//! [`Engine::deliver_due`](crate::Engine::deliver_due) when that said so.

mod by_id;
mod channels;
mod outbox;
mod reporting;
mod rules;
#[cfg(test)]
mod tests;
mod words;

pub use by_id::ChannelChange;
pub use channels::{ChannelChoice, ChannelKind, ChannelView, channel_kinds, channel_schemas};
pub use charon_notify::{Event as NoticeEvent, Notice};
pub use outbox::DeliveryState;
pub(crate) use rules::overdue_since;
