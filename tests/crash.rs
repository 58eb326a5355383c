//! Killed anywhere, and run again.
