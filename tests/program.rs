//! Whole-program tests: the real binary, the emulator over real HTTP, real files, real kills.

mod backup;
mod bad_input;
mod command_line;
mod crash;
mod destination;
mod network;
mod schedule;
mod support;
mod upload;
