//! The configuration of a Google Photos storage: its fields, and what they come to.

mod client;
mod duration;
mod fields;
mod settings;

use charon_schema::ConfigSchema;

use self::fields::Fields;
pub(crate) use self::{client::ClientSecret, settings::Settings};

/// Where Google asks people for their consent.
const AUTH_URL: &str = "https://accounts.google.com/o/oauth2/v2/auth";
/// Where Google gives access tokens.
const TOKEN_URL: &str = "https://oauth2.googleapis.com/token";
/// Where Google's Library API is, before the `/v1`.
const API_URL: &str = "https://photoslibrary.googleapis.com";

/// The schema of the configuration.
pub(crate) fn schema() -> ConfigSchema {
    ConfigSchema::of::<Fields>()
}

#[cfg(test)]
mod tests;
