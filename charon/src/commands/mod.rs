//! One file per noun of the command line.

pub(crate) mod adopt;
pub(crate) mod authorize;
pub(crate) mod budget;
pub(crate) mod check;
pub(crate) mod demo;
pub(crate) mod import;
pub(crate) mod notify;
pub(crate) mod password;
pub(crate) mod plan;
pub(crate) mod plugin;
pub(crate) mod preview;
pub(crate) mod restore;
pub(crate) mod run;
pub(crate) mod runs;
pub(crate) mod schedule;
pub(crate) mod schema;
pub(crate) mod serve;
pub(crate) mod storage;
pub(crate) mod trash;
pub(crate) mod verify;
