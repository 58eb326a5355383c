//! What of a plan may be said by one who comes in over HTTP: folders below the roots alone, and no commands. Whoever may run
//! commands, or name any folder, may do all that Charon may on the machine.

use std::path::{Path, PathBuf};

use charon_schema::{Mistake, Mistakes};
use serde_json::{Map, Value};

use crate::plan::{MirrorPlace, PlanConfig};

const NO_COMMANDS: &str = "can be set and changed on the machine alone, with `charon plan add` and `charon plan update`: whoever may \
                           run commands may do everything there; leave them as they are";

/// A folder may be named: where it really is. Otherwise why not.
pub type Below<'a> = &'a (dyn Fn(&Path) -> Result<PathBuf, String> + Send + Sync);

impl PlanConfig {
    /// The configuration as one who comes in over HTTP may say it: each folder where it really is, and the commands as they are
    /// already. `before` is what the plan was until now: what it says may stay.
    ///
    /// # Errors
    /// The folders that may not be named, and commands that are not as they were. What else is wrong is judged elsewhere.
    pub fn from_afar(
        mut config: Map<String, Value>,
        before: Option<&Self>,
        below: Below<'_>,
    ) -> Result<Map<String, Value>, Mistakes> {
        let before = before.and_then(|before| serde_json::to_value(before).ok()).unwrap_or_default();
        let mut mistakes = Vec::new();
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
        if let Some(Value::Array(sources)) = config.get_mut("sources") {
            let known = before.get("sources").and_then(Value::as_array);
            for (index, source) in sources.iter_mut().enumerate() {
                let stays = known.is_some_and(|known| known.contains(source));
                judge(format!("/sources/{index}"), source, stays);
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
