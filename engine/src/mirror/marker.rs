//! The marker of a mirror: which plan it belongs to. Without it nothing is written there (I11: an unmounted disk, another
//! disk, another plan).

use std::{
    fs::{self, File},
    io,
    path::Path,
};

use serde::{Deserialize, Serialize};

use super::{INCOMING, Mirror, OWN_FOLDER, cure};
use crate::{
    durable::sync_folder,
    ids::{PlanId, RunId},
};

const MARKER: &str = "mirror.json";

/// What file managers and NAS systems leave in a folder that is otherwise empty.
const IGNORED_WHEN_EMPTY: [&str; 5] =
    ["lost+found", "@eaDir", "#recycle", "System Volume Information", "$RECYCLE.BIN"];

#[derive(Debug, Serialize, Deserialize)]
struct Marker {
    /// Says to a person what the file is for.
    about: String,
    plan: PlanId,
}

impl Mirror {
    /// Makes a mirror of an empty folder, or of one that does not exist yet, by putting the plan's marker there.
    ///
    /// # Errors
    /// What is in the way, and what to do about it.
    pub(crate) fn initialise(root: &Path, plan: PlanId) -> Result<(), String> {
        let failed = |error| in_the_way(root, &error);
        if Self::refuse_unfit(root, plan)? {
            return Ok(());
        }
        fs::create_dir_all(root.join(OWN_FOLDER).join(INCOMING)).map_err(failed)?;
        let about = "This folder is the mirror of a Charon backup plan. Without this file Charon writes nothing here.";
        let marker = Marker { about: about.into(), plan };
        let text = serde_json::to_vec_pretty(&marker).map_err(|error| error.to_string())?;
        let own = root.join(OWN_FOLDER);
        let beside = own.join("mirror.json.new");
        fs::write(&beside, text)
            .and_then(|()| File::open(&beside)?.sync_all())
            .and_then(|()| fs::rename(&beside, own.join(MARKER)))
            .and_then(|()| sync_folder(&own))
            .and_then(|()| sync_folder(root))
            .and_then(|()| root.parent().map_or(Ok(()), sync_folder))
            .map_err(failed)
    }

    /// Refuses a folder that cannot become the mirror of a plan, and touches nothing. Gives whether it is that mirror already.
    ///
    /// # Errors
    /// What is in the way, and what to do about it.
    pub(crate) fn refuse_unfit(root: &Path, plan: PlanId) -> Result<bool, String> {
        let shown = root.display();
        let failed = |error| in_the_way(root, &error);
        match read_marker(root)? {
            Some(marker) if marker.plan == plan => return Ok(true),
            Some(_) => {
                return Err(format!(
                    "the destination {shown} is the mirror of another plan; choose another folder (two plans over one \
                     mirror would get in each other's way)"
                ));
            }
            None => {}
        }
        let entries = match fs::read_dir(root) {
            // It is made when it is needed.
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(false),
            entries => entries.map_err(failed)?,
        };
        for entry in entries {
            let name = entry.map_err(failed)?.file_name();
            let name = name.to_string_lossy();
            if !name.starts_with('.') && !IGNORED_WHEN_EMPTY.contains(&&*name) {
                return Err(format!(
                    "the destination {shown} is not empty (it holds {name}); choose an empty folder, or one that does \
                     not exist yet"
                ));
            }
        }
        Ok(false)
    }

    /// Looks whether the mirror of a plan is there, and touches nothing.
    ///
    /// # Errors
    /// What was seen instead of the plan's marker (I11), and what to do about it.
    pub(crate) fn look(root: &Path, plan: PlanId) -> Result<(), String> {
        let shown = root.display();
        match read_marker(root)? {
            Some(marker) if marker.plan == plan => Ok(()),
            Some(_) => Err(format!(
                "the destination {shown} carries the marker of another plan: is another disk mounted there? Nothing was \
                 written"
            )),
            None => Err(format!(
                "the destination {shown} does not carry this plan's marker ({OWN_FOLDER}/{MARKER}): is the disk mounted? \
                 Nothing was written"
            )),
        }
    }

    /// Opens the mirror of a plan for a run, and clears what earlier runs left half done. A plan has one run at a time, and
    /// no two plans have the same mirror, so nobody else is at work there.
    ///
    /// # Errors
    /// What was seen instead of the plan's marker (I11), and what to do about it.
    pub(crate) fn open(root: &Path, plan: PlanId, run: RunId) -> Result<Self, String> {
        let shown = root.display();
        Self::look(root, plan)?;
        let incoming = root.join(OWN_FOLDER).join(INCOMING);
        let cleared = match fs::remove_dir_all(&incoming) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
            other => other,
        };
        cleared.and_then(|()| fs::create_dir_all(&incoming)).map_err(|error| {
            format!("the destination {shown} cannot be written to ({error}); {}", cure(&error))
        })?;
        Ok(Self::at(root, run))
    }
}

/// Why a folder cannot be made or used, and what to do.
fn in_the_way(root: &Path, error: &io::Error) -> String {
    let shown = root.display();
    match error.kind() {
        io::ErrorKind::AlreadyExists | io::ErrorKind::NotADirectory => {
            format!("the destination {shown} is not a folder; choose another one")
        }
        io::ErrorKind::PermissionDenied => format!(
            "the destination {shown} cannot be used ({error}); let the user that runs charon write there, or choose \
             another folder"
        ),
        _ => format!("the destination {shown} cannot be used ({error}); choose another folder"),
    }
}

/// The mirror that holds this path, if one does: the nearest folder upwards that carries a marker.
pub(crate) fn mirror_above(path: &Path) -> Option<&Path> {
    path.ancestors().find(|folder| folder.join(OWN_FOLDER).join(MARKER).is_file())
}

fn read_marker(root: &Path) -> Result<Option<Marker>, String> {
    let path = root.join(OWN_FOLDER).join(MARKER);
    match fs::read(&path) {
        Ok(text) => serde_json::from_slice(&text).map(Some).map_err(|error| {
            format!("the marker {} cannot be read ({error}); nothing was written", path.display())
        }),
        Err(error) if matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory) => {
            Ok(None)
        }
        Err(error) => Err(format!("the marker {} cannot be read: {error}", path.display())),
    }
}

#[cfg(test)]
mod tests {
    use super::Mirror;
    use crate::{
        clock::{SystemClock, SystemEntropy},
        ids::{PlanId, RunId},
    };

    fn run() -> RunId {
        RunId::new(&SystemClock, &SystemEntropy)
    }

    fn plan() -> PlanId {
        PlanId::new(&SystemClock, &SystemEntropy)
    }

    #[test]
    fn a_destination_without_its_marker_is_refused() {
        // I11
        let folder = tempfile::tempdir().expect("a folder");
        let refusal = Mirror::open(folder.path(), plan(), run()).expect_err("no marker");
        assert!(refusal.contains("mounted"), "{refusal}");
    }

    #[test]
    fn a_destination_of_another_plan_is_refused() {
        // I11
        let folder = tempfile::tempdir().expect("a folder");
        Mirror::initialise(folder.path(), plan()).expect("an empty folder");
        assert!(Mirror::initialise(folder.path(), plan()).is_err());
        assert!(Mirror::open(folder.path(), plan(), run()).is_err());
    }

    #[test]
    fn a_folder_with_something_in_it_is_refused() {
        let folder = tempfile::tempdir().expect("a folder");
        std::fs::write(folder.path().join("thesis.odt"), "years of work").expect("a file");
        let refusal = Mirror::initialise(folder.path(), plan()).expect_err("not empty");
        assert!(refusal.contains("thesis.odt"), "{refusal}");
    }
}
