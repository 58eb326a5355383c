//! Where the mirrors of plans are.

use charon_schema::Mistake;

use crate::{
    budget::Purpose,
    engine::Engine,
    error::Error,
    ids::PlanId,
    mirror::Site,
    plan::{BackupConfig, MirrorPlace},
    store::PlanRow,
};

/// The folder of the data directory for what is on its way to mirrors that are elsewhere.
const ARRIVING: &str = "arriving";

impl Engine {
    /// Where the mirror of a plan is.
    ///
    /// # Errors
    /// When the storage that keeps it is not there, or keeps no files.
    pub(crate) async fn site(&self, plan: PlanId, backup: &BackupConfig) -> Result<Site, Error> {
        let place = &backup.destination;
        let (storage, path) = match place {
            MirrorPlace::Folder(folder) => return Ok(Site::folder(folder)),
            MirrorPlace::Stored { storage, path } => (storage, path),
        };
        let row = self.storage_row(storage).await?;
        let opened = self.open_row_for(&row, Purpose::Run)?;
        if opened.storage.destination().is_none() {
            return Err(Error::Destination(keeps_no_files(storage)));
        }
        let workshop = self.data_dir.join(ARRIVING).join(plan.to_string());
        Ok(Site::stored(opened.storage, path, place.to_string(), workshop))
    }

    /// Why the storage that a mirror is to be kept by cannot keep it, if it cannot.
    pub(crate) async fn judge_keeper(&self, backup: &BackupConfig) -> Result<Option<Mistake>, Error> {
        let Some(storage) = backup.destination.storage() else { return Ok(None) };
        let reason = match self.storage_row(storage).await {
            Ok(row) if self.declared_by(&row)?.capabilities.destination => return Ok(None),
            Ok(_) => keeps_no_files(storage),
            Err(unknown @ Error::Unknown { .. }) => {
                format!("{unknown} (a folder whose name has a colon is written ./{})", backup.destination)
            }
            Err(other) => return Err(other),
        };
        Ok(Some(Mistake::in_field("destination", reason)))
    }

    /// The plans whose mirrors a storage keeps.
    pub(crate) async fn kept_by(&self, storage: &str) -> Result<Vec<PlanRow>, Error> {
        Ok(self.store.plans().await?.into_iter().filter(|plan| is_kept_by(plan, storage)).collect())
    }
}

/// Whether the mirror of a plan is kept by the storage of this name.
pub(crate) fn is_kept_by(plan: &PlanRow, storage: &str) -> bool {
    let destination = plan.config.get("destination").and_then(serde_json::Value::as_str);
    destination
        .and_then(|text| MirrorPlace::read(text).ok())
        .is_some_and(|place| place.storage() == Some(storage))
}

fn keeps_no_files(storage: &str) -> String {
    format!("the storage {storage} keeps no files; choose a folder, or a storage that does (S3, WebDAV)")
}
