//! Bringing back: files of a mirror are taken to where they are wanted, and the mirror stays as it is.
//!
//! [`selecting`] says which; [`judging`] refuses what cannot be done before anything is, and tells what would be; [`folder`] takes
//! them to a folder of this machine, [`storage`] to an account, by the stages of an upload. Each file is hashed on its way: what is not
//! what was stored is told, and not restored.

mod albums;
mod counting;
mod folder;
mod judging;
mod putting;
mod selecting;
mod standing;
mod storage;

use std::{path::PathBuf, sync::Arc};

use crate::{
    error::Error,
    ids::StorageId,
    mirror::{Mirror, Site},
    run::RunContext,
    store::AtHome,
    upload::Upload,
};
pub use judging::RestorePreview;
use selecting::Chosen;

/// Items that are looked at together.
const TOGETHER: u32 = 200;

/// What is to be restored and where to, checked and ready.
#[derive(Debug)]
pub(crate) struct Restoring {
    ctx: Arc<RunContext>,
    home: Home,
    target: Target,
}

/// What is home, and which of it is chosen.
#[derive(Clone, Debug)]
struct Home {
    /// The files of the mirror.
    site: Site,
    /// The storage that the plan is of.
    storage: StorageId,
    chosen: Chosen,
}

/// Where it is taken to.
#[derive(Debug)]
enum Target {
    Folder(PathBuf),
    Storage(Arc<Upload>),
}

/// Restores until all is done or the run stops.
pub(crate) async fn run(restoring: Restoring) {
    let restoring = Arc::new(restoring);
    let done = match &restoring.target {
        Target::Folder(folder) => folder::restore(&restoring, folder).await,
        Target::Storage(upload) => Box::pin(storage::restore(&restoring, upload)).await,
    };
    if let Err(error) = done {
        restoring.ctx.stop_for(&error);
    }
}

impl Restoring {
    /// The next chosen items behind this one, and how far that is; nothing at the end.
    async fn next(&self, after: i64) -> Result<Option<(Vec<AtHome>, i64)>, Error> {
        let Self { ctx, home, .. } = self;
        let mut page = ctx.store.at_home(ctx.plan, home.storage, after, TOGETHER).await?;
        let Some(last) = page.last().map(|last| last.asset_id) else { return Ok(None) };
        page.retain(|item| home.chosen.has(item));
        Ok(Some((page, last)))
    }

    /// Whether the mirror as such can be read.
    async fn is_home_there(&self) -> bool {
        Mirror::look(&self.home.site, self.ctx.plan).await.is_ok()
    }
}
