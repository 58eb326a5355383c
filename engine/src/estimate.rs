//! What a run would do, and what it would cost, before it does anything.

use std::collections::BTreeMap;

use serde::Serialize;

use crate::{engine::Engine, error::Error};

/// What a run of a plan would do. An estimate: what the storage does not say beforehand is not in it (retries, the chunks of a
/// large upload).
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Estimate {
    /// How many items there are: listed by the storage, or found in the folders.
    pub items: u64,
    /// How many of them would be moved.
    pub new: u64,
    /// How many bytes they have; `None` if that is not known beforehand.
    pub bytes: Option<u64>,
    /// The requests that it takes, by meter.
    pub requests: BTreeMap<String, u64>,
    /// On how many days, at the limits of the meters; 1 means today.
    pub days: u32,
    /// The meter that takes the most days.
    pub by: Option<String>,
}

impl Engine {
    /// Estimates what a run of a plan would do now. A backup is listed for it, which takes requests; the folders of an upload
    /// are scanned and hashed. Nothing is moved. It is given up by dropping it.
    ///
    /// # Errors
    /// When there is no such plan, or what it needs is not there.
    pub async fn estimate(&self, plan: &str) -> Result<Estimate, Error> {
        drop(self.plan_row(plan).await?);
        Err(Error::Refused("estimates are still being built".into()))
    }
}
