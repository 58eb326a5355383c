//! Where a backup plan keeps its mirror: a folder of this machine, or a path that a storage keeps, written `NAME:path`.

use std::{
    borrow::Cow,
    fmt,
    path::{Path, PathBuf},
};

use schemars::{JsonSchema, Schema, SchemaGenerator};
use serde::{Deserialize, Deserializer, Serialize, Serializer, de::Error as _, ser::Error as _};

/// Where a mirror is. A folder whose name has a colon is written with what is before it: `./a:b`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum MirrorPlace {
    /// A folder of this machine.
    Folder(PathBuf),
    /// Below a path of a storage that keeps files.
    Stored {
        /// The name of the storage.
        storage: String,
        /// With forward slashes; empty for all of the storage.
        path: String,
    },
}

impl MirrorPlace {
    /// Reads `NAME:path`, or the path of a folder. One letter before the colon is a drive of Windows.
    ///
    /// # Errors
    /// A path within a storage that leads upwards, or to nowhere.
    pub fn read(text: &str) -> Result<Self, String> {
        let Some((storage, path)) = text.split_once(':').filter(|(name, _)| Self::can_name(name)) else {
            return Ok(Self::Folder(text.into()));
        };
        let path = path.trim_matches('/');
        let is_good = |part: &str| !part.is_empty() && part != "." && part != ".." && !part.contains('\\');
        if path.split('/').all(is_good) || path.is_empty() {
            return Ok(Self::Stored { storage: storage.to_owned(), path: path.to_owned() });
        }
        Err(format!("{path} is no path within {storage}: it has names and forward slashes, and no . or .."))
    }

    /// Whether a storage of this name can be told from a folder.
    pub(crate) fn can_name(name: &str) -> bool {
        name.chars().count() > 1 && !name.contains(['/', '\\', ':'])
    }

    /// The folder, if it is one of this machine.
    pub fn folder(&self) -> Option<&Path> {
        match self {
            Self::Folder(folder) => Some(folder),
            Self::Stored { .. } => None,
        }
    }

    /// The name of the storage that keeps it, if one does.
    pub fn storage(&self) -> Option<&str> {
        match self {
            Self::Folder(_) => None,
            Self::Stored { storage, .. } => Some(storage),
        }
    }

    /// Whether two mirrors at these places would lie within each other. Folders are judged where they really are, and elsewhere.
    pub(crate) fn overlaps(&self, other: &Self) -> bool {
        let within = |path: &str, other: &str| {
            other.is_empty()
                || path == other
                || path.strip_prefix(other).is_some_and(|rest| rest.starts_with('/'))
        };
        match (self, other) {
            (Self::Stored { storage, path }, Self::Stored { storage: others, path: other }) => {
                storage == others && (within(path, other) || within(other, path))
            }
            _ => false,
        }
    }
}

impl fmt::Display for MirrorPlace {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Folder(folder) => folder.display().fmt(f),
            Self::Stored { storage, path } => write!(f, "{storage}:{path}"),
        }
    }
}

impl Serialize for MirrorPlace {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Folder(folder) => {
                let text =
                    folder.to_str().ok_or_else(|| S::Error::custom("the path of a folder is no Unicode"))?;
                serializer.serialize_str(text)
            }
            stored @ Self::Stored { .. } => serializer.collect_str(stored),
        }
    }
}

impl<'de> Deserialize<'de> for MirrorPlace {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Self::read(&String::deserialize(deserializer)?).map_err(D::Error::custom)
    }
}

impl JsonSchema for MirrorPlace {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> Cow<'static, str> {
        "MirrorPlace".into()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        String::json_schema(generator)
    }
}

#[cfg(test)]
mod tests {
    use super::MirrorPlace;

    fn stored(storage: &str, path: &str) -> MirrorPlace {
        MirrorPlace::Stored { storage: storage.into(), path: path.into() }
    }

    #[test]
    fn a_name_before_a_colon_is_a_storage() {
        for (text, place) in [
            ("nas:photos", stored("nas", "photos")),
            ("my bucket:/photos/all/", stored("my bucket", "photos/all")),
            ("nas:", stored("nas", "")),
            ("nas:a:b", stored("nas", "a:b")),
        ] {
            assert_eq!(MirrorPlace::read(text).as_ref(), Ok(&place), "{text}");
            assert_eq!(MirrorPlace::read(&place.to_string()), Ok(place), "{text}");
        }
        for text in ["/photos", "photos", "./a:b", "/a:b", r"C:\photos", "", "C:/photos"] {
            assert_eq!(MirrorPlace::read(text), Ok(MirrorPlace::Folder(text.into())), "{text}");
        }
        for text in ["nas:..", "nas:a/../b", "nas:a//b", "nas:./a", r"nas:a\b"] {
            assert!(MirrorPlace::read(text).is_err(), "{text}");
        }
    }

    #[test]
    fn places_of_one_storage_overlap_where_one_lies_within_the_other() {
        let overlap = |a: &MirrorPlace, b: &MirrorPlace| (a.overlaps(b), b.overlaps(a));
        let (photos, all) = (stored("nas", "photos"), stored("nas", ""));
        assert_eq!(overlap(&photos, &all), (true, true));
        assert_eq!(overlap(&photos, &stored("nas", "photos/2024")), (true, true));
        assert_eq!(overlap(&photos, &stored("nas", "photos-of-others")), (false, false));
        assert_eq!(overlap(&photos, &stored("other", "photos")), (false, false));
    }
}
