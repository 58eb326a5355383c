//! A plan that sends folders out.

use std::path::PathBuf;

use charon_schema::{Mistake, Mistakes};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::is_nothing;
use crate::{
    commands::CommandsConfig,
    timing::{PolicyConfig, ScheduleConfig},
    upload::{After, Globs, Titles},
};

/// A plan that sends folders out.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(title = "Upload plan")]
pub struct UploadConfig {
    /// The name of the storage that the photos go to.
    #[schemars(title = "Storage", extend("x-group" = "Plan", "x-order" = 1))]
    pub storage: String,
    /// The folders whose photos and videos are sent, with all folders below them.
    #[schemars(title = "Folders", length(min = 1), extend("x-group" = "Plan", "x-order" = 2))]
    pub sources: Vec<PathBuf>,
    /// Only these files are sent.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(
        title = "Include",
        description = "Only the files are sent that match one of these globs, as a .gitignore has them: `*.jpg`, `/2024/`. The \
                       paths are those below each folder, and upper and lower case are the same. Without any, all files are sent.",
        extend("x-group" = "Files", "x-order" = 3, "x-advanced" = true)
    )]
    pub include: Vec<String>,
    /// These files and folders are left out.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(
        title = "Exclude",
        description = "The files and folders are left out that match one of these globs, whatever is included: `*.mov`, `raw/`, \
                       `/2019/**`. With a ! before it, a glob takes back what those before it leave out.",
        extend("x-group" = "Files", "x-order" = 4, "x-advanced" = true)
    )]
    pub exclude: Vec<String>,
    /// The title of the album that they are put into.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(
        title = "Album",
        description = "The title of the album that they are put into; made if it is not there. Without it they go to the library \
                       alone. `{folder}` stands for the name of the folder that a file lies in, `{path}` for all folders down to \
                       it, `{source}` for the name of the folder of the plan, `{year}`, `{month}` and `{day}` for when the photo \
                       was taken. Files for which one of them stands for nothing go into no album.",
        length(min = 1),
        extend("x-group" = "Album", "x-order" = 5, "examples" = ["Holidays", "{folder}", "{year}-{month}"])
    )]
    pub album: Option<String>,
    /// Whether new photos go behind all others in the album, or before them.
    #[serde(default)]
    #[schemars(
        title = "Position in the album",
        extend("x-group" = "Album", "x-order" = 6, "x-advanced" = true)
    )]
    pub album_position: AlbumPosition,
    /// Whether descriptions are taken from sidecar files beside the photos.
    #[serde(default = "yes")]
    #[schemars(
        title = "Descriptions",
        description = "Whether descriptions are taken from sidecar files beside the photos: name.jpg.json as Google Takeout \
                       writes them, or name.jpg.xmp or name.xmp.",
        extend("x-group" = "Descriptions", "x-order" = 7)
    )]
    pub descriptions: bool,
    /// What becomes of files once the storage has them.
    #[serde(default, skip_serializing_if = "AfterUpload::is_keep")]
    #[schemars(
        title = "Afterwards",
        description = "What becomes of files once the storage has them. None goes that the storage does not find by a direct \
                       look-up, or whose bytes are not those that were sent. Deleting can be set on the machine alone.",
        extend("x-group" = "Afterwards", "x-order" = 8, "x-advanced" = true)
    )]
    pub after: AfterUpload,
    /// The folder that they are moved to.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(
        title = "Move to",
        description = "The folder that they are moved to, each to the same place below it, with its sidecars. It has to be there, \
                       outside of the folders that are sent; nothing in it is overwritten.",
        extend("x-group" = "Afterwards", "x-order" = 9, "x-advanced" = true)
    )]
    pub move_to: Option<PathBuf>,
    /// When the plan runs by itself; without it, it runs when somebody asks for it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(title = "Schedule", extend("x-group" = "Schedule", "x-order" = 10))]
    pub schedule: Option<ScheduleConfig>,
    /// The bounds of its runs.
    #[serde(default)]
    #[schemars(title = "Runs", extend("x-group" = "Runs", "x-order" = 11))]
    pub policy: PolicyConfig,
    /// What is run before and after its runs.
    #[serde(default, skip_serializing_if = "is_nothing")]
    #[schemars(title = "Commands", extend("x-group" = "Commands", "x-order" = 12, "x-advanced" = true))]
    pub commands: CommandsConfig,
}

/// Where in the album new photos go.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
#[schemars(inline)]
pub enum AlbumPosition {
    /// Behind all others.
    #[default]
    Last,
    /// Before all others.
    First,
}

/// What becomes of files once the storage has them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
#[schemars(inline)]
pub enum AfterUpload {
    /// They stay where they are.
    #[default]
    Keep,
    /// They are moved to another folder.
    MoveTo,
    /// They are deleted.
    Delete,
}

impl AfterUpload {
    #[expect(clippy::trivially_copy_pass_by_ref, reason = "serde gives a reference")]
    fn is_keep(&self) -> bool {
        *self == Self::Keep
    }
}

fn yes() -> bool {
    true
}

impl UploadConfig {
    /// What no schema can say.
    pub(super) fn judge(&self) -> Result<(), Mistakes> {
        if self.album.as_ref().is_some_and(|album| album.trim().is_empty()) {
            return Err(Mistake::in_field("album", "must not be blank; leave it out for no album").into());
        }
        let mistakes: Vec<Mistake> = [self.titles(0).err(), self.globs().err(), self.after().err()]
            .into_iter()
            .flatten()
            .flat_map(|mistakes| mistakes.0)
            .collect();
        if mistakes.is_empty() { Ok(()) } else { Err(Mistakes(mistakes)) }
    }

    /// Which albums files go into, where titles have at most so many characters.
    pub(crate) fn titles(&self, most_chars: usize) -> Result<Titles, Mistakes> {
        Titles::read(self.album.as_deref(), most_chars).map_err(|why| Mistake::in_field("album", why).into())
    }

    /// Which files are sent.
    pub(crate) fn globs(&self) -> Result<Globs, Mistakes> {
        Globs::read(&self.include, &self.exclude).map_err(Mistakes)
    }

    /// What becomes of files.
    pub(crate) fn after(&self) -> Result<After, Mistakes> {
        match (self.after, &self.move_to) {
            (AfterUpload::MoveTo, Some(folder)) => Ok(After::MoveTo(folder.clone())),
            (AfterUpload::MoveTo, None) => {
                Err(Mistake::in_field("move_to", "is missing: the folder that files are moved to").into())
            }
            (_, Some(_)) => {
                let reason =
                    "names a folder, and after does not say move_to: say so, or leave the folder out";
                Err(Mistake::in_field("move_to", reason).into())
            }
            (AfterUpload::Keep, None) => Ok(After::Keep),
            (AfterUpload::Delete, None) => Ok(After::Delete),
        }
    }

    /// What is too long for the storage, whose titles have at most so many characters.
    pub(crate) fn judge_length(&self, most_chars: usize) -> Option<Mistake> {
        let chars = self.titles(most_chars).ok()?.fixed()?.chars().count();
        let reason = format!("is too long: it has {chars} characters, and {most_chars} are the most");
        (chars > most_chars).then(|| Mistake::in_field("album", reason))
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use crate::PlanConfig;

    fn read(more: &Value) -> Result<Value, String> {
        let mut config = json!({"kind": "upload", "storage": "x", "sources": ["/photos"]});
        let fields = config.as_object_mut().expect("an object");
        fields.extend(more.as_object().expect("an object").clone());
        let plan = PlanConfig::read(fields.clone()).map_err(|mistakes| mistakes.to_string())?;
        Ok(serde_json::to_value(plan).expect("JSON"))
    }

    #[test]
    fn what_is_not_said_is_not_stored() {
        let plan = read(&json!({"album": "Sea"})).expect("a plan");
        assert_eq!(
            plan,
            json!({"kind": "upload", "storage": "x", "sources": ["/photos"], "album": "Sea", "album_position": "last",
                   "descriptions": true, "policy": {"retries": 3}})
        );
    }

    #[test]
    fn what_becomes_of_files_is_said_in_words() {
        let plan = read(&json!({"after": "move_to", "move_to": "/sent"})).expect("a plan");
        assert_eq!((&plan["after"], &plan["move_to"]), (&json!("move_to"), &json!("/sent")));
        assert_eq!(read(&json!({"after": "keep"})).expect("a plan").get("after"), None);
        assert_eq!(read(&json!({"after": "delete"})).expect("a plan")["after"], "delete");
    }

    #[test]
    fn what_is_wrong_is_told_where_it_is() {
        for (more, told) in [
            (json!({"album": " "}), "album: must not be blank"),
            (json!({"album": "{month} {moon}"}), "album: has the placeholder {moon}, which is not known"),
            (json!({"album": "a {"}), "album: has a { that is not closed"),
            (json!({"exclude": ["*", "raw/", "[z-a]"]}), "exclude/2: is no glob"),
            (json!({"include": [""]}), "include/0: says nothing"),
            (json!({"after": "move_to"}), "move_to: is missing"),
            (
                json!({"after": "delete", "move_to": "/sent"}),
                "move_to: names a folder, and after does not say move_to",
            ),
            (json!({"after": "trash"}), "after: "),
        ] {
            let mistake = read(&more).expect_err("a mistake");
            assert!(mistake.starts_with(told), "{mistake}");
        }
        let both = read(&json!({"album": "{", "include": ["#"], "exclude": ["{"]})).expect_err("mistakes");
        for field in ["album: ", "include/0: ", "exclude/0: "] {
            assert!(both.contains(field), "{both}");
        }
    }
}
