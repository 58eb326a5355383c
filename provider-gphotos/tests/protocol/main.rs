//! The provider against servers that answer as Google does, and as Google should not.

mod account;
mod albums;
mod backup;
mod consent;
mod downloads;
mod fields;
mod lost;
mod oauth;
mod originals;
mod selections;
mod sessions;
mod stages;
mod upload;
mod upload_server;
