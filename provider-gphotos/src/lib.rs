//! Google Photos as a stateless protocol behind the contract of `charon-provider`.
//!
//! [`GPhotos`] is the provider. Opened with a configuration it speaks OAuth 2 (asking for consent, refreshing a token),
//! version 1 of the Library API, uploads, and the base URLs that the bytes come from. One call is one
//! attempt, with what belongs to it: a refused token is renewed, a redirect of bytes followed, and an upload whose connection
//! broke taken up where the server has it. An error says what kind of trouble it is, and whoever called decides whether to try
//! again.
//!
//! It promises that a bearer token goes to the configured API alone and credentials to the token endpoint alone, that
//! [`Host::permit`](charon_provider::Host::permit) is asked before every HTTP attempt, and that no error, log line or
//! `Debug` output holds a secret. It knows nothing of plans, schedules or databases.

mod albums;
mod api;
mod arriving;
mod check;
mod clip;
mod config;
mod endpoint;
mod error;
mod expected;
mod facts;
mod http;
mod listing;
mod oauth;
mod originals;
mod provider;
mod rights;
mod sink;
mod source;
mod storage;
mod token;

pub use provider::GPhotos;
