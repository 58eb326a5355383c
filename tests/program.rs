//! Whole-program tests: the real binary, the emulator over real HTTP, real files, real kills.

mod account;
mod authorize;
mod backup;
mod bad_input;
mod browser;
mod command_line;
mod conformance;
mod connection;
mod crash;
mod data_dir;
mod destination;
mod faults;
mod fields;
mod import;
mod network;
mod notify;
mod preview;
mod schedule;
mod secrets;
mod support;
mod updating;
mod upload;
