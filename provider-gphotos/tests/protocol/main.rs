//! The provider against servers that answer as Google does, and as Google should not.

mod account;
mod albums;
mod backup;
mod lost;
mod oauth;
mod stages;
mod upload;
