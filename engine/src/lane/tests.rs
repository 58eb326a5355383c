//! The lane.
