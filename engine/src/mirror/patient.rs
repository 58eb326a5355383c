//! A destination that is asked again for what may pass, for as long as a run goes on.

use std::{path::Path, sync::Arc};

use async_trait::async_trait;
use bytes::Bytes;
use charon_provider::{Depth, Destination, Entry, Error};
use futures::stream::BoxStream;
use jiff::Timestamp;

use crate::{retry::at_destination, run::RunContext};

/// A destination, as a run uses it.
#[derive(Debug)]
pub(super) struct Patient {
    pub(super) files: Arc<dyn Destination>,
    pub(super) ctx: Arc<RunContext>,
}

#[async_trait]
impl Destination for Patient {
    async fn look(&self, paths: &[String]) -> Result<Vec<Option<Entry>>, Error> {
        at_destination(&self.ctx, || self.files.look(paths)).await
    }

    fn list(&self, folder: &str, depth: Depth) -> BoxStream<'_, Result<Entry, Error>> {
        // One that breaks off is begun anew by whoever lists, or not at all.
        self.files.list(folder, depth)
    }

    async fn read(
        &self,
        path: &str,
        from: u64,
        most: Option<u64>,
    ) -> Result<BoxStream<'static, Result<Bytes, Error>>, Error> {
        at_destination(&self.ctx, || self.files.read(path, from, most)).await
    }

    async fn put(&self, path: &str, file: &Path, modified: Option<Timestamp>) -> Result<(), Error> {
        at_destination(&self.ctx, || self.files.put(path, file, modified)).await
    }

    async fn rename(&self, from: &str, to: &str) -> Result<(), Error> {
        at_destination(&self.ctx, || self.files.rename(from, to)).await
    }

    async fn remove(&self, path: &str) -> Result<(), Error> {
        at_destination(&self.ctx, || self.files.remove(path)).await
    }

    async fn settle(&self, paths: &[String]) -> Result<(), Error> {
        at_destination(&self.ctx, || self.files.settle(paths)).await
    }

    fn keeps_times(&self) -> bool {
        self.files.keeps_times()
    }
}
