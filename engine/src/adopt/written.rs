//! Written: what gphotos-sync's database and Charon's sidecars say of the files of a tree.

use std::path::{Path, PathBuf};

use charon_provider::{Camera, Class, Destination};
use futures::{StreamExt, stream};

use super::tree::{Bytes, Known, Tree};
use crate::{
    error::Error,
    mirror, naming,
    run::RunContext,
    sidecars::{
        Sidecar,
        json::{self, Sheet},
    },
    store::{SyncFile, read_gphotos_sync},
};

/// What gphotos-sync calls its database.
pub(super) const DATABASE: &str = "gphotos.sqlite";
/// Nothing that is larger is a sidecar of ours.
const MOST_BYTES: u64 = 1024 * 1024;
/// Sidecars that are read at a time.
const READ_AT_A_TIME: usize = 8;

/// Gives the files of a tree what gphotos-sync has written down of them. `root` is where the tree lies.
pub(super) async fn by_gphotos_sync(tree: &mut Tree, database: &Path, root: &Path) -> Result<(), Error> {
    // It may have been run for the folder above.
    let folder_name = root.file_name().and_then(|name| name.to_str()).map(|name| format!("{name}/"));
    let read = read_gphotos_sync(database, |file| {
        let path_of = |name: &str| {
            [&*file.folder, name].into_iter().filter(|part| !part.is_empty()).collect::<Vec<_>>().join("/")
        };
        let names = [file.name.clone(), numbered(&file.name, file.duplicate)];
        let place = names.iter().find_map(|name| {
            let path = path_of(name);
            let below = folder_name.as_deref().and_then(|folder| path.strip_prefix(folder));
            tree.at.get(&path).or_else(|| tree.at.get(below?))
        });
        if let Some(found) = place.and_then(|place| tree.files.get_mut(*place)) {
            found.known = Some(Box::new(known(file)));
        }
    });
    read.await.map_err(|error| {
        Error::Refused(format!(
            "the database of gphotos-sync, {}, cannot be read: {error}; nothing was adopted. Without it (move it away, then try \
             again) files are found by their names and times",
            database.display()
        ))
    })
}

/// Where gphotos-sync's database is, if there is one.
pub(super) fn database_of(given: Option<&PathBuf>, root: &Path) -> Option<PathBuf> {
    given.cloned().or_else(|| Some(root.join(DATABASE)).filter(|path| path.is_file()))
}

fn known(file: SyncFile) -> Known {
    let name = if file.original_name.is_empty() { file.name } else { file.original_name };
    let description = (!file.description.is_empty()).then_some(file.description);
    let known = Known::new(&file.remote_id, name, &file.mime_type, file.taken_at);
    Known { description, least_size: file.size, ..known }
}

/// The name of the second, third, … of several files: `name (2).jpg`.
fn numbered(name: &str, duplicate: u64) -> String {
    let (stem, ending) = name.rfind('.').map_or((name, ""), |dot| name.split_at(dot));
    format!("{stem} ({}){ending}", duplicate + 1)
}

/// Gives the files of a tree what Charon's own sidecars say of them.
pub(super) async fn by_sidecars(
    ctx: &RunContext,
    tree: &mut Tree,
    files: &dyn Destination,
) -> Result<(), Error> {
    let read = std::mem::take(&mut tree.sheets).into_iter().map(|path| async move {
        match mirror::read_small(files, &Sidecar::Json.path(&path), MOST_BYTES).await {
            Ok(text) => Ok::<_, Error>((path, json::read(&text))),
            Err(error) if error.class == Class::Item => Ok((path, None)),
            Err(error) => Err(error.into()),
        }
    });
    let mut read = stream::iter(read).buffer_unordered(READ_AT_A_TIME);
    let mut sheets = Vec::new();
    while let Some(Some(sheet)) = ctx.unless_stopped(read.next()).await {
        let (path, sheet) = sheet?;
        match sheet {
            Some(sheet) if naming::name_of(&sheet.file.path) == naming::name_of(&path) => {
                sheets.push((path, sheet));
            }
            // Of another program, or of another file.
            _ => tree.others.push(Sidecar::Json.path(&path)),
        }
    }
    drop(read);
    for (path, sheet) in sheets {
        let clip = sheet.clip.as_ref().and_then(|clip| {
            let folder = path.rfind('/').map_or("", |slash| &path[..=slash]);
            let place = tree.at.get(&format!("{folder}{}", naming::name_of(&clip.path)))?;
            Some((*place, Bytes { sha256: clip.sha256, fidelity: clip.fidelity }))
        });
        let Some(found) = tree.at.get(&path).and_then(|place| tree.files.get_mut(*place)) else { continue };
        found.known = Some(Box::new(of_sheet(sheet, clip)));
    }
    Ok(())
}

fn of_sheet(sheet: Sheet, clip: Option<(usize, Bytes)>) -> Known {
    Known {
        description: sheet.description,
        camera: Some(Camera { make: sheet.camera_make, model: sheet.camera_model }),
        bytes: Some(Bytes { sha256: sheet.file.sha256, fidelity: sheet.file.fidelity }),
        clip,
        ..Known::new(&sheet.media_id, sheet.name, &sheet.mime_type, sheet.taken_at)
    }
}
