//! The marker of a mirror: which plan it belongs to. Without it nothing is written there (I11: an unmounted disk, another
//! disk, another plan).

use std::path::Path;

use charon_provider::{Class, Depth, Error as StorageError, Reason};
use futures::StreamExt;
use serde::{Deserialize, Serialize};

use super::{Mirror, OWN_FOLDER, Site, clear, folder::cure, read_small};
use crate::{
    error::Error,
    hints::quoted,
    ids::{PlanId, RunId},
    plans::looked_at,
};

const MARKER: &str = "mirror.json";
/// Nothing that is larger is a marker.
const MOST_BYTES: u64 = 64 * 1024;

/// What file managers and NAS systems leave in a folder that is otherwise empty.
const IGNORED_WHEN_EMPTY: [&str; 5] =
    ["lost+found", "@eaDir", "#recycle", "System Volume Information", "$RECYCLE.BIN"];

#[derive(Debug, Serialize, Deserialize)]
struct Marker {
    /// Says to a person what the file is for.
    about: String,
    plan: PlanId,
}

fn path() -> String {
    format!("{OWN_FOLDER}/{MARKER}")
}

impl Mirror {
    /// Makes a mirror of an empty place, or of one that does not exist yet, by putting the plan's marker there.
    ///
    /// # Errors
    /// [`Error::Destination`]: what is in the way, and what to do about it.
    pub(crate) async fn initialise(site: &Site, plan: PlanId) -> Result<(), Error> {
        if Self::refuse_unfit(site, plan).await? {
            return Ok(());
        }
        Self::take_over(site, plan).await
    }

    /// The plan whose mirror a place says that it is, if it says so.
    pub(crate) async fn owner(site: &Site) -> Result<Option<PlanId>, Error> {
        Ok(read_marker(site).await?.map(|marker| marker.plan))
    }

    /// Makes a mirror of a place, whatever lies there, by putting the plan's marker there.
    ///
    /// # Errors
    /// [`Error::Destination`]: why it cannot be used.
    pub(crate) async fn take_over(site: &Site, plan: PlanId) -> Result<(), Error> {
        let about = "This folder is the mirror of a Charon backup plan. Without this file Charon writes nothing here.";
        let marker = Marker { about: about.into(), plan };
        let text =
            serde_json::to_vec_pretty(&marker).map_err(|error| Error::Destination(error.to_string()))?;
        let put = site.write(&path(), text, "mirror.json.new", None).await;
        put.map_err(|error| match error.class {
            Class::Item | Class::Destination => {
                Error::Destination(format!("the destination {} cannot be used: {error}", site.shown()))
            }
            _ => error.into(),
        })?;
        site.files().settle(&[path(), OWN_FOLDER.to_owned()]).await?;
        Ok(())
    }

    /// Refuses a place that cannot become the mirror of a plan, and touches nothing. Gives whether it is that mirror already.
    ///
    /// # Errors
    /// [`Error::Destination`]: what is in the way, and what to do about it.
    pub(crate) async fn refuse_unfit(site: &Site, plan: PlanId) -> Result<bool, Error> {
        let shown = site.shown();
        match read_marker(site).await? {
            Some(marker) if marker.plan == plan => return Ok(true),
            Some(_) => {
                return Err(Error::Destination(format!(
                    "the destination {shown} is the mirror of another plan; choose another folder (two plans over one \
                     mirror would get in each other's way). If that plan is removed or its database lost, take the mirror over: \
                     charon adopt {} --plan NAME",
                    quoted(shown)
                )));
            }
            None => {}
        }
        // A folder that is not there yet is made when it is needed.
        let mut entries = site.files().list("", Depth::Folder);
        while let Some(entry) = entries.next().await {
            let name = entry?.path;
            if !name.starts_with('.') && !IGNORED_WHEN_EMPTY.contains(&&*name) {
                return Err(Error::Destination(format!(
                    "the destination {shown} is not empty (it holds {name}); choose an empty folder, or one that does \
                     not exist yet; if these are your photos, brought home by Charon, gphotos-sync or rclone, take them over: \
                     charon adopt {}",
                    quoted(shown)
                )));
            }
        }
        Ok(false)
    }

    /// Looks whether the mirror of a plan is there, and touches nothing.
    ///
    /// # Errors
    /// [`Error::Destination`]: what was seen instead of the plan's marker (I11), and what to do about it.
    pub(crate) async fn look(site: &Site, plan: PlanId) -> Result<(), Error> {
        let shown = site.shown();
        match read_marker(site).await? {
            Some(marker) if marker.plan == plan => Ok(()),
            Some(_) => Err(Error::Destination(format!(
                "the destination {shown} carries the marker of another plan: is another disk mounted there, or has another Charon \
                 taken it over? Nothing was written"
            ))),
            None => Err(Error::Destination(format!(
                "the destination {shown} does not carry this plan's marker ({}): is the disk mounted? Nothing was written. If it is lost or another one, docs/mirror.md tells how to go on",
                path()
            ))),
        }
    }

    /// Opens the mirror of a plan for a run, and clears what earlier runs left half done. A plan has one run at a time, and
    /// no two plans have the same mirror, so nobody else is at work there.
    ///
    /// # Errors
    /// As for [`look`](Self::look).
    pub(crate) async fn open(site: Site, plan: PlanId, run: RunId) -> Result<Self, Error> {
        Self::look(&site, plan).await?;
        let workshop = site.workshop().to_owned();
        looked_at(move || clear(&workshop)).await?.map_err(|error| {
            let shown = site.shown();
            Error::Destination(format!(
                "the destination {shown} cannot be written to ({error}); {}",
                cure(&error)
            ))
        })?;
        Ok(Self { site, plan, run, next_number: std::sync::atomic::AtomicU64::new(0) })
    }
}

/// The mirror that holds this path, if one does: the nearest folder upwards that carries a marker. Blocks.
pub(crate) fn mirror_above(path: &Path) -> Option<&Path> {
    path.ancestors().find(|folder| folder.join(OWN_FOLDER).join(MARKER).is_file())
}

async fn read_marker(site: &Site) -> Result<Option<Marker>, Error> {
    match read_small(site.files(), &path(), MOST_BYTES).await {
        Ok(text) => serde_json::from_slice(&text).map(Some).map_err(|error| {
            let shown = site.shown();
            Error::Destination(format!(
                "the marker {shown}/{} cannot be read ({error}); nothing was written",
                path()
            ))
        }),
        Err(error) if error.reason == Reason::NotFound => Ok(None),
        // That one file cannot be read keeps the whole mirror from being used.
        Err(error) if error.class == Class::Item => {
            Err(StorageError { class: Class::Destination, ..error }.into())
        }
        Err(error) => Err(error.into()),
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::Mirror;
    use crate::{
        clock::{SystemClock, SystemEntropy},
        ids::{PlanId, RunId},
        mirror::Site,
    };

    fn site(root: &Path) -> Site {
        Site::folder(root)
    }

    fn run() -> RunId {
        RunId::new(&SystemClock, &SystemEntropy)
    }

    fn plan() -> PlanId {
        PlanId::new(&SystemClock, &SystemEntropy)
    }

    #[tokio::test]
    async fn a_destination_without_its_marker_is_refused() {
        // I11
        let folder = tempfile::tempdir().expect("a folder");
        let refusal =
            Mirror::open(site(folder.path()), plan(), run()).await.expect_err("no marker").to_string();
        assert!(refusal.contains("mounted"), "{refusal}");
    }

    #[tokio::test]
    async fn a_destination_of_another_plan_is_refused() {
        // I11
        let folder = tempfile::tempdir().expect("a folder");
        Mirror::initialise(&site(folder.path()), plan()).await.expect("an empty folder");
        assert!(Mirror::initialise(&site(folder.path()), plan()).await.is_err());
        assert!(Mirror::open(site(folder.path()), plan(), run()).await.is_err());
    }

    #[tokio::test]
    async fn a_folder_with_something_in_it_is_refused() {
        let folder = tempfile::tempdir().expect("a folder");
        std::fs::write(folder.path().join("thesis.odt"), "years of work").expect("a file");
        let refusal =
            Mirror::initialise(&site(folder.path()), plan()).await.expect_err("not empty").to_string();
        assert!(refusal.contains("thesis.odt"), "{refusal}");
    }
}
