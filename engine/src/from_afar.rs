//! What of a plan may be said by one who comes in over HTTP: folders below the roots alone, no commands, and no deletion of files.
//! Whoever may run commands, or name any folder, may do all that Charon may on the machine; and whoever may have files deleted once a
//! storage has them could send them to a storage of their own.

use std::path::{Path, PathBuf};

use charon_schema::{Mistake, Mistakes};
use serde_json::{Map, Value};

use crate::plan::{MirrorPlace, PlanConfig};

const NO_COMMANDS: &str = "can be set and changed on the machine alone, with `charon plan add` and `charon plan update`: whoever may \
                           run commands may do everything there; leave them as they are";

const NO_DELETING: &str = "can be set to delete on the machine alone, with `charon plan add` and `charon plan update`: whoever may \
                           delete what a storage has could make one of their own; keep the files, or move them";
const NO_OTHER_SOURCE: &str = "is not among the folders of the plan, whose files are deleted once they are sent: folders can be \
                               added to it on the machine alone, with `charon plan update`";

/// A folder may be named: where it really is. Otherwise why not.
pub type Below<'a> = &'a (dyn Fn(&Path) -> Result<PathBuf, String> + Send + Sync);

impl PlanConfig {
    /// The configuration as one who comes in over HTTP may say it: each folder where it really is, and the commands as they are
    /// already; files are deleted only where they were already, and only from the folders from which they were. `before` is what the plan was until now: what it says may stay.
    ///
    /// # Errors
    /// The folders that may not be named, and commands and deletions that are not as they were. What else is wrong is judged elsewhere.
    pub fn from_afar(
        mut config: Map<String, Value>,
        before: Option<&Self>,
        below: Below<'_>,
    ) -> Result<Map<String, Value>, Mistakes> {
        let before = before.and_then(|before| serde_json::to_value(before).ok()).unwrap_or_default();
        let (mut mistakes, mut others) = (Vec::new(), Vec::new());
        let kept = before.get("commands");
        match config.get("commands").filter(|commands| !commands.is_null()) {
            Some(given) if Some(given) != kept && !is_nothing(given) => {
                mistakes.push(Mistake::in_field("commands", NO_COMMANDS));
            }
            Some(_) | None => {
                config.remove("commands");
                config.extend(kept.map(|commands| ("commands".to_owned(), commands.clone())));
            }
        }
        let deletes = |config: &Value| config.get("after").is_some_and(|after| after == "delete");
        let is_deleting = config.get("after").is_some_and(|after| after == "delete");
        if is_deleting && !deletes(&before) {
            mistakes.push(Mistake::in_field("after", NO_DELETING));
        }
        let mut judge = |pointer: String, folder: &mut Value, stays: bool| {
            // What is no text is judged by the schema.
            let Some(text) = folder.as_str().filter(|text| !stays && !text.is_empty()) else { return };
            match below(Path::new(text)) {
                Ok(real) => *folder = real.to_string_lossy().into_owned().into(),
                Err(reason) => mistakes.push(Mistake { pointer, reason }),
            }
        };
        if let Some(destination) = config.get_mut("destination") {
            // What a storage keeps is no folder of this machine.
            let stays = before.get("destination") == Some(destination)
                || destination.as_str().is_some_and(is_kept_elsewhere);
            judge("/destination".into(), destination, stays);
        }
        if let Some(folder) = config.get_mut("move_to") {
            let stays = before.get("move_to") == Some(folder);
            judge("/move_to".into(), folder, stays);
        }
        if let Some(Value::Array(sources)) = config.get_mut("sources") {
            let known = before.get("sources").and_then(Value::as_array);
            for (index, source) in sources.iter_mut().enumerate() {
                let stays = known.is_some_and(|known| known.contains(source));
                judge(format!("/sources/{index}"), source, stays);
                if is_deleting && deletes(&before) && !known.is_some_and(|known| known.contains(source)) {
                    let pointer = format!("/sources/{index}");
                    others.push(Mistake { pointer, reason: NO_OTHER_SOURCE.to_owned() });
                }
            }
        }
        for other in others {
            if mistakes.iter().all(|known| known.pointer != other.pointer) {
                mistakes.push(other);
            }
        }
        if mistakes.is_empty() { Ok(config) } else { Err(Mistakes(mistakes)) }
    }
}

fn is_kept_elsewhere(destination: &str) -> bool {
    MirrorPlace::read(destination).is_ok_and(|place| place.folder().is_none())
}

/// Whether commands say that there are none.
fn is_nothing(commands: &Value) -> bool {
    commands.as_object().is_some_and(|commands| {
        ["before", "after"].iter().all(|name| commands.get(*name).is_none_or(Value::is_null))
    })
}

#[cfg(test)]
mod tests {
    use std::path::{Path, PathBuf};

    use serde_json::{Map, Value, json};

    use crate::PlanConfig;

    fn below(path: &Path) -> Result<PathBuf, String> {
        match path.strip_prefix("/photos") {
            Ok(rest) => Ok(Path::new("/disk/photos").join(rest)),
            Err(_) => Err("is not below /photos".into()),
        }
    }

    fn map(value: Value) -> Map<String, Value> {
        let Value::Object(map) = value else { panic!("an object") };
        map
    }

    fn said(config: Value, before: Option<&PlanConfig>) -> Result<Value, String> {
        let said = PlanConfig::from_afar(map(config), before, &below);
        said.map(Value::Object).map_err(|mistakes| mistakes.to_string())
    }

    #[test]
    fn folders_lie_below_the_roots_and_are_stored_as_they_really_are() {
        let backup = said(json!({"kind": "backup", "destination": "/photos/a"}), None).expect("below");
        assert_eq!(backup, json!({"kind": "backup", "destination": "/disk/photos/a"}));
        let refused =
            said(json!({"kind": "upload", "sources": ["/photos/a", "/etc"]}), None).expect_err("outside");
        assert_eq!(refused, "sources/1: is not below /photos");
        assert!(said(json!({"destination": "/etc"}), None).is_err());
        assert!(said(json!({"destination": 7}), None).is_ok(), "the schema judges it");
    }

    #[test]
    fn what_a_plan_has_already_may_stay() {
        let plan = json!({"kind": "upload", "storage": "x", "sources": ["/elsewhere/a"],
            "commands": {"before": "mount /mnt"}});
        let before = PlanConfig::read(map(plan.clone())).expect("a plan");
        let kept =
            said(json!({"kind": "upload", "sources": ["/elsewhere/a"]}), Some(&before)).expect("as it was");
        assert_eq!(kept["sources"], json!(["/elsewhere/a"]));
        assert_eq!(kept["commands"]["before"], "mount /mnt");
        let same = serde_json::to_value(&before).expect("JSON");
        assert_eq!(said(same.clone(), Some(&before)), Ok(same));
        assert!(said(json!({"sources": ["/elsewhere/b"]}), Some(&before)).is_err());
    }

    #[test]
    fn files_are_deleted_only_where_they_were_already() {
        let (keep, delete) = (json!({}), json!({"after": "delete"}));
        let plan = |more: &Value| {
            let mut config =
                json!({"kind": "upload", "storage": "x", "sources": ["/disk/photos/a", "/elsewhere/b"]});
            config.as_object_mut().expect("an object").extend(map(more.clone()));
            PlanConfig::read(map(config)).expect("a plan")
        };
        let (keeping, deleting) = (plan(&keep), plan(&delete));
        let of = |sources: Value| json!({"sources": sources, "after": "delete"});
        for before in [None, Some(&keeping)] {
            let refused = said(of(json!(["/photos/a"])), before).expect_err("refused");
            assert!(refused.starts_with("after: ") && refused.contains("charon plan"), "{refused}");
        }
        let fewer = said(of(json!(["/elsewhere/b"])), Some(&deleting)).expect("as it was");
        assert_eq!(fewer["sources"], json!(["/elsewhere/b"]));
        assert!(said(of(json!(["/photos/a"])), Some(&deleting)).is_ok(), "the same folder by another name");
        let refused = said(of(json!(["/elsewhere/b", "/photos/c"])), Some(&deleting)).expect_err("refused");
        assert!(refused.starts_with("sources/1: is not among"), "{refused}");
        assert!(said(json!({"sources": ["/photos/c"]}), Some(&deleting)).is_ok(), "and keeps them");
    }

    #[test]
    fn a_folder_to_move_to_lies_below_the_roots() {
        let moved = said(json!({"after": "move_to", "move_to": "/photos/sent"}), None).expect("below");
        assert_eq!(moved["move_to"], "/disk/photos/sent");
        let refused = said(json!({"after": "move_to", "move_to": "/etc"}), None).expect_err("outside");
        assert_eq!(refused, "move_to: is not below /photos");
    }

    #[test]
    fn commands_are_neither_set_nor_changed() {
        let before =
            json!({"kind": "upload", "storage": "x", "sources": ["/photos"], "commands": {"before": "a"}});
        let before = PlanConfig::read(map(before)).expect("a plan");
        for (commands, plan) in [
            (json!({"before": "rm -r /"}), None),
            (json!({"after": ["rm"]}), None),
            (json!("rm"), None),
            (json!({"before": "b"}), Some(&before)),
        ] {
            let refused = said(json!({"commands": commands}), plan).expect_err("refused");
            assert!(refused.starts_with("commands: ") && refused.contains("charon plan"), "{refused}");
        }
        for none in [json!({}), json!(null), json!({"time_limit_seconds": 600})] {
            assert_eq!(said(json!({"commands": none}), None), Ok(json!({})));
        }
    }
}
