//! Places for mirrors that are reached over the network: [`S3`]-compatible stores and [`WebDav`].
//!
//! Their storages have no photos of their own to give and take none; they are a
//! [`Destination`](charon_provider::Destination), and nothing else.
//!
//! * `wire` makes one attempt at a request: with its permit, with time-outs, without a retry.
//! * `s3` speaks to stores through Apache OpenDAL, which signs the requests and sends large files in parts.
//! * `webdav` speaks WebDAV by itself: OpenDAL would hold each file in memory as a whole, and takes a whole file for the
//!   part that was asked for.
//! * `check` tries a place out; `looking` and `known` save requests.

mod attended;
mod check;
mod config;
mod endpoint;
mod known;
mod local;
mod looking;
mod paths;
mod s3;
mod storage;
mod webdav;
mod wire;

pub use s3::S3;
pub use webdav::WebDav;
