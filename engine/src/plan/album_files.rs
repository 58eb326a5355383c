//! What stands for albums in a mirror.

use crate::run::named;

named! {
    /// What stands for an album in a mirror.
    AlbumFiles {
        /// A folder with relative symbolic links.
        Symlink = "symlink",
        /// A folder with hard links: other names of the same files.
        Hardlink = "hardlink",
        /// A folder with copies.
        Copy = "copy",
        /// A JSON file that names the files.
        Manifest = "manifest",
        /// Nothing.
        None = "none",
    }
}
