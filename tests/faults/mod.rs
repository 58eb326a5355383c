//! Every fault that the emulator can play, against both ways through: alone ([`matrix`]), and in seeded random mixtures
//! ([`mixture`]). Whatever happens, all bytes are right in the end, nothing is there twice, nothing is recorded that is
//! not so, and an error has the class that the design gives it.
//!
//! The engine, the provider and the emulator are the real ones, over real HTTP, on real files and a real database. Only
//! time is not: a wait of half a minute after a 429 takes a fraction of a second here.

mod account;
mod cases;
mod matrix;
mod mixture;
