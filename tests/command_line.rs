//! What scripts depend on: arguments, JSON, exit codes.
