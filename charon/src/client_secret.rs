//! The client secret, from a file or the environment: never from an argument, which other users of the machine can read.

#![expect(clippy::doc_markdown, reason = "these comments are the help text, where backticks would be shown")]

use std::{fs, path::PathBuf};

use clap::Args as ClapArgs;
use serde_json::{Map, Value};

use crate::exit::Failure;

/// The variable that may hold the secret.
const VARIABLE: &str = "CHARON_CLIENT_SECRET";

#[derive(Debug, Default, ClapArgs)]
pub(crate) struct ClientSecret {
    /// A file with the client secret alone, or Google's client_secret.json, which has the client id too; without it,
    /// $CHARON_CLIENT_SECRET where the configuration has none.
    #[arg(long, value_name = "FILE")]
    pub(crate) client_secret_file: Option<PathBuf>,
}

impl ClientSecret {
    /// Puts the secret into a configuration: that of the file, which has the last word; else, where the configuration has
    /// none, that of the environment.
    pub(crate) fn put_into(&self, config: &mut Map<String, Value>) -> Result<(), Failure> {
        let secret = match &self.client_secret_file {
            Some(path) => Some(fs::read_to_string(path).map_err(|error| {
                Failure::usage(format!("the client secret {} cannot be read: {error}", path.display()))
            })?),
            None if config.contains_key("client_secret") => None,
            None => std::env::var(VARIABLE).ok(),
        };
        let secret = secret.as_deref().map(|secret| secret.trim_start_matches('\u{feff}').trim());
        if let Some(secret) = secret.filter(|secret| !secret.is_empty()) {
            config.insert("client_secret".into(), secret.into());
        }
        Ok(())
    }
}
