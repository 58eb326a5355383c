//! Plans: what is to be done. A configuration is judged by its schema, then by what can be seen (I11).

mod album_files;
mod deletion;
mod layout;
mod place;
mod selection;
mod upload;

use std::{
    path::{Path, PathBuf},
    sync::LazyLock,
};

use charon_schema::{ConfigSchema, Mistake, Mistakes};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

pub use album_files::AlbumFiles;
pub use deletion::{DeletionConfig, Gone};
pub use place::MirrorPlace;
pub use selection::{AlbumsConfig, Every, MediaKind, SelectionConfig};
pub use upload::{AfterUpload, AlbumPosition, UploadConfig};

use crate::{
    commands::CommandsConfig,
    sidecars::Sidecars,
    timing::{PolicyConfig, ScheduleConfig},
};

/// A plan that brings photos home.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(title = "Backup plan")]
pub struct BackupConfig {
    /// The name of the storage whose photos come home.
    #[schemars(title = "Storage", extend("x-group" = "Plan", "x-order" = 1))]
    pub storage: String,
    /// Where the mirror is.
    #[schemars(
        title = "Destination",
        description = "The folder of the mirror, or NAME:path for a path below a storage of that name that keeps files (S3, WebDAV): \
                       empty, or not there yet, when the plan is made.",
        extend("x-group" = "Plan", "x-order" = 2)
    )]
    pub destination: MirrorPlace,
    /// Which photos and videos come home. What is left open here is as it is set with the storage.
    #[serde(default)]
    #[schemars(title = "Selection", extend("x-group" = "Selection", "x-order" = 3))]
    pub selection: SelectionConfig,
    /// Where in the mirror new photos go.
    #[serde(default = "layout::usual", skip_serializing_if = "layout::is_usual")]
    #[schemars(
        title = "Layout",
        description = "Where in the mirror new photos go, with `/` between folders. `{year}`, `{month}`, `{day}` stand for when a photo \
                       was taken, `{album}` for its album (the first of them), `{camera}` for the camera, `{name}` for the \
                       name of the file, `{ext}` for its ending, `{id}` for what the storage calls it. A photo that is home stays \
                       where it is: another layout is for those that come later.",
        length(min = 1, max = 200),
        extend("x-group" = "Layout", "x-order" = 4, "x-advanced" = true)
    )]
    pub layout: String,
    /// The time zone whose dates the layout has.
    #[serde(default = "layout::utc", skip_serializing_if = "layout::is_utc")]
    #[schemars(
        title = "Time zone of the layout",
        description = "The time zone whose dates the layout has: UTC, or a name such as Europe/Berlin.",
        extend("x-group" = "Layout", "x-order" = 5, "x-advanced" = true)
    )]
    pub time_zone: String,
    /// What becomes of items that are home and gone from the account.
    #[serde(default, skip_serializing_if = "DeletionConfig::is_default")]
    #[schemars(title = "Deletion", extend("x-group" = "Deletion", "x-order" = 6))]
    pub deletion: DeletionConfig,
    /// What stands for albums in the mirror.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(
        title = "Albums in the mirror",
        description = "What stands for an album in the mirror, below the folder albums: a folder of relative symbolic links, of hard \
                       links or of copies, a JSON file that names the photos, or nothing. Left open: symbolic links where there \
                       can be any, and JSON files otherwise.",
        extend("x-group" = "Mirror", "x-order" = 7)
    )]
    pub albums: Option<AlbumFiles>,
    /// The sidecars beside each file.
    #[serde(default, skip_serializing_if = "Sidecars::is_usual")]
    #[schemars(
        title = "Sidecars",
        description = "Small files beside each photo that tell its description, albums, camera and more: JSON, from which Charon can \
                       restore its own knowledge, and XMP, which photo programs read.",
        extend("x-group" = "Mirror", "x-order" = 8)
    )]
    pub sidecars: Sidecars,
    /// How much of the mirror each run verifies.
    #[serde(default, skip_serializing_if = "is_zero")]
    #[schemars(
        title = "Verify in each run",
        description = "How many hundredths of the mirror each run reads again and compares with what was stored, once what is new is \
                       home; the next run goes on behind them. What is damaged is fetched again. 0 for none.",
        range(max = 100),
        extend("x-group" = "Mirror", "x-order" = 9, "x-unit" = "percent")
    )]
    pub verify_percent: u8,
    /// How old the last full listing may be.
    #[serde(default = "a_day")]
    #[schemars(
        title = "Full listing",
        description = "A listing may stop where everything is known already, as long as one that went to the end is no older \
                       than this. 0 means that every listing goes to the end.",
        range(max = 8760),
        extend("x-group" = "Listing", "x-order" = 10, "x-unit" = "hours", "x-advanced" = true)
    )]
    pub full_listing_hours: u32,
    /// When the plan runs by itself; without it, it runs when somebody asks for it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(title = "Schedule", extend("x-group" = "Schedule", "x-order" = 11))]
    pub schedule: Option<ScheduleConfig>,
    /// The bounds of its runs.
    #[serde(default)]
    #[schemars(title = "Runs", extend("x-group" = "Runs", "x-order" = 12))]
    pub policy: PolicyConfig,
    /// What is run before and after its runs.
    #[serde(default, skip_serializing_if = "is_nothing")]
    #[schemars(title = "Commands", extend("x-group" = "Commands", "x-order" = 13, "x-advanced" = true))]
    pub commands: CommandsConfig,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde wants it so")]
fn is_zero(percent: &u8) -> bool {
    *percent == 0
}

fn a_day() -> u32 {
    24
}

fn is_nothing(commands: &CommandsConfig) -> bool {
    *commands == CommandsConfig::default()
}

/// What a plan does.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum PlanConfig {
    /// Storage to mirror.
    Backup(BackupConfig),
    /// Folders to storage.
    Upload(UploadConfig),
}

impl PlanConfig {
    /// Reads a configuration, for instance `{"kind": "backup", "storage": "family", "destination": "/photos"}`. Relative
    /// paths are taken from the present folder, once and for all.
    ///
    /// # Errors
    /// Every mistake that can be seen without looking at a storage or a folder.
    pub fn read(mut config: Map<String, Value>) -> Result<Self, Mistakes> {
        let kind =
            config.remove("kind").ok_or_else(|| Mistake::in_field("kind", "is missing: backup or upload"))?;
        let rest = Value::Object(config);
        let read = match kind.as_str() {
            Some("backup") => {
                ConfigSchema::of::<BackupConfig>().validate(&rest)?;
                serde_json::from_value(rest).map(Self::Backup)
            }
            Some("upload") => {
                ConfigSchema::of::<UploadConfig>().validate(&rest)?;
                serde_json::from_value(rest).map(Self::Upload)
            }
            _ => return Err(Mistake::in_field("kind", format!("is backup or upload, and not {kind}")).into()),
        };
        // The schema has judged it, so this is a contradiction between the two.
        let plan = read.map_err(|error| Mistake { pointer: String::new(), reason: error.to_string() })?;
        if let Some(schedule) = plan.schedule() {
            schedule.refuse_never(&schedule.read()?.0)?;
        }
        plan.commands().judge("/commands")?;
        plan.with_absolute_paths()
    }

    /// The configuration with strings turned into what the schemas want, for hosts that send every value as one.
    pub fn coerce(config: Map<String, Value>) -> Map<String, Value> {
        match config.get("kind").and_then(Value::as_str) {
            Some("backup") => ConfigSchema::of::<BackupConfig>().coerce(config),
            Some("upload") => ConfigSchema::of::<UploadConfig>().coerce(config),
            _ => config,
        }
    }

    /// The JSON Schemas of the two kinds.
    pub fn schemas() -> Value {
        json!({
            "backup": ConfigSchema::of::<BackupConfig>().as_json(),
            "upload": ConfigSchema::of::<UploadConfig>().as_json(),
        })
    }

    /// The schema of one kind, `backup` or `upload`; `None` for any other word.
    pub fn schema(kind: &str) -> Option<&'static ConfigSchema> {
        static BACKUP: LazyLock<ConfigSchema> = LazyLock::new(ConfigSchema::of::<BackupConfig>);
        static UPLOAD: LazyLock<ConfigSchema> = LazyLock::new(ConfigSchema::of::<UploadConfig>);
        match kind {
            "backup" => Some(&BACKUP),
            "upload" => Some(&UPLOAD),
            _ => None,
        }
    }

    /// `backup` or `upload`.
    pub fn kind(&self) -> &'static str {
        match self {
            Self::Backup(_) => "backup",
            Self::Upload(_) => "upload",
        }
    }

    /// The name of the storage.
    pub fn storage(&self) -> &str {
        match self {
            Self::Backup(backup) => &backup.storage,
            Self::Upload(upload) => &upload.storage,
        }
    }

    /// When it runs by itself.
    pub fn schedule(&self) -> Option<&ScheduleConfig> {
        match self {
            Self::Backup(backup) => backup.schedule.as_ref(),
            Self::Upload(upload) => upload.schedule.as_ref(),
        }
    }

    /// What is run before and after its runs.
    pub fn commands(&self) -> &CommandsConfig {
        match self {
            Self::Backup(backup) => &backup.commands,
            Self::Upload(upload) => &upload.commands,
        }
    }

    /// The bounds of its runs.
    pub fn policy(&self) -> &PolicyConfig {
        match self {
            Self::Backup(backup) => &backup.policy,
            Self::Upload(upload) => &upload.policy,
        }
    }

    fn with_absolute_paths(mut self) -> Result<Self, Mistakes> {
        let absolute = |path: &mut PathBuf, field: &str| {
            if path.as_os_str().is_empty() {
                return Err(Mistakes::from(Mistake::in_field(field, "must name a folder, and is empty")));
            }
            *path =
                std::path::absolute(&*path).map_err(|error| Mistake::in_field(field, error.to_string()))?;
            Ok(())
        };
        match &mut self {
            Self::Backup(backup) => {
                if let MirrorPlace::Folder(folder) = &mut backup.destination {
                    absolute(folder, "destination")?;
                }
                backup.selection.judge()?;
                backup.layout()?;
            }
            Self::Upload(upload) => {
                upload.sources.iter_mut().try_for_each(|source| absolute(source, "sources"))?;
                upload.move_to.iter_mut().try_for_each(|folder| absolute(folder, "move_to"))?;
                upload.judge()?;
            }
        }
        Ok(self)
    }
}

/// What is wrong with folders that shall be sent out: they are no folders, lie within a mirror, or hold one (I11).
pub(crate) fn judge_sources(sources: &[PathBuf], mirrors: &[MirrorPlace]) -> Vec<String> {
    let alone = sources.iter().filter_map(|source| judge_source(source, mirrors).err());
    let pairs = sources.iter().enumerate().filter_map(|(index, source)| {
        let real = real_path(source);
        let other = sources[..index].iter().find(|other| {
            let other = real_path(other);
            other.starts_with(&real) || real.starts_with(&other)
        })?;
        let (source, other) = (source.display(), other.display());
        Some(format!("the folders {other} and {source} overlap, and folders below are sent anyway; name the upper one alone"))
    });
    alone.chain(pairs).collect()
}

/// What is wrong with the folder that files are moved to from these sources: it is not there, or overlaps with one of them or with a
/// mirror (I11).
pub(crate) fn judge_move_to(folder: &Path, sources: &[PathBuf], mirrors: &[MirrorPlace]) -> Option<String> {
    let shown = folder.display();
    let real = match real_folder(folder) {
        Ok(real) => real,
        Err(why) => return Some(format!("the folder {shown} {why}")),
    };
    if let Some(mirror) = crate::mirror::mirror_above(&real) {
        let mirror = mirror.display();
        return Some(format!(
            "the folder {shown} lies within the mirror {mirror}, where only its plan puts files"
        ));
    }
    let overlaps = |other: &&Path| {
        let other = real_path(other);
        other.starts_with(&real) || real.starts_with(&other)
    };
    if let Some(mirror) = mirrors.iter().filter_map(MirrorPlace::folder).find(overlaps) {
        let mirror = mirror.display();
        return Some(format!("the folder {shown} holds the mirror {mirror}, where only its plan puts files"));
    }
    let source = sources.iter().map(PathBuf::as_path).find(overlaps)?.display();
    Some(format!("the folder {shown} overlaps with {source}, which is sent: choose a folder beside it"))
}

fn judge_source(source: &Path, mirrors: &[MirrorPlace]) -> Result<(), String> {
    let shown = source.display();
    let real = real_folder(source).map_err(|why| format!("the folder {shown} {why}"))?;
    if let Some(mirror) = crate::mirror::mirror_above(&real) {
        return Err(format!(
            "the folder {shown} lies within the mirror {}: photos that came home must not be sent out again; choose \
             another folder",
            mirror.display()
        ));
    }
    let within = |mirror: &&Path| mirror.canonicalize().is_ok_and(|mirror| mirror.starts_with(&real));
    if let Some(mirror) = mirrors.iter().filter_map(MirrorPlace::folder).find(within) {
        return Err(format!(
            "the folder {shown} holds the mirror {}: photos that came home must not be sent out again; choose folders \
             beside it",
            mirror.display()
        ));
    }
    Ok(())
}

/// What is wrong with a destination: it overlaps with another mirror or with a folder that is sent out (I11). Blocks.
pub(crate) fn judge_destination(
    destination: &MirrorPlace,
    mirrors: &[MirrorPlace],
    sources: &[PathBuf],
) -> Vec<String> {
    let overlapping = |mirror: &MirrorPlace| {
        let what = if destination.folder().is_some() { "folder" } else { "place" };
        format!(
            "the {what} {destination} overlaps with the mirror {mirror} of another plan; choose a {what} of its own"
        )
    };
    let Some(folder) = destination.folder() else {
        return mirrors.iter().filter(|mirror| destination.overlaps(mirror)).map(overlapping).collect();
    };
    let real = real_path(folder);
    let mut refusals = Vec::new();
    for mirror in mirrors {
        let other = mirror.folder().map(real_path);
        if other.is_some_and(|other| other.starts_with(&real) || real.starts_with(&other)) {
            refusals.push(overlapping(mirror));
        }
    }
    for source in sources {
        if real.starts_with(real_path(source)) {
            refusals.push(format!(
                "the folder {} lies within {}, which an upload plan sends out: photos that come home would be sent \
                 out again; choose another folder",
                folder.display(),
                source.display()
            ));
        }
    }
    refusals
}

fn real_folder(path: &Path) -> Result<PathBuf, String> {
    let real = path.canonicalize().map_err(|error| match error.kind() {
        std::io::ErrorKind::NotFound => "does not exist (is the disk mounted?)".to_owned(),
        _ => format!("cannot be read: {error}"),
    })?;
    if real.is_dir() { Ok(real) } else { Err("is not a folder".into()) }
}

/// The path with its symbolic links resolved, as far as it exists.
pub(crate) fn real_path(path: &Path) -> PathBuf {
    let existing = path.ancestors().find_map(|ancestor| Some((ancestor, ancestor.canonicalize().ok()?)));
    match existing {
        Some((ancestor, real)) => match path.strip_prefix(ancestor) {
            Ok(rest) if rest.as_os_str().is_empty() => real,
            Ok(rest) => real.join(rest),
            Err(_) => path.to_owned(),
        },
        None => path.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use std::slice::from_ref;

    use serde_json::{Value, json};

    use super::{MirrorPlace, PlanConfig, judge_destination, judge_sources};

    fn mistakes(config: &Value) -> String {
        let config = config.as_object().cloned().expect("an object");
        PlanConfig::read(config).expect_err("a wrong plan").to_string()
    }

    #[test]
    fn a_wrong_plan_is_told_where_it_is_wrong() {
        assert_eq!(mistakes(&json!({"storage": "x"})), "kind: is missing: backup or upload");
        assert_eq!(mistakes(&json!({"kind": "sync"})), "kind: is backup or upload, and not \"sync\"");
        assert_eq!(mistakes(&json!({"kind": "backup", "storage": "x"})), "destination: is missing");
        let unknown = mistakes(&json!({"kind": "upload", "storage": "x", "sources": ["a"], "albums": "b"}));
        assert_eq!(unknown, "albums: is not a known field; did you mean album?");
        assert!(mistakes(&json!({"kind": "upload", "storage": "x", "sources": []})).starts_with("sources: "));
    }

    #[test]
    fn a_plan_may_come_as_strings() {
        let strings = json!({
            "kind": "backup", "storage": "x", "destination": "/m", "full_listing_hours": "1",
            "selection": {"favourites": "false", "start_year": "1990", "kind": "photo", "albums": "Summer, Winter"},
        });
        let plan = PlanConfig::read(PlanConfig::coerce(strings.as_object().cloned().expect("an object")));
        let expected = json!({
            "kind": "backup", "storage": "x", "destination": "/m", "full_listing_hours": 1,
            "selection": {"favourites": false, "start_year": 1990, "kind": "photo", "albums": ["Summer", "Winter"]},
            "policy": {"retries": 3},
        });
        assert_eq!(serde_json::to_value(plan.expect("a plan")).expect("JSON"), expected);
    }

    #[test]
    fn a_selection_that_contradicts_itself_is_refused_when_the_plan_is_saved() {
        let refused = |selection: Value| {
            mistakes(&json!({"kind": "backup", "storage": "x", "destination": "y", "selection": selection}))
        };
        let both = refused(json!({"favourites": true, "albums": ["Summer"]}));
        assert!(both.starts_with("selection/favourites: cannot be joined with albums"), "{both}");
        let both = refused(json!({"favourites": true, "albums": "every"}));
        assert!(both.starts_with("selection/favourites: "), "{both}");
        assert!(refused(json!({"albums": []})).starts_with("selection/albums: names no album"));
        assert!(refused(json!({"albums": [" "]})).starts_with("selection/albums: holds a blank name"));
        assert!(refused(json!({"albums": "all"})).contains("selection/albums"));
        assert!(refused(json!({"kind": "movie"})).contains("selection/kind"));
        assert!(refused(json!({"start_year": 1066})).contains("selection/start_year"));
        assert!(refused(json!({"favorites": true})).contains("selection/favorites"));
    }

    #[test]
    fn a_selection_is_read_as_it_is_written() {
        let config = json!({"kind": "backup", "storage": "x", "destination": "y", "full_listing_hours": 0,
            "selection": {"start_year": 2019, "kind": "video", "include_archived": false, "albums": ["Summer"]}});
        let PlanConfig::Backup(backup) =
            PlanConfig::read(config.as_object().cloned().expect("an object")).expect("a plan")
        else {
            panic!("a backup plan")
        };
        assert_eq!((backup.full_listing_hours, backup.selection.start_year), (0, Some(2019)));
        assert_eq!(backup.selection.include_archived, Some(false));
        assert_eq!(backup.selection.albums, Some(super::AlbumsConfig::These(vec!["Summer".into()])));
        let whole =
            json!({"kind": "backup", "storage": "x", "destination": "y", "selection": {"albums": "every"}});
        let PlanConfig::Backup(backup) =
            PlanConfig::read(whole.as_object().cloned().expect("an object")).expect("a plan")
        else {
            panic!("a backup plan")
        };
        assert_eq!((backup.full_listing_hours, backup.selection.start_year), (24, None));
        assert_eq!(backup.selection.albums, Some(super::AlbumsConfig::Every(super::Every::Every)));
    }

    #[test]
    fn every_field_is_described_for_a_form() {
        fn look(schema: &Value, path: &str) {
            let fields = schema["properties"].as_object().expect("fields");
            let mut orders = Vec::new();
            for (name, field) in fields {
                let path = format!("{path}/{name}");
                for word in ["title", "description", "x-group"] {
                    let text = field[word].as_str().unwrap_or_else(|| panic!("{path} has no {word}"));
                    assert!(!text.contains(['\n', '_']), "{path}: {text}");
                }
                orders.push(field["x-order"].as_u64().unwrap_or_else(|| panic!("{path} has no place")));
                if field["type"].to_string().contains("integer") {
                    assert!(field["x-unit"].is_string(), "{path} has no unit");
                }
                if field["properties"].is_object() {
                    look(field, &path);
                }
            }
            orders.sort_unstable();
            assert!(orders.iter().copied().eq(1..=fields.len() as u64), "{path}: {orders:?}");
        }
        let schemas = PlanConfig::schemas();
        for (kind, title) in [("backup", "Backup plan"), ("upload", "Upload plan")] {
            assert_eq!(schemas[kind]["title"], title);
            look(&schemas[kind], kind);
        }
        let favourites = &schemas["backup"]["properties"]["selection"]["properties"]["favourites"];
        assert!(favourites["description"].as_str().is_some_and(|text| text.contains("hides")));
    }

    #[test]
    fn sources_and_mirrors_do_not_overlap() {
        // I11
        let folder = tempfile::tempdir().expect("a folder");
        let root = folder.path().to_owned();
        let (photos, mirror) = (root.join("photos"), root.join("photos/mirror"));
        std::fs::create_dir_all(&mirror).expect("folders");
        let at = |folder: &std::path::Path| MirrorPlace::Folder(folder.to_owned());
        let refused = |refusals: Vec<String>| refusals.into_iter().next().expect("an overlap");
        assert!(
            refused(judge_sources(from_ref(&photos), from_ref(&at(&mirror)))).contains("holds the mirror")
        );
        assert!(refused(judge_sources(&[root.clone(), photos.clone()], &[])).contains("overlap"));
        assert!(refused(judge_destination(&at(&mirror), &[], from_ref(&photos))).contains("sends out"));
        assert!(
            refused(judge_destination(&at(&mirror.join("new/er")), from_ref(&at(&mirror)), &[]))
                .contains("overlaps")
        );
        assert!(refused(judge_sources(&[root.join("nowhere")], &[])).contains("does not exist"));
        assert!(refused(judge_sources(&[root.clone(), photos.clone()], &[])).contains("overlap"));
        assert_eq!(judge_destination(&at(&root.join("elsewhere")), &[at(&mirror)], &[photos]), [""; 0]);
    }
}
