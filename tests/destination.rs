//! Destinations that are not what they were.
