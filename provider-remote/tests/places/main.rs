//! The providers against real servers, which these tests start on loopback and stop by their id: rclone as an S3 store and as a
//! WebDAV server, and Apache httpd with `mod_dav`.
//!
//! Where a program is not installed the tests that need it say so and pass; under `CI=true` they fail. `.ci/run` installs them.

#![cfg(unix)]

mod conformance;
mod contract;
mod faults;
mod host;
mod requests;
mod servers;
mod stages;
