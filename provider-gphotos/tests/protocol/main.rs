//! The provider against servers that answer as Google does, and as Google should not.

mod account;
mod albums;
mod backup;
mod downloads;
mod lost;
mod oauth;
mod originals;
mod selections;
mod sessions;
mod stages;
mod upload;
mod upload_server;
